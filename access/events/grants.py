"""What happens to a grant and to what is issued under it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from access.events.event import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantActive(Event):
    """The provider is ready: from here on, credentials can be collected."""

    TAG: ClassVar[str] = "grant.active"
    provider: str
    expires_at: datetime
    promise: str  # the provider's guarantee, in words
    gateway: str = ""  # through which it is used


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantFailed(Event):
    """The provider said no, or its opening left nothing behind: no access was given."""

    TAG: ClassVar[str] = "grant.failed"
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantQuarantined(Event):
    """The provider's answer to the opening never came; it is looked at until nothing can be in flight."""

    TAG: ClassVar[str] = "grant.quarantined"
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlePrepared(Event):
    """A further attempt at the provider, after the first one's secret was lost with its process."""

    TAG: ClassVar[str] = "handle.prepared"
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialIntended(Event):
    """A credential is about to be made; written before the provider is called."""

    TAG: ClassVar[str] = "credential.intended"
    n: int
    attempt: int
    host: str
    address: str
    policy_hash: str
    snapshot: str = ""  # SHA-256 of what the ticket system said of the ticket
    looked: tuple[str, ...] = ()  # the groups kept elsewhere that it rests on, as `MembersSeen` names them


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialIssued(Event):
    """A credential was made for the requester's own device; written before it was handed over."""

    TAG: ClassVar[str] = "credential.issued"
    n: int
    public_id: str
    not_after: datetime
    host: str
    address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialAborted(Event):
    """Intended, but not handed over; whatever may exist is taken back."""

    TAG: ClassVar[str] = "credential.aborted"
    n: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialDied(Event):
    """A credential was gone at the provider before its grant ended, and not by prodaccess."""

    TAG: ClassVar[str] = "credential.died"
    n: int
    public_id: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantEnding(Event):
    """Access is being taken away from here on; written before the provider is called."""

    TAG: ClassVar[str] = "grant.ending"
    cause: str
    happened_at: datetime | None = None  # the three that have it: where the database could only take it down later


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationFailed(Event):
    """Ending could not be confirmed; written at the first failure and when it is escalated, not at every try."""

    TAG: ClassVar[str] = "revocation.failed"
    tries: int
    why: str
    escalated: bool
    happened_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantEnded(Event):
    """Everything under the grant is gone at the provider, with what was checked."""

    TAG: ClassVar[str] = "grant.ended"
    cause: str
    credentials: int
    opened_at: datetime
    ending_since: datetime
    proof: tuple[str, ...]  # sentences: what was checked at the provider and what it answered
    effective_by: datetime | None = None
    tried: bool = False  # every credential handed out was tried at the target and refused
    happened_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantStarted(Event):
    """The first credential is being collected: the time runs from here."""

    TAG: ClassVar[str] = "grant.started"
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantExpiring(Event):
    """It ends soon, and its requester is told."""

    TAG: ClassVar[str] = "grant.expiring"
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantExtended(Event):
    """Its end was moved by a decision of its own."""

    TAG: ClassVar[str] = "grant.extended"
    extension: str  # the request that was approved, as `PA-8`
    was: datetime
    expires_at: datetime
