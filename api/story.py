"""One audit entry as one sentence, without times: those stand beside it, in the reader's own zone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from datetime import datetime, timedelta
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
}
_ENVELOPE = ("at", "ref", "by")


def tell(event: Event) -> str:
    """What happened; the tag itself for an event that has no sentence."""
    sentence = _SENTENCES.get(type(event))
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
    return f"{_who(e)} asked for {e.target} · {e.role} for {in_words(e.duration)}{ticket}: {e.reason}"


def _ended(e: events.GrantEnded) -> str:
    issued = f"{e.credentials} credential{'' if e.credentials == 1 else 's'} issued"
    return " ".join([f"ended; {issued}.", *e.proof])


def _retry(e: events.RevocationFailed) -> str:
    return f"not yet proven gone after {e.tries} tries, going on: {e.why}"


_SENTENCES: dict[type[Event], Callable[[Any], str]] = {
    events.RequestAsked: _asked,
    events.ApprovalGiven: lambda e: f"{_who(e)} approved ({e.count} of {e.needed})",
    events.RequestApproved: lambda e: "approved; the grant is being opened",  # noqa: ARG005  one shape for all
    events.RequestDenied: lambda e: f"{_who(e)} denied it: {e.reason}",
    events.RequestCancelled: lambda e: f"{_who(e)} took it back",
    events.RequestExpired: lambda e: "nobody decided in time",  # noqa: ARG005
    events.ActRefused: lambda e: f"{_who(e)} could not {e.act}: {e.why}",
    events.GrantActive: lambda e: f"active. {e.promise}",
    events.GrantFailed: lambda e: f"could not be opened: {e.why}",
    events.GrantQuarantined: lambda e: f"being looked into before anything else: {e.why}",
    events.HandlePrepared: lambda e: f"prepared again at the provider (attempt {e.attempt})",
    events.CredentialIntended: lambda e: f"credential {e.n} called for by {_who(e)} on {e.host} ({e.address})",
    events.CredentialIssued: lambda e: f"credential {e.n} issued to {_who(e)} on {e.host} ({e.address}): {e.public_id}",
    events.CredentialAborted: lambda e: f"credential {e.n} was not handed over: {e.why}",
    events.GrantEnding: lambda e: f"ending: {_CAUSES.get(e.cause, e.cause)}",
    events.RevocationFailed: _retry,
    events.GrantEnded: _ended,
}
