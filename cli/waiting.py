"""Waiting for a decision: one line on the terminal that disappears, and each approval as it comes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from .exits import Unreachable
from .output import Progress, at, safe, say
from .telling import Request, who_decides

if TYPE_CHECKING:
    from .api import Api

_OPEN = ("pending", "issuing", "quarantine")
_PATIENCE = 300.0  # seconds without a server before giving up
_PAUSE = 2.0


def until_decided(api: Api, request: Request) -> Request:
    """The request once it is active or over. A server that is away for a moment is waited for."""
    return _while_in(_OPEN, api, request)


def until_approved(api: Api, request: Request) -> Request:
    """The same, but not waiting for the opening: collecting waits for it, and saves a call."""
    return _while_in(("pending",), api, request)


def _while_in(states: tuple[str, ...], api: Api, request: Request) -> Request:
    progress, said = Progress(), 0
    try:
        while request["state"] in states:
            progress.show(_line(request))
            request = _next(api, request, progress)
            progress.clear()
            said = _say_votes(request, said)
    except KeyboardInterrupt:
        progress.clear()
        say(f"{request['ref']} goes on waiting. Take it back: prodaccess end {request['ref']}")
        raise
    finally:
        progress.clear()
    return request


def _line(request: Request) -> str:
    if request["state"] != "pending":
        return f"{request['ref']}: approved; it is being opened …"
    given, needed = len(request["votes"]), request["approvals_needed"]
    return f"{request['ref']}: {given} of {needed} approved; {who_decides(request)} …"


def _next(api: Api, request: Request, progress: Progress) -> Request:
    give_up = time.monotonic() + _PATIENCE
    while True:
        try:
            return api.changed(request["ref"], request["mark"])
        except Unreachable:
            if time.monotonic() > give_up:
                raise
            progress.show(f"{request['ref']}: the server does not answer; trying again …")
            time.sleep(_PAUSE)


def _say_votes(request: Request, said: int) -> int:
    for vote in request["votes"][said:]:
        say(f"approved by {safe(vote['by'])} {at(vote['at'])}")
    return len(request["votes"])
