"""What happened, in the past tense: one frozen class per kind of audit entry. This is the catalogue.

Tags (`TAG`) and field names are stored for ever: never renamed, only joined by new ones. Field types are limited to
what the canonical form knows: str, int, bool, datetime, timedelta, Person, tuples of str, and None. What may have
to be erased one day is `Private`. No event ever holds a secret or a capability (token, accessor, lease id).
"""

from __future__ import annotations

from access.events.event import SCHEMA_VERSION, Erased, Event, Private
from access.events.grants import (
    CredentialAborted,
    CredentialDied,
    CredentialIntended,
    CredentialIssued,
    GrantActive,
    GrantEnded,
    GrantEnding,
    GrantExpiring,
    GrantExtended,
    GrantFailed,
    GrantQuarantined,
    GrantStarted,
    HandlePrepared,
    RevocationFailed,
)
from access.events.house import (
    LoginCodeShown,
    MembersSeen,
    PolicyLoaded,
    PolicyRefused,
    ServerStarted,
    ServerStopped,
    SignedIn,
    SignedOut,
    StrayEnded,
    StrayEnding,
    StraysFound,
)
from access.events.log import AuditExported, AuditSearched, CopyFailed, CopyRecovered, LogKeyUsed, LogQuiet, TextErased
from access.events.requests import (
    ActRefused,
    ApprovalGiven,
    AskRefused,
    CommentMade,
    GlassBroken,
    RequestApproved,
    RequestAsked,
    RequestCancelled,
    RequestDenied,
    RequestEscalated,
    RequestExpired,
    RequestReminded,
)
from access.events.reviews import ReviewClosed, ReviewFlagged, ReviewOpened, ReviewReminded
from access.events.sessions import (
    CommandRun,
    FileTouched,
    PassGiven,
    QueryRun,
    SessionClosed,
    SessionCut,
    SessionOpened,
    SessionRecorded,
)

__all__ = [
    "CATALOGUE",
    "SCHEMA_VERSION",
    "ActRefused",
    "ApprovalGiven",
    "AskRefused",
    "AuditExported",
    "AuditSearched",
    "CommandRun",
    "CommentMade",
    "CopyFailed",
    "CopyRecovered",
    "CredentialAborted",
    "CredentialDied",
    "CredentialIntended",
    "CredentialIssued",
    "Erased",
    "Event",
    "FileTouched",
    "GlassBroken",
    "GrantActive",
    "GrantEnded",
    "GrantEnding",
    "GrantExpiring",
    "GrantExtended",
    "GrantFailed",
    "GrantQuarantined",
    "GrantStarted",
    "HandlePrepared",
    "LogKeyUsed",
    "LogQuiet",
    "LoginCodeShown",
    "MembersSeen",
    "PassGiven",
    "PolicyLoaded",
    "PolicyRefused",
    "Private",
    "QueryRun",
    "RequestApproved",
    "RequestAsked",
    "RequestCancelled",
    "RequestDenied",
    "RequestEscalated",
    "RequestExpired",
    "RequestReminded",
    "ReviewClosed",
    "ReviewFlagged",
    "ReviewOpened",
    "ReviewReminded",
    "RevocationFailed",
    "ServerStarted",
    "ServerStopped",
    "SessionClosed",
    "SessionCut",
    "SessionOpened",
    "SessionRecorded",
    "SignedIn",
    "SignedOut",
    "StrayEnded",
    "StrayEnding",
    "StraysFound",
    "TextErased",
]

_CHAPTERS = ("requests", "grants", "reviews", "house", "sessions", "log")
_CLASSES = sorted(Event.__subclasses__(), key=lambda cls: _CHAPTERS.index(cls.__module__.rpartition(".")[2]))
CATALOGUE: dict[str, type[Event]] = {cls.TAG: cls for cls in _CLASSES}
