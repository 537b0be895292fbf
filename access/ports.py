"""What the rules need from outside, as small Protocols; adapters match them by shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from access.events import Event
from access.model import Device, Grant, Handle, Lease, LoginCode, Person, Receipt, Request, Vote
from access.policy import Policy
from access.secret import Secret


class Clock(Protocol):
    """Time comes in, so that tests can own it. Never runs backwards."""

    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Change:
    """What one transaction writes, with its audit entries: all of it, or nothing.

    Requests and grants with version 0 are inserted; others are updated only if the stored version is still the
    one that was read, else the whole change is `Stale`. Votes, handles, leases, codes and devices are rows of
    their own: new ones are inserted, known ones updated by key.
    """

    requests: tuple[Request, ...] = ()
    grants: tuple[Grant, ...] = ()
    votes: tuple[Vote, ...] = ()
    handles: tuple[Handle, ...] = ()
    leases: tuple[Lease, ...] = ()
    codes: tuple[LoginCode, ...] = ()
    devices: tuple[Device, ...] = ()
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class Quota:
    """How much one person may have asked for: requests that are pending, and requests made after `since`."""

    person_id: str
    pending: int
    recent: int
    since: datetime


@dataclass(frozen=True, slots=True)
class Due:
    """Rows whose `due_at` has come, oldest first."""

    requests: tuple[int, ...]
    grants: tuple[int, ...]


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

    async def grants_by_number(self, numbers: Sequence[int]) -> Mapping[int, Grant]: ...

    async def due(self, before: datetime, limit: int) -> Due: ...

    async def next_due(self) -> datetime | None: ...

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
    """A fresh credential: its public facts, and the secret. `hints` are not secret (host, port, database)."""

    public_id: str
    locator: str
    not_after: datetime
    secret: Secret
    hints: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Collected:
    """A credential on its way to the requester, and the grant that it belongs to."""

    grant: Grant
    issued: Issued


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

    def check(self, uses: Mapping[str, str]) -> tuple[str, ...]:
        """Faults in a rule's `uses`, as sentences. No I/O."""
        ...

    async def prepare(self, grant: Grant, attempt: int) -> Handle:
        """Create the inert container of everything to come. Raises ProviderRefused, ProviderSilent."""
        ...

    async def issue(self, grant: Grant, handle: Handle, n: int) -> Issued:
        """A credential that dies with the handle. Raises ProviderRefused, ProviderSilent, HandleLost."""
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


class People(Protocol):
    """Who somebody is right now; fails closed.

    Refused for guests, strangers, bots and the deactivated; Unavailable when that cannot be known.
    """

    async def check(self, person: Person) -> Person: ...


class PolicySource(Protocol):
    """The policy in force."""

    def current(self) -> Policy: ...
