"""What happened, in the past tense: one frozen class per kind of audit entry. This is the catalogue.

Tags (`TAG`) and field names are stored for ever: never renamed, only joined by new ones. Field types are limited to
what the canonical form knows: str, int, bool, datetime, timedelta, Person, tuples of str, and None. What may have
to be erased one day is `Private`. No event ever holds a secret or a capability (token, accessor, lease id).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, ClassVar

from access.model import Person

SCHEMA_VERSION = 1
Private = Annotated[str, "erasable"]  # people's words: the log holds a commitment, the text lies beside it


class Erased(str):
    """Stands where a private text was; `size` is how many characters it had."""

    size: int

    def __new__(cls, size: int) -> Erased:
        gone = super().__new__(cls, "(erased)")
        gone.size = size
        return gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """`ref` is the request it belongs to (`PA-7`), empty where it belongs to none; `by` is None for the system."""

    TAG: ClassVar[str] = ""
    at: datetime
    ref: str = ""
    by: Person | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestAsked(Event):
    """Somebody asked for access, and policy let them ask."""

    TAG: ClassVar[str] = "request.asked"
    request_id: str
    target: str
    role: str
    duration: timedelta
    reason: Private
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
    reason: Private
    ticket: str
    policy_hash: str
    rule: str
    why: str
    field: str = ""  # the input that the sentence is about
    limit: str = ""  # `pending` or `per_hour` where the limit per person said no, with what was counted:
    waiting: int = 0  # requests of this person that waited
    lately: int = 0  # and asks within the hour before, refused ones too


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalGiven(Event):
    """Somebody entitled said yes, under the policy named."""

    TAG: ClassVar[str] = "approval.given"
    policy_hash: str
    rule: str
    digest: str
    count: int
    needed: int
    counted: tuple[str, ...] = ()  # ids of the persons whose approval counts now, this one among them
    own_request: bool = False  # the requester's own, which the rule allows in so many words


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestApproved(Event):
    """The last approval needed; the grant's deadline is fixed here."""

    TAG: ClassVar[str] = "request.approved"
    approvers: tuple[str, ...]  # person ids
    provider: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDenied(Event):
    """Somebody entitled said no."""

    TAG: ClassVar[str] = "request.denied"
    reason: Private
    rule: str
    policy_hash: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestCancelled(Event):
    """The requester took the request back."""

    TAG: ClassVar[str] = "request.cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestExpired(Event):
    """Nobody decided in time."""

    TAG: ClassVar[str] = "request.expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class ActRefused(Event):
    """Somebody tried what they may not do, or came too late. Nothing was changed."""

    TAG: ClassVar[str] = "act.refused"
    act: str
    why: str
    policy_hash: str = ""  # empty where policy was not what said no
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantActive(Event):
    """The provider is ready: from here on, credentials can be collected."""

    TAG: ClassVar[str] = "grant.active"
    provider: str
    expires_at: datetime
    promise: str  # the provider's guarantee, in words


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
class GrantEnding(Event):
    """Access is being taken away from here on; written before the provider is called."""

    TAG: ClassVar[str] = "grant.ending"
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RevocationFailed(Event):
    """Ending could not be confirmed; written at the first failure and when it is escalated, not at every try."""

    TAG: ClassVar[str] = "revocation.failed"
    tries: int
    why: str
    escalated: bool


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


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginCodeShown(Event):
    """A one-time code to sign a terminal in was shown to its person in Slack."""

    TAG: ClassVar[str] = "login.code_shown"
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn(Event):
    """A terminal was signed in, with the key that its later calls are proven by."""

    TAG: ClassVar[str] = "login.signed_in"
    device: str
    host: str
    address: str
    key: str  # the device's public key
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOut(Event):
    """A terminal's sign-in was ended."""

    TAG: ClassVar[str] = "login.signed_out"
    device: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLoaded(Event):
    """From here on this policy decides; its text is kept under its hash."""

    TAG: ClassVar[str] = "policy.loaded"
    policy_hash: str
    rules: int
    changes: tuple[str, ...] = ()  # against the policy before: who gains and who loses what, a line each


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRefused(Event):
    """The policy file was changed into something that cannot be used; the last good policy stays in force."""

    TAG: ClassVar[str] = "policy.refused"
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStarted(Event):
    """A server began to serve this log."""

    TAG: ClassVar[str] = "server.started"
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStopped(Event):
    """The server stopped in order."""

    TAG: ClassVar[str] = "server.stopped"


# What was done at the target, reported by whatever recorded it. `session` is the recording's id.


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpened(Event):
    """A recorded connection to a target began, on behalf of a grant."""

    TAG: ClassVar[str] = "session.opened"
    session: str
    gateway: str  # `postgres`, `ssh`
    target: str
    host: str  # where the target is
    address: str  # where the person connected from


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionClosed(Event):
    """The connection ended; the recording is complete up to here."""

    TAG: ClassVar[str] = "session.closed"
    session: str
    why: str
    actions: int
    recording: str  # SHA-256 of the whole recording, in hex


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryRun(Event):
    """A statement was sent to a database."""

    TAG: ClassVar[str] = "db.query"
    session: str
    target: str
    text: Private
    shape: str  # the statement without its literals
    touches: tuple[str, ...]  # `read table:public.orders`, `write table:public.refunds`
    coverage: str  # `full`: touches names all of it; `partial`; `opaque`: it may touch anything there
    rows: int | None = None
    outcome: str = "ok"  # or the database's error code


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRun(Event):
    """A command was run on a host."""

    TAG: ClassVar[str] = "host.command"
    session: str
    target: str
    host: str
    text: Private
    program: str
    touches: tuple[str, ...]  # `read path:/etc/hosts`
    coverage: str
    exit_code: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTouched(Event):
    """A file was read, written, deleted or transferred on a host."""

    TAG: ClassVar[str] = "host.file"
    session: str
    target: str
    host: str
    touches: tuple[str, ...]  # `read path:/etc/shadow`
    coverage: str
    size: int | None = None  # bytes


# The log about itself


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuiet(Event):
    """A heartbeat: nothing happened since the entry before."""

    TAG: ClassVar[str] = "log.quiet"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogKeyUsed(Event):
    """Checkpoints from here on are signed with this key."""

    TAG: ClassVar[str] = "log.key"
    key: str  # C2SP verifier key


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyFailed(Event):
    """An anchor or collector outside does not take what it is sent; nothing waits for it."""

    TAG: ClassVar[str] = "copy.failed"
    to: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyRecovered(Event):
    """That anchor or collector takes what it is sent again, and has caught up from where it stopped."""

    TAG: ClassVar[str] = "copy.recovered"
    to: str
    down_since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSearched(Event):
    """Somebody looked into the audit log."""

    TAG: ClassVar[str] = "audit.searched"
    query: Private
    found: int
    through: str  # `slack`, `terminal`, `console`


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditExported(Event):
    """Entries left prodaccess as a file."""

    TAG: ClassVar[str] = "audit.exported"
    first: int
    last: int
    form: str  # `bundle`, `tiles`, `jsonl`, `csv`, `ocsf`, `parquet`
    sha256: str
    operator: str  # who ran it on the server, as that machine knows them


@dataclass(frozen=True, slots=True, kw_only=True)
class TextErased(Event):
    """A private text was destroyed on purpose; its commitment stays, so the log still verifies."""

    TAG: ClassVar[str] = "audit.erased"
    seq: int  # the entry whose text it was
    fields: tuple[str, ...]
    why: str


CATALOGUE: dict[str, type[Event]] = {cls.TAG: cls for cls in Event.__subclasses__()}
