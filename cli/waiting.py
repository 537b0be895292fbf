"""Waiting for a decision: one line on the terminal that disappears, and each approval as it comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

from .duration import in_words
from .exits import Unreachable
from .output import Progress, at, safe, say
from .telling import Request, who_decides

if TYPE_CHECKING:
    from .credentials.credential import Credential
    from .server.api import Api

_Seen = TypeVar("_Seen")
_OPEN = ("pending", "issuing", "quarantine")
_PATIENCE = 300.0  # seconds without a server before giving up
_PAUSE = 2.0


def until_decided(api: Api, request: Request) -> Request:
    """The request once it is active or over. A server that is away for a moment is waited for."""

    def look(request: Request) -> Request:
        return api.changed(request["ref"], request["mark"])

    with _patience(request) as waiting:
        while request["state"] in _OPEN:
            request = waiting.next(look, request)
    return request


def until_collected(api: Api, request: Request) -> Credential:
    """The credential, as soon as the request is approved: the call that waits is the call that collects."""

    def look(request: Request) -> Request:
        return api.collect_once_approved(request["ref"], request["mark"])

    with _patience(request) as waiting:
        answer = request
        while "secret" not in answer:
            answer = waiting.next(look, answer)
    return answer


class _Waiting:
    """The line that says what is waited for, and what was said already."""

    def __init__(self) -> None:
        self.progress = Progress()
        self._said = 0

    def next(self, look: Callable[[Request], Request], request: Request) -> Request:
        self.progress.show(_line(request))
        answer = insist(lambda: look(request), request["ref"], self.progress)
        self.progress.clear()
        if "votes" in answer:
            self._say_votes(answer)
        return answer

    def _say_votes(self, request: Request) -> None:
        for vote in request["votes"][self._said :]:
            limit = f", for at most {in_words(vote['shorter'])}" if vote.get("shorter") else ""
            say(f"approved by {safe(vote['by'])} {at(vote['at'])}{limit}")
        self._said = len(request["votes"])


@contextmanager
def _patience(request: Request) -> Iterator[_Waiting]:
    waiting = _Waiting()
    try:
        yield waiting
    except KeyboardInterrupt:
        waiting.progress.clear()
        say(f"{request['ref']} goes on waiting. Take it back: prodaccess end {request['ref']}")
        raise
    finally:
        waiting.progress.clear()


def _line(request: Request) -> str:
    if request["state"] != "pending":
        return f"{request['ref']}: approved; it is being opened …"
    given, needed = len(request["votes"]), request["approvals_needed"]
    return f"{request['ref']}: {given} of {needed} approved; {who_decides(request)} …"


def insist(look: Callable[[], _Seen], name: str, progress: Progress) -> _Seen:
    """What it sees, however often the server has to be asked. Raises Unreachable once it is away for too long."""
    give_up = time.monotonic() + _PATIENCE
    while True:
        try:
            return look()
        except Unreachable:
            if time.monotonic() > give_up:
                raise
            progress.show(f"{name}: the server does not answer; trying again …")
            time.sleep(_PAUSE)
