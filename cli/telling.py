"""A request, in words."""

from __future__ import annotations

from typing import Any

from .duration import in_words, short
from .output import at, safe, state_name

Request = dict[str, Any]


def what(request: Request) -> str:
    """`orders-db · write`."""
    return f"{safe(request['target'])} · {safe(request['role'])}"


def who_decides(request: Request) -> str:
    """`ada or grace can approve`; what is still missing, when something is there already."""
    names = [safe(name) for name in request["deciders"]]
    if not names:
        return "nobody can approve it at the moment"
    given, needed = len(request["votes"]), request["approvals_needed"]
    if needed - given > 1:
        return f"it needs {needed - given} of {', '.join(names)}"
    return f"{' or '.join([', '.join(names[:-1]), names[-1]] if names[1:] else names)} can approve"


def status(request: Request) -> str:
    """Where it stands, until when, and who did it."""
    return _grant_status(request) if request["grant"] else _request_status(request)


def _request_status(request: Request) -> str:
    match request["state"]:
        case "pending":
            return f"waiting: {len(request['votes'])} of {request['approvals_needed']} approved; {who_decides(request)}"
        case "denied":
            return f"denied by {_decider(request)}: {safe(request['note'])}"
        case "cancelled":
            return safe(request["note"]) or f"taken back by {_decider(request)}"
        case "approved" if request["extends"]:
            return f"approved: {safe(request['extends'])} has its new end"
        case "expired":
            return "lapsed: nobody decided in time"
    return state_of(request)


def _grant_status(request: Request) -> str:
    grant = request["grant"]
    match request["state"]:
        case "issuing" | "quarantine":
            return "approved; it is being opened"
        case "active":
            return _active(grant)
        case "revoking":
            return "ending: not yet proven gone; that goes on by itself"
        case "revoked":
            later = f"; dead by {at(grant['effective_by'])} at the latest" if grant["effective_by"] else ""
            return f"ended {at(grant['ended_at'])}{_ender(grant)}{later}"
        case "failed":
            return f"could not be opened; prodaccess show {request['ref']} says why"
    return state_of(request)


def _active(grant: dict[str, Any]) -> str:
    until = at(grant["expires_at"])
    if grant["started_at"] is None:
        return f"ready: {in_words(grant['duration'])} from the first use, which must come by {until}"
    return f"active until {until} ({in_words(grant['expires_in'])} left)"


def _decider(request: Request) -> str:
    return safe(request["decided_by"] or "nobody")


def _ender(grant: dict[str, Any]) -> str:
    return f" by {safe(grant['ended_by'])}" if grant["ended_by"] else ""


def left(request: Request) -> str:
    """Time left, for a table."""
    return short(request["grant"]["expires_in"]) if request["state"] == "active" else ""


def state_of(request: Request) -> str:
    """The state, as people say it."""
    return state_name(request["state"])


def how_to_use(request: Request) -> str:
    """The command that does."""
    if request.get("gateway") == "ssh":
        return f"prodaccess ssh {request['ref']}"
    verb = "connect" if request.get("gateway") else "run"
    return f"prodaccess {verb} {request['ref']} -- COMMAND"
