"""The things prodaccess talks about, as frozen values: a change is a copy (`dataclasses.replace`).

One request has one number everywhere: `PA-7` is the request, its grant, its thread, its credentials' label.
All times are timezone-aware UTC datetimes.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from access.errors import BadInput

if TYPE_CHECKING:
    from access.events import Event

#: why a review was opened: the glass was broken, or the rule wants one
BREAK_GLASS, BY_RULE = "break_glass", "rule"
_REF = re.compile(r"(?:PA-)?([1-9][0-9]{0,14})", re.IGNORECASE)


def ref(number: int) -> str:
    """`7` as people see it: `PA-7`."""
    return f"PA-{number}"


def parse_ref(text: str) -> int:
    """`PA-7`, `pa-7` or `7` as a number. Raises BadInput."""
    match = _REF.fullmatch(text.strip())
    if match is None:
        raise BadInput(f"“{text[:40]}” is not a request. They look like PA-7; `list` shows yours.")
    return int(match.group(1))


class RequestState(StrEnum):
    """Stored values: never renamed, only joined by new ones."""

    #: waiting for people to decide
    PENDING = "pending"
    #: enough people said yes; a grant exists
    APPROVED = "approved"
    #: somebody entitled said no
    DENIED = "denied"
    #: the requester took it back
    CANCELLED = "cancelled"
    #: nobody decided in time
    EXPIRED = "expired"


class GrantState(StrEnum):
    """Stored values: never renamed, only joined by new ones."""

    #: deadline written, provider being prepared
    ISSUING = "issuing"
    #: the provider's answer never came: probed until no request can still be in flight
    QUARANTINE = "quarantine"
    #: credentials can be collected
    ACTIVE = "active"
    #: being taken away, for as long as it takes
    REVOKING = "revoking"
    #: proven gone
    REVOKED = "revoked"
    #: the provider said no; nothing was ever issued
    FAILED = "failed"


class Cause(StrEnum):
    """Why a grant ends; the first cause wins."""

    #: the deadline
    DEADLINE = "deadline"
    #: the requester is done
    REQUESTER = "requester"
    #: an approver took it back
    APPROVER = "approver"
    #: an admin took it back
    ADMIN = "admin"
    #: the requester may no longer have it
    LOST_RIGHT = "lost_right"
    #: its opening never finished
    UNFINISHED = "unfinished"
    #: nobody used it by the moment until which it waited
    NOT_USED = "not_used"
    #: its ticket was closed, and the rule says that this ends it
    TICKET_CLOSED = "ticket_closed"


class ReviewState(StrEnum):
    """Stored values: never renamed, only joined by new ones."""

    #: waiting for somebody to look at it
    OPEN = "open"
    #: somebody saw something that has to be looked into; still open
    FLAGGED = "flagged"
    #: somebody else than the requester has looked at it
    REVIEWED = "reviewed"


@dataclass(frozen=True, slots=True)
class Person:
    """A human being, whatever account they use: `id` is the same for all of somebody's Slack ids.

    `id` is `TEAM/USER` of the person's first Slack account (Enterprise Grid: `ENTERPRISE/USER`).
    """

    id: str
    name: str
    slack_id: str


@dataclass(frozen=True, slots=True)
class Ask:
    """What somebody wants, as typed. `key` makes it idempotent: the same key twice is one request.

    `extends` is the number of the grant that it asks to prolong, by `duration`. `glass`: without approval, by the
    role's break-glass.
    """

    by: Person
    target: str
    role: str
    duration: timedelta
    reason: str
    ticket: str
    key: str
    extends: int | None = None
    glass: bool = False


@dataclass(frozen=True, slots=True)
class Vote:
    """One person's approval, and the rule that made it count when it was given.

    `shorter`: the most they allow, where that is less than was asked for; of several the least counts.
    """

    request_id: str
    by: Person
    at: datetime
    rule: str
    shorter: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A request for access. `id` is opaque and safe in a button; `number` is what people say (`PA-7`)."""

    id: str
    number: int
    key: str
    requester: Person
    target: str
    role: str
    duration: timedelta
    reason: str
    ticket: str
    state: RequestState
    created_at: datetime
    lapses_at: datetime  # until when it can be decided
    due_at: datetime | None  # next moment the sweeper must look, `lapses_at` at the latest; None exactly when ended
    policy_hash: str
    rule: str
    approvals_needed: int
    extends: int | None = None  # the grant that it asks to prolong; it makes none of its own
    glass: bool = False
    asked: tuple[str, ...] = ()  # Slack ids of those who have been called so far
    reminded_at: datetime | None = None  # when they were called again
    votes: tuple[Vote, ...] = ()
    decided_by: Person | None = None
    decided_at: datetime | None = None
    note: str = ""
    version: int = 0  # 0: not stored yet. A stored row moves only from the version that was read

    @property
    def ref(self) -> str:
        return ref(self.number)

    @property
    def digest(self) -> str:
        """SHA-256 over what an approver is shown; a button carries a prefix, so an altered card does not count."""
        shown: list[object] = [
            self.requester.id,
            self.target,
            self.role,
            int(self.duration.total_seconds()),
            self.reason,
            self.ticket,
        ]
        if self.extends is not None:
            shown.append(ref(self.extends))
        return hashlib.sha256(json.dumps([self.id, self.policy_hash, *shown]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Handle:
    """What is recorded before a usable secret exists, enough to end everything issued under it.

    `locator` is the provider's own (Vault: token accessor; AWS: session-name prefix): a capability, so it is
    stored but never shown. `issuer` is which installation of the provider made it (Vault: its cluster's id): only that
    one can say of it that it is gone. Empty where one is like the other.
    """

    grant: int
    attempt: int
    locator: str = field(repr=False)
    created_at: datetime
    issuer: str = ""


@dataclass(frozen=True, slots=True)
class Lease:
    """One issued credential, by its public facts. `locator` (Vault: lease id) is a capability: never shown."""

    grant: int
    n: int
    attempt: int
    public_id: str  # database user name, AWS access key id
    locator: str = field(repr=False)
    issued_at: datetime
    not_after: datetime
    gone_at: datetime | None = None
    aborted_at: datetime | None = None  # written down as never handed over


@dataclass(frozen=True, slots=True)
class Grant:
    """Access while it lasts. `expires_at` is one instant for everybody; what moves it is written down.

    Where the rule counts from the first use, `started_at` is None until then, and `expires_at` is the moment by which
    the first use must come. A handle made before `retimed_at` knows an earlier end, and issues nothing any more.
    """

    number: int
    request_id: str
    requester: Person
    target: str
    role: str
    reason: str
    ticket: str
    provider: str
    uses: Mapping[str, str]  # the provider's own settings for this target and role, from the policy
    state: GrantState
    created_at: datetime
    expires_at: datetime
    due_at: datetime | None  # next moment the sweeper must look, `expires_at` at the latest; None exactly when terminal
    duration: timedelta  # how long it was approved for
    started_at: datetime | None = None
    retimed_at: datetime | None = None
    warned_at: datetime | None = None  # when its requester was told that it ends soon
    glass: bool = False
    review: bool = False  # somebody else looks at it afterwards
    attempts: int = 0  # tries to revoke (or to settle a quarantine)
    cause: Cause | None = None
    ended_by: Person | None = None
    ending_since: datetime | None = None
    ended_at: datetime | None = None
    effective_by: datetime | None = None  # only for providers whose revocation is eventual
    escalated: bool = False
    alarms: int = 0  # how many times people were called because its end cannot be confirmed
    claim: int | None = None  # the process that is at its end until `due_at`, where there are several
    handles: tuple[Handle, ...] = ()
    leases: tuple[Lease, ...] = ()
    version: int = 0
    gateway: str = ""  # used through this gateway alone: nobody is given a credential

    @property
    def ref(self) -> str:
        return ref(self.number)

    def live_leases(self) -> tuple[Lease, ...]:
        """The credentials not yet proven gone."""
        return tuple(lease for lease in self.leases if lease.gone_at is None)


@dataclass(frozen=True, slots=True)
class Review:
    """That somebody else looks at what was done under a grant; `number` is the grant's."""

    number: int
    requester: Person
    target: str
    role: str
    why: str  # BREAK_GLASS or BY_RULE
    state: ReviewState
    opened_at: datetime
    due_at: datetime | None  # next moment to call the reviewers; None exactly when reviewed
    reminders: int = 0
    by: Person | None = None  # who flagged or reviewed it last
    at: datetime | None = None
    version: int = 0

    @property
    def ref(self) -> str:
        return ref(self.number)


@dataclass(frozen=True, slots=True)
class Device:
    """A terminal that somebody signed in on. The token itself is never stored: only its SHA-256."""

    id: str
    person: Person
    token_hash: str = field(repr=False)
    public_key: str  # Ed25519, base64url without padding, as in a JWK's `x`
    host: str
    address: str
    created_at: datetime
    expires_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class LoginCode:
    """A one-time code shown in Slack, kept as SHA-256. Good for one terminal, for a minute."""

    code_hash: str
    person: Person
    expires_at: datetime
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that a transaction is durable: its audit entries and their sequence numbers, in order.

    Only the store makes one, and lets go of it only after the commit.
    """

    seqs: tuple[int, ...] = ()
    events: tuple[Event, ...] = ()
