"""What the rules need from outside, as small Protocols; adapters match them by shape."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from access.errors import BadInput, Unavailable
from access.events import Event
from access.gate import Covered, Intent, Sealed
from access.model import Device, Grant, Handle, Lease, LoginCode, Person, Receipt, Request, Review, Vote
from access.policy import Looked as Looked  # noqa: PLC0414 (a directory's answer is part of its port)
from access.policy import NotLooked as NotLooked  # noqa: PLC0414 (the same)
from access.policy import Policy
from access.secret import Secret


class Clock(Protocol):
    """Time comes in, so that tests can own it. Never runs backwards."""

    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Change:
    """What one transaction writes, with its audit entries: all of it, or nothing.

    Requests, grants and reviews with version 0 are inserted; others are updated only if the stored version is still the
    one that was read, else the whole change is `Stale`. Votes, handles, leases, codes and devices are rows of
    their own: new ones are inserted, known ones updated by key. The text of a policy is kept under its hash.
    An event `TextErased` is carried out as well as written down.
    """

    requests: tuple[Request, ...] = ()
    grants: tuple[Grant, ...] = ()
    votes: tuple[Vote, ...] = ()
    handles: tuple[Handle, ...] = ()
    leases: tuple[Lease, ...] = ()
    reviews: tuple[Review, ...] = ()
    codes: tuple[LoginCode, ...] = ()
    devices: tuple[Device, ...] = ()
    policies: tuple[Policy, ...] = ()
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Quota:
    """How much one person may have asked for: requests that are pending, and requests made after `since`.

    `reviewed`: and no broken glass of theirs that gave access may be open to review; else it is `Stale`.
    """

    person_id: str
    pending: int
    recent: int
    since: datetime
    reviewed: bool = False


@dataclass(frozen=True, slots=True)
class Due:
    """Rows whose `due_at` has come, oldest first."""

    requests: tuple[int, ...]
    grants: tuple[int, ...]
    reviews: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class PrivateTexts:
    """The fields of one audit entry whose private text still exists; `ref` is its request, or empty."""

    ref: str
    seq: int
    fields: tuple[str, ...]
    kind: str = ""  # the event's tag
    by: Person | None = None  # whose words they are


class Store(Protocol):
    """Durable state. Every method is one transaction; `Unavailable` when the database does not answer."""

    async def create(self, build: Callable[[int], Change], quota: Quota | None = None) -> Receipt:
        """Write what `build(number)` says, with the next request number (no gaps).

        The quota is counted in the same transaction, so that many asks at once do not slip through.
        Raises Stale on a known key, OverQuota.
        """
        ...

    async def commit(self, change: Change) -> Receipt:
        """Raises Stale when a row has moved on or a vote already stands."""
        ...

    async def commit_each(self, changes: Sequence[Change], *, wait: bool = True) -> tuple[bool, ...]:
        """Many endings in one transaction, each of one stored grant: which of them stood.

        A grant that has moved on is left out with its events; without `wait`, also one that somebody is at right now.
        Of a grant, its leases, reviews and events are written, and of its row only what an ending changes. Raises
        Unavailable, and Stale (a review stands already): then nothing of them all stands.
        """
        ...

    async def request(self, number: int) -> Request | None: ...

    async def request_by_id(self, request_id: str) -> Request | None: ...

    async def request_by_key(self, key: str) -> Request | None: ...

    async def grant(self, number: int) -> Grant | None: ...

    async def requests_of(self, person_id: str | None, *, limit: int = 50) -> tuple[Request, ...]:
        """Newest first; everybody's when `person_id` is None."""
        ...

    async def open_requests(self, person_id: str | None = None) -> tuple[Request, ...]:
        """All that wait for people or whose grant has not ended, newest first; everybody's when `person_id` is None."""
        ...

    async def pending_extensions(self, numbers: Sequence[int]) -> tuple[Request, ...]:
        """Requests that wait to prolong one of these grants."""
        ...

    async def grants_by_number(self, numbers: Sequence[int]) -> Mapping[int, Grant]: ...

    async def review(self, number: int) -> Review | None: ...

    async def open_reviews(self, person_id: str | None = None) -> tuple[Review, ...]:
        """Those not yet reviewed, oldest first: of one requester's grants, or everybody's."""
        ...

    async def due(self, before: datetime, limit: int) -> Due: ...

    async def next_due(self) -> datetime | None: ...

    async def loose_intents(self, before: datetime) -> tuple[tuple[int, int], ...]:
        """Grant number and `n` of credentials intended before then that neither came nor were given up."""
        ...

    async def private_texts(self, ref: str) -> tuple[PrivateTexts, ...]:
        """What of one request's entries can still be erased, in the log's order."""
        ...

    async def private_texts_at(self, seq: int) -> tuple[PrivateTexts, ...]:
        """What of this entry can still be erased: one, or none. NotFound: the log has no such entry."""
        ...

    async def login_code(self, code_hash: str) -> LoginCode | None: ...

    async def device_by_token(self, token_hash: str) -> Device | None: ...

    async def device(self, device_id: str) -> Device | None: ...

    async def devices_of(self, person_id: str) -> tuple[Device, ...]: ...


class Notebook(Protocol):
    """A small durable map for what is not state of access: cursors, where a card was posted."""

    async def note(self, key: str) -> dict[str, Any] | None: ...

    async def put_notes(self, notes: Mapping[str, Mapping[str, Any]]) -> None:
        """All of them in one transaction."""
        ...


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What a provider can promise about ending access, in the terms shown to people."""

    early_end: Literal["confirmed", "eventual"]
    cuts_sessions: bool
    lag: timedelta  # how long after our revocation access may still work; zero when confirmed
    sentence: str


@dataclass(frozen=True, slots=True)
class Issued:
    """A fresh credential as its issuer gives it: public facts, and the secret behind the gate.

    `hints` are not secret (host, port, database).
    """

    public_id: str
    locator: str
    not_after: datetime
    secret: Sealed
    hints: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Released:
    """The same beyond the gate: recorded, signed, and on its way to the requester."""

    public_id: str
    locator: str
    not_after: datetime
    secret: Secret
    hints: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection yields: the credential, and the grant that it belongs to."""

    grant: Grant
    issued: Released


@dataclass(frozen=True, slots=True)
class Gone:
    """Gone, with what was checked; `effective_by` where the target only follows later.

    `tried`: every credential that was handed out was tried at the target and refused. Nothing less is called proven.
    """

    proof: tuple[str, ...]
    effective_by: datetime | None = None
    tried: bool = False


@dataclass(frozen=True, slots=True)
class NotYet:
    """Not proven gone; `why` is for people and holds no secret."""

    why: str


class Provider(Protocol):
    """An issuer. Every call may be repeated; `revoke` treats what is already gone as success.

    Calls for one grant are serialised by the caller: no `issue` runs beside a `revoke` of the same grant.
    """

    name: str
    guarantee: Guarantee
    at_once: int  # revocations that it takes at a time; more only make it slower

    def check(self, uses: Mapping[str, str]) -> tuple[str, ...]:
        """Faults in a rule's `uses`, as sentences. No I/O."""
        ...

    async def prepare(self, grant: Grant, attempt: int) -> Handle:
        """Create the inert container of everything to come. Raises ProviderRefused, ProviderSilent."""
        ...

    async def issue(self, grant: Grant, handle: Handle, intent: Intent) -> Issued:
        """A credential that dies with the handle. Raises ProviderRefused, ProviderSilent, HandleLost."""
        ...

    async def discard(self, grant: Grant, issued: Issued) -> None:
        """End this one credential at once, whose secret nobody was given; the others of the grant stay.

        One try: what it leaves ends with the grant. Raises ProviderRefused (also where the issuer cannot end a
        single one), ProviderSilent.
        """
        ...

    async def revoke(self, grant: Grant) -> Gone | NotYet:
        """End everything under all handles and leases of the grant, then look and probe. Does not raise."""
        ...

    async def find(self, grant: Grant) -> bool:
        """Whether anything of this grant exists at the provider. Raises ProviderSilent."""
        ...

    async def tidy(self) -> None:
        """Chores that may be skipped once: remove what has served. Raises ProviderError."""
        ...

    async def health(self) -> str:
        """Empty when well, else a sentence. Also what wakes its connections before somebody waits for them."""
        ...

    def close(self) -> None:
        """Let go of connections; ends no access."""
        ...


class Witness(Protocol):
    """Whoever signs the audit log, and so can say what has been signed."""

    async def cover(self, seq: int) -> Covered:
        """Returns once the entries up to and including `seq` are in a signed checkpoint. Raises Unavailable."""
        ...


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
