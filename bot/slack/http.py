"""Slack's signed requests over HTTP, for whoever does not use Socket Mode."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from slack_bolt.adapter.asgi.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp

PATH = "/slack/events"
_MOST = 1_000_000  # bytes; a submitted form with everything in it stays under 300 kB

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


def bolt_asgi(app: AsyncApp) -> Asgi:
    """An ASGI application that takes Slack's requests at `PATH`; Bolt checks signature and age (300 s)."""
    bolt = AsyncSlackRequestHandler(app, path=PATH)

    async def limited(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not 0 <= _length(scope) <= _MOST:
            return await _refuse(send, 413)
        try:
            await bolt(dict(scope), receive, send)
        except ValueError:  # Bolt reads the body before it looks at the signature
            await _refuse(send, 400)

    return limited


async def _refuse(send: Send, status: int) -> None:
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def _length(scope: Scope) -> int:
    """The announced length of the body; -1 for a body of unannounced length, which Slack never sends."""
    headers = {bytes(name).lower(): bytes(value) for name, value in scope.get("headers") or ()}
    if b"transfer-encoding" in headers:
        return -1
    text = headers.get(b"content-length", b"0").decode("latin-1")
    return int(text) if text.isdigit() else -1
