"""The outermost layer: bounds the body, answers faults of ours, counts and logs each call.

The log line has method, route and status. It never has headers or bodies: those hold tokens and codes.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from access.errors import AccessError
from api.meters import Meters
from api.problems import TooLarge, TooSlow, answer, answer_unexpected

log = logging.getLogger("api.access")

MOST_BYTES = 64 * 1024
BODY_SECONDS = 10.0


class _Gone(Exception):
    """The client hung up before its body was complete."""


@dataclass
class _Outcome:
    status: int = 499  # nginx's number for a client that went away
    started: bool = False


class Front:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, meters: Meters) -> None:
        self._app = app
        self._meters = meters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        outcome, since = _Outcome(), time.perf_counter()

        async def watch(message: Message) -> None:
            if message["type"] == "http.response.start":
                outcome.status, outcome.started = message["status"], True
            await send(message)

        try:
            await self._serve(scope, receive, watch, outcome)
        finally:
            self._note(scope, outcome, time.perf_counter() - since)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, outcome: _Outcome) -> None:
        try:
            body = await _whole_body(scope, receive)
            await self._app(scope, _replay(body, receive), send)
        except _Gone:
            return
        except AccessError as error:
            await answer(error)(scope, receive, send)
        except Exception as error:
            response = answer_unexpected(f"{scope['method']} {_route(scope)}", error)
            if not outcome.started:
                await response(scope, receive, send)

    def _note(self, scope: Scope, outcome: _Outcome, seconds: float) -> None:
        route = _route(scope)
        self._meters.requests.labels(scope["method"], route, outcome.status).inc()
        fields = {"action": f"{scope['method']} {route}", "status": outcome.status, "ms": round(seconds * 1000)}
        log.info("%s %s %d", scope["method"], route, outcome.status, extra=fields)


def _route(scope: Scope) -> str:
    """The route's template: a path itself would make a metric of its own."""
    return str(getattr(scope.get("route"), "path", "unmatched"))


async def _whole_body(scope: Scope, receive: Receive) -> bytes:
    declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    too_large = TooLarge(f"A body may have at most {MOST_BYTES // 1024} KiB.")
    if not declared.isdigit() or int(declared) > MOST_BYTES:
        raise too_large
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _Gone
                body += message.get("body", b"")
                if len(body) > MOST_BYTES:
                    raise too_large
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise TooSlow("The body did not arrive in time.") from None


def _replay(body: bytes, receive: Receive) -> Receive:
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return pending.pop() if pending else await receive()

    return replay
