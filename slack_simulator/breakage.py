"""What a client gets instead of an answer when a fault strikes."""

import asyncio
import json
from collections.abc import Callable

from aiohttp import web

from slack_simulator.faults import Fault
from slack_simulator.model import Json
from slack_simulator.sockets import reset


def limited(seconds: int | None) -> web.Response:
    """429, with Retry-After unless None."""
    headers = {} if seconds is None else {"Retry-After": str(seconds)}
    return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)


def _limit(fault: Fault, _answer: Json) -> web.Response:
    return limited(fault.get("retry_after", 1))


def _refusal(fault: Fault, _answer: Json) -> web.Response:
    extra = {k: fault.options[k] for k in ("needed", "provided") if k in fault.options}
    return web.json_response({"ok": False, "error": fault.get("error", "fatal_error"), **extra})


def _garbage(_fault: Fault, _answer: Json) -> web.Response:
    return web.Response(text="<!doctype html><title>not json</title>", content_type="text/html")


def _truncated(_fault: Fault, answer: Json) -> web.Response:
    text = json.dumps(answer)
    return web.Response(text=text[: len(text) // 2], content_type="application/json")


def _status(fault: Fault, _answer: Json) -> web.Response:
    status = int(fault.get("status", 500))
    if fault.get("html", status == 502):
        return web.Response(status=status, text="<html><h1>Bad gateway</h1></html>", content_type="text/html")
    error = "service_unavailable" if status == 503 else "fatal_error"
    return web.json_response({"ok": False, "error": error}, status=status)


_WRONG: dict[str, Callable[[Fault, Json], web.Response]] = {
    "rate_limit": _limit,
    "error": _refusal,
    "status": _status,
    "garbage": _garbage,
    "truncate": _truncated,
}


async def broken(request: web.Request, fault: Fault, answer: Json) -> web.StreamResponse:
    """The answer that a fault leaves over."""
    if fault.do in _WRONG:
        return _WRONG[fault.do](fault, answer)
    if fault.do == "drip":
        return await _drip(request, answer, float(fault.get("seconds", 5)))
    if fault.do == "hang":
        await asyncio.sleep(float(fault.get("seconds", 60)))
    # Hung up, or reset at once.
    if isinstance(request.transport, asyncio.Transport):
        reset(request.transport)
    return web.Response()


async def _drip(request: web.Request, answer: Json, seconds: float) -> web.StreamResponse:
    """The right answer, one byte at a time."""
    text = json.dumps(answer).encode()
    response = web.StreamResponse(headers={"Content-Type": "application/json"})
    await response.prepare(request)
    for byte in text:
        await response.write(bytes([byte]))
        await asyncio.sleep(seconds / len(text))
    return response
