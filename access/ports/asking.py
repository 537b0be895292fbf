"""The time, people, groups, tickets and the policy in force."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from access.errors import BadInput, Unavailable
from access.model import Person
from access.policy import Looked as Looked  # noqa: PLC0414 (a directory's answer is part of its port)
from access.policy import NotLooked as NotLooked  # noqa: PLC0414 (the same)
from access.policy import Policy


class Clock(Protocol):
    """Time comes in, so that tests can own it. Never runs backwards."""

    def now(self) -> datetime: ...


class People(Protocol):
    """Who somebody is right now; fails closed.

    Refused for guests, strangers, bots and the deactivated; Unavailable when that cannot be known.
    """

    async def check(self, person: Person) -> Person: ...


class PolicySource(Protocol):
    """The policy in force."""

    def current(self) -> Policy: ...


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a ticket system says of one ticket. `unknown`: the system cannot tell whether it is open.

    The title was written by anybody: it is text to show, never markup. `project` is a Jira project's key or
    `owner/repository`; `assignees` are accounts and e-mail addresses, as far as the system shows them.
    """

    system: str
    key: str
    title: str
    url: str
    state: Literal["open", "closed", "unknown"]
    project: str
    assignees: tuple[str, ...]
    fetched_at: datetime

    @property
    def snapshot(self) -> str:
        """SHA-256 of the facts in their order, without the time: the same as long as the ticket says the same."""
        facts = [self.system, self.key, self.title, self.url, self.state, self.project, *self.assignees]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


class NoSuchTicket(BadInput):
    """The ticket system knows no such ticket, or does not show it to prodaccess: the two look alike."""

    def __init__(self, why: str) -> None:
        super().__init__(why, field="ticket")


class TicketSystemSilent(Unavailable):
    """The ticket system gave no answer that can be used, so nothing is known of the ticket."""

    field = "ticket"  # the input that the sentence is about


class Tickets(Protocol):
    """One ticket system."""

    @property
    def name(self) -> str: ...

    def key(self, text: str) -> str:
        """The key that a key or a link means, without asking anybody. Raises NoSuchTicket."""
        ...

    async def look(self, key: str, by: Person, *, fresh: bool = False) -> Ticket:
        """The ticket that a key or a link means; at most a minute old, or with `fresh` asked for now.

        Raises NoSuchTicket, TicketSystemSilent. A closed ticket is an answer, not an error.
        """
        ...


class Memberships(Protocol):
    """Groups and rotas that are kept elsewhere. An id names its directory: `slack:S0OWNERS`, `pagerduty:PI7DH85`."""

    async def members(self, group_ids: Iterable[str], *, fresh: bool = False) -> Mapping[str, Looked | NotLooked]:
        """Every id that was asked for is in the answer; with `fresh`, asked for now. Does not raise."""
        ...
