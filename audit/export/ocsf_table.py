"""Which OCSF class each kind of entry becomes: one line per tag. A test holds it complete."""

from __future__ import annotations

from dataclasses import dataclass

from access import events as e
from audit.export import ocsf_details as of
from audit.export.ocsf_details import OTHER, Details

_INFORMATIONAL, _LOW, _MEDIUM, _HIGH = 1, 2, 3, 4
_UNSETTLED, _SUCCESS, _FAILURE = 0, 1, 2
_CATEGORIES = {1: "System Activity", 3: "Identity & Access Management", 6: "Application Activity"}


@dataclass(frozen=True, slots=True)
class Kind:
    """An OCSF class. Not every class has an actor, or where they came from."""

    uid: int
    name: str
    has_actor: bool = True
    has_source: bool = True

    @property
    def category(self) -> tuple[int, str]:
        return self.uid // 1000, _CATEGORIES[self.uid // 1000]


FILE = Kind(1001, "File System Activity", has_source=False)
PROCESS = Kind(1007, "Process Activity", has_source=False)
AUTHENTICATION = Kind(3002, "Authentication")
AUTHORIZE = Kind(3003, "Authorize Session")
ENTITY = Kind(3004, "Entity Management")
ACCESS = Kind(3005, "User Access Management")
LIFECYCLE = Kind(6002, "Application Lifecycle", has_actor=False, has_source=False)
API = Kind(6003, "API Activity")
DATASTORE = Kind(6005, "Datastore Activity")


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of entry as OCSF: class, activity, and what the class wants to know beside what all share."""

    kind: Kind
    activity: int
    details: Details
    severity: int = _INFORMATIONAL
    status: int = _SUCCESS
    activity_name: str = ""  # only where the activity is 99


SHAPES: dict[str, Shape] = {
    e.RequestAsked.TAG: Shape(ENTITY, 1, of.asked),
    e.AskRefused.TAG: Shape(ENTITY, 1, of.refused, _LOW, _FAILURE),
    e.ApprovalGiven.TAG: Shape(ENTITY, 3, of.decided("approved")),
    e.RequestApproved.TAG: Shape(ENTITY, 3, of.request),
    e.RequestDenied.TAG: Shape(ENTITY, 3, of.decided("denied")),
    e.RequestCancelled.TAG: Shape(ENTITY, 3, of.request),
    e.RequestExpired.TAG: Shape(ENTITY, 3, of.request),
    e.RequestReminded.TAG: Shape(ENTITY, 3, of.request),
    e.RequestEscalated.TAG: Shape(ENTITY, 3, of.request),
    e.CommentMade.TAG: Shape(ENTITY, 3, of.commented),
    e.GlassBroken.TAG: Shape(ENTITY, 3, of.decided("allowed to break the glass"), _HIGH),
    e.ActRefused.TAG: Shape(ENTITY, 3, of.request, _LOW, _FAILURE),
    e.GrantActive.TAG: Shape(ACCESS, 1, of.grant),
    e.GrantFailed.TAG: Shape(ACCESS, 1, of.grant, _LOW, _FAILURE),
    e.GrantQuarantined.TAG: Shape(ACCESS, 1, of.grant, _MEDIUM, _UNSETTLED),
    e.HandlePrepared.TAG: Shape(ACCESS, 1, of.grant),
    e.CredentialIntended.TAG: Shape(AUTHORIZE, 1, of.credential, status=_UNSETTLED),
    e.CredentialIssued.TAG: Shape(AUTHORIZE, 1, of.credential),
    e.CredentialAborted.TAG: Shape(AUTHORIZE, 1, of.credential, _LOW, _FAILURE),
    e.CredentialDied.TAG: Shape(AUTHORIZE, OTHER, of.died, _MEDIUM, activity_name="Gone"),
    e.GrantStarted.TAG: Shape(ACCESS, 1, of.grant),
    e.GrantExpiring.TAG: Shape(ACCESS, 1, of.grant),
    e.GrantExtended.TAG: Shape(ACCESS, 1, of.grant),
    e.GrantEnding.TAG: Shape(ACCESS, 2, of.grant, status=_UNSETTLED),
    e.RevocationFailed.TAG: Shape(ACCESS, 2, of.revocation, _MEDIUM, _FAILURE),
    e.GrantEnded.TAG: Shape(ACCESS, 2, of.grant),
    e.ReviewOpened.TAG: Shape(ENTITY, 1, of.request),
    e.ReviewReminded.TAG: Shape(ENTITY, 3, of.request),
    e.ReviewFlagged.TAG: Shape(ENTITY, 3, of.commented, _HIGH),
    e.ReviewClosed.TAG: Shape(ENTITY, 3, of.commented),
    e.LoginCodeShown.TAG: Shape(AUTHENTICATION, 6, of.sign_in),
    e.SignedIn.TAG: Shape(AUTHENTICATION, 1, of.sign_in),
    e.SignedOut.TAG: Shape(AUTHENTICATION, 2, of.sign_in),
    e.PassGiven.TAG: Shape(ACCESS, 1, of.grant),
    e.PassEnded.TAG: Shape(ACCESS, 2, of.grant),
    e.SessionOpened.TAG: Shape(AUTHENTICATION, 1, of.session),
    e.SessionRecorded.TAG: Shape(AUTHENTICATION, OTHER, of.session, activity_name="Recording"),
    e.SessionCut.TAG: Shape(AUTHENTICATION, OTHER, of.session, activity_name="Cut"),
    e.SessionClosed.TAG: Shape(AUTHENTICATION, 2, of.session),
    e.SessionStored.TAG: Shape(AUTHENTICATION, OTHER, of.session, activity_name="Recording stored"),
    e.SessionRemoved.TAG: Shape(AUTHENTICATION, OTHER, of.session, activity_name="Recording removed"),
    e.RecordingErased.TAG: Shape(AUTHENTICATION, OTHER, of.session, _MEDIUM, activity_name="Recording erased"),
    e.StatementHeld.TAG: Shape(AUTHENTICATION, OTHER, of.session, _MEDIUM, _UNSETTLED, "Statement held"),
    e.StatementAllowed.TAG: Shape(AUTHENTICATION, OTHER, of.session, _MEDIUM, activity_name="Statement allowed"),
    e.StatementRefused.TAG: Shape(AUTHENTICATION, OTHER, of.session, _MEDIUM, _FAILURE, "Statement refused"),
    e.QueryRun.TAG: Shape(DATASTORE, 4, of.query),
    e.CommandRun.TAG: Shape(PROCESS, 1, of.command),
    e.FileTouched.TAG: Shape(FILE, OTHER, of.file),  # what was done to the file is in its touches
    e.PolicyLoaded.TAG: Shape(ENTITY, 3, of.policy),
    e.PolicyRefused.TAG: Shape(ENTITY, 3, of.policy_refused, _HIGH, _FAILURE),
    e.MembersSeen.TAG: Shape(ENTITY, 2, of.members),
    e.StraysFound.TAG: Shape(ENTITY, 2, of.strays, _HIGH),
    e.StrayEnding.TAG: Shape(ENTITY, 4, of.strays, _HIGH, _UNSETTLED),
    e.StrayEnded.TAG: Shape(ENTITY, 4, of.strays, _HIGH),
    e.ServerStarted.TAG: Shape(LIFECYCLE, 3, of.server),
    e.ServerStopped.TAG: Shape(LIFECYCLE, 4, of.server),
    e.LogQuiet.TAG: Shape(LIFECYCLE, OTHER, of.server, activity_name="Heartbeat"),
    e.LogKeyUsed.TAG: Shape(ENTITY, 10, of.key),
    e.CopyFailed.TAG: Shape(LIFECYCLE, 4, of.copy, _HIGH, _FAILURE),
    e.CopyRecovered.TAG: Shape(LIFECYCLE, 3, of.copy),
    e.AuditSearched.TAG: Shape(API, 2, of.audit("search")),
    e.AuditExported.TAG: Shape(API, 2, of.audit("export")),
    e.TextErased.TAG: Shape(API, 4, of.audit("erase"), _MEDIUM),
}
