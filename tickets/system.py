"""A ticket system, and how its answers become a `Ticket`: asked here, remembered for a minute by `RecentTickets`."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol, TypeVar

from access.errors import NotFound, Unavailable
from access.model import Person
from access.policy import LONGEST_TICKET
from access.ports import Clock, NoSuchTicket, Ticket, TicketSystemSilent
from tickets.http import Query, Rest

log = logging.getLogger(__name__)
T = TypeVar("T")

FRESH_FOR = timedelta(seconds=60)
LONGEST_TITLE = 250  # characters


class System(Protocol):
    """One ticket system, asked anew each time."""

    name: str

    def key(self, text: str) -> str:
        """The key that a key or a link means. Raises NoSuchTicket."""
        ...

    async def fetch(self, text: str) -> Ticket:
        """The ticket that a key or a link means. Raises NoSuchTicket, TicketSystemSilent."""
        ...

    async def trouble(self) -> str:
        """Empty where it answers and takes our token, else a sentence."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...


@dataclass
class RecentTickets:
    """`access.ports.Tickets` over a system: what it said within the last minute is not asked again."""

    system: System
    clock: Clock
    fresh_for: timedelta = FRESH_FOR
    _seen: dict[str, Ticket] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        return self.system.name

    def key(self, text: str) -> str:
        return self.system.key(text)

    async def look(self, key: str, by: Person, *, fresh: bool = False) -> Ticket:
        text = key.strip()
        self._forget_old()
        if not fresh and text in self._seen:
            return self._seen[text]
        self._seen.pop(text, None)  # what is no longer confirmed is no longer believed
        try:
            ticket = await self.system.fetch(text)
        except TicketSystemSilent as error:
            log.warning("%s", error, extra={"action": "ticket", "system": self.name, "by": by.id})
            raise
        self._keep(text, ticket)
        return ticket

    async def trouble(self) -> str:
        return await self.system.trouble()

    async def close(self) -> None:
        await self.system.close()

    def _keep(self, text: str, ticket: Ticket) -> None:
        """Unless a later question was answered sooner."""
        for key in (text, ticket.key):
            known = self._seen.get(key)
            if known is None or known.fetched_at <= ticket.fetched_at:
                self._seen[key] = ticket

    def _forget_old(self) -> None:
        now = self.clock.now()
        for old in [text for text, ticket in self._seen.items() if now - ticket.fetched_at >= self.fresh_for]:
            del self._seen[old]


async def fetched(rest: Rest, path: str, query: Query, shape: type[T]) -> T:
    """The answer about one ticket. Raises NoSuchTicket, TicketSystemSilent."""
    try:
        return await rest.get(path, query, shape)
    except NotFound:
        raise NoSuchTicket(
            f"{rest.name} has no such ticket, or does not show it to prodaccess. Check the key."
        ) from None
    except Unavailable as error:
        raise TicketSystemSilent(str(error)) from None


async def trouble_of(rest: Rest, path: str) -> str:
    """What is wrong, by a document that every token may see."""
    try:
        await rest.get(path, (), dict)
    except (NotFound, Unavailable) as error:
        return str(error)
    return ""


def checked_length(text: str) -> str:
    """What was typed, or quoted as `<link|text>`. Raises NoSuchTicket for what no key or link is as long as."""
    text = text.strip().removeprefix("<").removesuffix(">").partition("|")[0]
    if not 0 < len(text) <= LONGEST_TICKET:
        raise NoSuchTicket(f"A ticket is a key or a link of at most {LONGEST_TICKET} characters.")
    return text


def shown(text: str, longest: int = LONGEST_TITLE) -> str:
    """Somebody else's words on one line, bounded, without controls, bidi marks and halves of characters."""
    line = "".join(c for c in " ".join(text.split()) if c.isprintable())
    return line if len(line) <= longest else line[: longest - 1] + "…"
