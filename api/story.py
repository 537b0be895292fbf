"""One audit entry as one sentence, without times: those stand beside it, in the reader's own zone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from access import events
from access.duration import in_words
from access.events import Event
from access.model import Cause, Person

_CAUSES: dict[str, str] = {
    Cause.DEADLINE: "its deadline came",
    Cause.REQUESTER: "its requester is done",
    Cause.APPROVER: "an approver ended it",
    Cause.ADMIN: "an admin ended it",
    Cause.LOST_RIGHT: "its requester may no longer have it",
    Cause.UNFINISHED: "its opening never finished",
    Cause.NOT_USED: "it was not used in time",
}
_ENVELOPE = ("at", "ref", "by")


def tell(event: Event) -> str:
    """What happened, and who did it; the tag itself for an event that has no sentence."""
    return f"{_who(event)} {did(event)}" if type(event) in _PEOPLE_DID else did(event)


def did(event: Event) -> str:
    """The same without who did it, for where that stands beside it."""
    sentence = _PEOPLE_DID.get(type(event)) or _HAPPENED.get(type(event))
    return sentence(event) if sentence else event.TAG


def facts(event: Event) -> dict[str, Any]:
    """The event's own fields as plain data: durations in seconds, times in RFC 3339, people by name."""
    own = (field.name for field in dataclasses.fields(event) if field.name not in _ENVELOPE)
    return {name: _plain(getattr(event, name)) for name in own}


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case timedelta():
            return round(value.total_seconds())
        case Person():
            return value.name
        case tuple():
            return [_plain(item) for item in value]
    return value


def _who(event: Event) -> str:
    return event.by.name if event.by else "prodaccess"


def _asked(e: events.RequestAsked) -> str:
    ticket = f", {e.ticket}" if e.ticket else ""
    return f"asked for {e.target} · {e.role} for {in_words(e.duration)}{ticket}: {e.reason}"


def _given(e: events.ApprovalGiven) -> str:
    limit = f", for at most {in_words(e.shorter)}" if e.shorter else ""
    return f"approved ({e.count} of {e.needed}){limit}"


def _reminded(e: events.RequestReminded) -> str:
    if not e.to:
        return f"nobody can decide it: {e.why}"
    return f"called {_count(len(e.to), 'person', 'people')} again"


def _approved(e: events.RequestApproved) -> str:
    how = "approved" if e.approvers else "approved by its rule, nobody was asked"
    return f"{how}; the grant is being opened"


def _glass(e: events.GlassBroken) -> str:
    known = "; Slack did not answer, so the terminal's sign-in said who it was" if e.identity == "device" else ""
    return f"broke the glass: access without approval{known}"


def _flagged(e: events.ReviewFlagged) -> str:
    return f"flagged it: {e.text}"


def _reviewed(e: events.ReviewClosed) -> str:
    return f"reviewed it{f': {e.text}' if e.text else ''}"


def _review_opened(e: events.ReviewOpened) -> str:
    why = "the glass was broken" if e.why == "break_glass" else "its rule wants it"
    return f"to be reviewed by somebody else: {why}"


def _ended(e: events.GrantEnded) -> str:
    late = [f"Over since {_time(e.happened_at)}: the database was away."] if e.happened_at else []
    return " ".join([f"ended; {_count(e.credentials, 'credential')} issued.", *late, *e.proof])


def _retry(e: events.RevocationFailed) -> str:
    return f"not yet proven gone after {e.tries} tries, going on: {e.why}"


def _query(e: events.QueryRun) -> str:
    rows = "" if e.rows is None else f", {_count(e.rows, 'row')}"
    values = f" with {e.values}" if e.values else ""
    return f"{_touched(e.touches, e.coverage)}{rows}{'' if e.outcome == 'ok' else f', {e.outcome}'}: {e.text}{values}"


def _command(e: events.CommandRun) -> str:
    exit_code = f", exit code {e.exit_code}" if e.exit_code else ""
    return f"ran {e.program} on {e.host}{exit_code} ({_touched(e.touches, e.coverage)}): {e.text}"


def _file(e: events.FileTouched) -> str:
    size = "" if e.size is None else f", {_count(e.size, 'byte')}"
    return f"{_touched(e.touches, e.coverage)} on {e.host}{size}"


def _touched(touches: tuple[str, ...], coverage: str) -> str:
    """`read table:public.orders`; what is not known to be all of it says so."""
    known = ", ".join(touches)
    if coverage == "full":
        return known or "touched nothing"
    return f"{known} and perhaps more" if known else "touched what cannot be told"


def _erased(e: events.TextErased) -> str:
    return f"erased {' and '.join(e.fields)} of entry {e.seq}: {e.why}"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _count(number: int, what: str, several: str = "") -> str:
    return f"{number} {what if number == 1 else several or f'{what}s'}"


_PEOPLE_DID: dict[type[Event], Callable[[Any], str]] = {
    events.RequestAsked: _asked,
    events.ApprovalGiven: _given,
    events.CommentMade: lambda e: f"commented: {e.text}",
    events.RequestDenied: lambda e: f"denied it: {e.reason}",
    events.RequestCancelled: lambda e: f"closed it: {e.why}" if e.why else "took it back",
    events.ActRefused: lambda e: f"could not {e.act}: {e.why}",
    events.CredentialIntended: lambda e: f"called for credential {e.n} on {e.host} ({e.address})",
    events.CredentialIssued: lambda e: f"was issued credential {e.n} on {e.host} ({e.address}): {e.public_id}",
    events.GrantStarted: lambda e: f"used it for the first time; it runs until {_time(e.expires_at)}",
    events.PassEnded: lambda e: f"has no more use for the pass {e.name}",
    events.PassGiven: lambda e: f"got the pass {e.name} for the {e.gateway} gateway on {e.host} ({e.address})",
    events.SessionCut: lambda e: f"cut session {e.session}",
    events.RecordingErased: lambda e: f"destroyed the key of {e.session}'s recording: {e.why}",
    events.SessionOpened: lambda e: f"connected to {e.target} on {e.host} from {e.address} ({e.gateway} {e.session})",
    events.StatementHeld: lambda e: f"wanted to run {e.held} ({', '.join(e.flags)}), which has to be let run: {e.text}",
    events.StatementAllowed: lambda e: f"let {e.held} run",
    events.QueryRun: _query,
    events.CommandRun: _command,
    events.FileTouched: _file,
    events.TextErased: _erased,
    events.GlassBroken: _glass,
    events.ReviewFlagged: _flagged,
    events.ReviewClosed: _reviewed,
}
_HAPPENED: dict[type[Event], Callable[[Any], str]] = {
    events.RequestApproved: _approved,
    events.RequestExpired: lambda _: "nobody decided in time",
    events.RequestReminded: _reminded,
    events.RequestEscalated: lambda e: f"asked {_count(len(e.to), 'more person', 'more people')}: {e.why}",
    events.GrantActive: lambda e: f"active. {e.promise}",
    events.GrantExpiring: lambda e: f"ends soon: at {_time(e.expires_at)}",
    events.GrantExtended: lambda e: f"extended by {e.extension} from {_time(e.was)} to {_time(e.expires_at)}",
    events.GrantFailed: lambda e: f"could not be opened: {e.why}",
    events.GrantQuarantined: lambda e: f"being looked into before anything else: {e.why}",
    events.HandlePrepared: lambda e: f"prepared again at the provider (attempt {e.attempt})",
    events.CredentialAborted: lambda e: f"credential {e.n} was not handed over: {e.why}",
    events.CredentialDied: lambda e: f"credential {e.n} ({e.public_id}) was gone before its time: {e.why}",
    events.SessionRecorded: lambda e: f"session {e.session}: {_count(e.actions, 'action')} recorded so far",
    events.SessionStored: lambda e: f"recording of {e.session} stored at {e.place}, locked until {_time(e.until)}",
    events.SessionRemoved: lambda e: f"recording of {e.session} removed from its gateway's disk",
    events.StatementRefused: lambda e: f"{e.held} was not run: {e.why}",
    events.SessionClosed: lambda e: f"session {e.session} closed after {_count(e.actions, 'action')}: {e.why}",
    events.GrantEnding: lambda e: f"ending: {_CAUSES.get(e.cause, e.cause)}",
    events.RevocationFailed: _retry,
    events.GrantEnded: _ended,
    events.ReviewOpened: _review_opened,
    events.ReviewReminded: lambda _: "still to be reviewed",
}
