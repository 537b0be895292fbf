"""What happened, in the past tense: one frozen class per kind of audit entry.

Tags (`TAG`) are stored for ever: never renamed, only joined by new ones. Field types are limited to what the
canonical form knows: str, int, bool, datetime, timedelta, Person, tuples of str, and None.
No event ever holds a secret or a capability (token, accessor, lease id).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from access.model import Person


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`ref` is the request it belongs to (`PA-7`), empty where it belongs to none; `by` is None for the system."""

    TAG: ClassVar[str] = ""
    at: datetime
    ref: str = ""
    by: Person | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAsked(Event):
    TAG: ClassVar[str] = "request.asked"
    request_id: str
    target: str
    role: str
    duration: timedelta
    reason: str
    ticket: str
    policy_hash: str
    rule: str
    approvals_needed: int
    deciders: tuple[str, ...]  # Slack ids of those who may decide
    digest: str
    lapses_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AskRefused(Event):
    """Somebody asked for what policy does not give. Nothing was created."""

    TAG: ClassVar[str] = "ask.refused"
    target: str
    role: str
    duration: timedelta
    reason: str
    ticket: str
    policy_hash: str
    rule: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalGiven(Event):
    TAG: ClassVar[str] = "approval.given"
    policy_hash: str
    rule: str
    digest: str
    count: int
    needed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestApproved(Event):
    """The last approval needed; the grant's deadline is fixed here."""

    TAG: ClassVar[str] = "request.approved"
    approvers: tuple[str, ...]  # person ids
    provider: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDenied(Event):
    TAG: ClassVar[str] = "request.denied"
    reason: str
    rule: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCancelled(Event):
    TAG: ClassVar[str] = "request.cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestExpired(Event):
    TAG: ClassVar[str] = "request.expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActRefused(Event):
    """Somebody tried what they may not do, or came too late. Nothing was changed."""

    TAG: ClassVar[str] = "act.refused"
    act: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantActive(Event):
    TAG: ClassVar[str] = "grant.active"
    provider: str
    expires_at: datetime
    promise: str  # the provider's guarantee, in words


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantFailed(Event):
    TAG: ClassVar[str] = "grant.failed"
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantQuarantined(Event):
    TAG: ClassVar[str] = "grant.quarantined"
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlePrepared(Event):
    """A further attempt at the provider, after the first one's secret was lost with its process."""

    TAG: ClassVar[str] = "handle.prepared"
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialIntended(Event):
    """Durable before the provider is called."""

    TAG: ClassVar[str] = "credential.intended"
    n: int
    attempt: int
    host: str
    address: str
    policy_hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialIssued(Event):
    """Durable before the secret leaves the process."""

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
class GrantEnding(Event):
    TAG: ClassVar[str] = "grant.ending"
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationFailed(Event):
    """Written at the first failure and when it is escalated, not at every try."""

    TAG: ClassVar[str] = "revocation.failed"
    tries: int
    why: str
    escalated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantEnded(Event):
    TAG: ClassVar[str] = "grant.ended"
    cause: str
    credentials: int
    opened_at: datetime
    ending_since: datetime
    proof: tuple[str, ...]  # sentences: what was checked at the provider and what it answered
    effective_by: datetime | None = None
    tried: bool = False  # every credential handed out was tried at the target and refused


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginCodeShown(Event):
    TAG: ClassVar[str] = "login.code_shown"
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn(Event):
    TAG: ClassVar[str] = "login.signed_in"
    device: str
    host: str
    address: str
    key: str  # the device's public key
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOut(Event):
    TAG: ClassVar[str] = "login.signed_out"
    device: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLoaded(Event):
    TAG: ClassVar[str] = "policy.loaded"
    policy_hash: str
    rules: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStarted(Event):
    TAG: ClassVar[str] = "server.started"
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStopped(Event):
    TAG: ClassVar[str] = "server.stopped"


CATALOGUE: dict[str, type[Event]] = {cls.TAG: cls for cls in Event.__subclasses__()}
