"""Durable state."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from access.events import Event
from access.model import Device, Grant, Handle, Lease, LoginCode, Person, Receipt, Request, Review, Vote
from access.policy import Policy
from access.sessions.model import Cut, Held, Pass, Seen, Session, Stop


@dataclass(frozen=True, slots=True)
class Change:
    """What one transaction writes, with its audit entries: all of it, or nothing.

    Requests, grants and reviews with version 0 are inserted; others are updated only if the stored version is still the
    one that was read, else the whole change is `Stale`. Votes, handles, leases, codes and devices are rows of
    their own: new ones are inserted, known ones updated by key. The text of a policy is kept under its hash.
    An event `TextErased` is carried out as well as written down. Sessions are guarded by their version, too; passes and
    stops are inserted, or updated by key. A session is cut once: a second cut of it is `Stale`.
    What is held is guarded by its version, and waits or is let run only while its session is open.
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
    passes: tuple[Pass, ...] = ()
    sessions: tuple[Session, ...] = ()
    cuts: tuple[Cut, ...] = ()
    stops: tuple[Stop, ...] = ()
    held: tuple[Held, ...] = ()
    seen: tuple[Seen, ...] = ()
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
class Share:
    """One process' part of what is due, of several: each `of`th number, and what is `overdue`, whosever it is.

    What `others` have claimed is left to them, unless it was due before `left_until`.
    """

    nth: int
    of: int
    overdue: datetime  # due before this, and not yet taken up
    others: frozenset[int] = frozenset()
    left_until: datetime | None = None


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

    async def open_grants(self) -> tuple[int, ...]:
        """The numbers of all grants that have not ended, in order."""
        ...

    async def requests_by_number(self, numbers: Sequence[int]) -> Mapping[int, Request]: ...

    async def grants_by_number(self, numbers: Sequence[int]) -> Mapping[int, Grant]: ...

    async def review(self, number: int) -> Review | None: ...

    async def open_reviews(self, person_id: str | None = None) -> tuple[Review, ...]:
        """Those not yet reviewed, oldest first: of one requester's grants, or everybody's."""
        ...

    async def due(self, before: datetime, limit: int, share: Share | None = None) -> Due: ...

    async def abandoned(self, living: Collection[int]) -> tuple[int, ...]:
        """Grants whose end is claimed by a process that is none of these."""
        ...

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


class SessionStore(Protocol):
    """Passes and sessions as they stand; written by `Store.commit`. Raises Unavailable."""

    async def pass_named(self, name: str) -> Pass | None: ...

    async def living_passes(self, number: int) -> tuple[Pass, ...]:
        """Those of one grant that have not ended, oldest first."""
        ...

    async def session(self, number: int, n: int) -> Session | None: ...

    async def sessions_of(self, number: int) -> tuple[Session, ...]:
        """Of one grant, in order."""
        ...

    async def open_sessions(self, process: str | None = None) -> tuple[Session, ...]:
        """Those not closed, the oldest first: of one gateway, or all."""
        ...

    async def kept_sessions(self, process: str) -> tuple[Session, ...]:
        """Those of one gateway that are over and whose recording is on its disk, the oldest first."""
        ...

    async def unstored(self, before: datetime) -> int:
        """How many were over by then, and have a recording that is not stored anywhere else."""
        ...

    async def tally(self, number: int) -> tuple[int, int]:
        """How many sessions of one grant are open, and how many there were in all."""
        ...

    async def orders(self, sessions: Sequence[str]) -> tuple[Mapping[str, Cut], Mapping[str, Stop]]:
        """Those of these sessions that somebody wants ended, and those of which a statement is to be stopped."""
        ...

    async def held(self, ids: Sequence[tuple[int, int, int]]) -> tuple[Held, ...]:
        """What is or was held, by grant, session and number."""
        ...

    async def waiting(self) -> tuple[Held, ...]:
        """What is held and not decided, the oldest first."""
        ...

    async def seen(self, person: str, target: str, things: Collection[str]) -> frozenset[str]:
        """Those of them that this person has touched before."""
        ...

    async def stoppable(self, mark: str) -> Session | None:
        """The open session that shows this mark."""
        ...


class Notebook(Protocol):
    """A small durable map for what is not state of access: cursors, where a card was posted."""

    async def note(self, key: str) -> dict[str, Any] | None: ...

    async def put_notes(
        self, notes: Mapping[str, Mapping[str, Any]], *, still: Mapping[str, Mapping[str, Any] | None] | None = None
    ) -> None:
        """All of them in one transaction. Raises Stale, and notes nothing, where one of `still` says something else."""
        ...
