"""Answers that last: whoever gets one has to be somebody who may see it to its end, and not only at its beginning."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from access.errors import AccessError
from access.model import Device, Person
from api.parts import ApiParts

EVERY = 3.0  # seconds
_PIECE = 64 * 1024  # bytes that are read, and sent, at once

Still = Callable[[], Awaitable[object]]


async def still_admitted(parts: ApiParts, device: Device) -> Person:
    """Who is signed in there, as they are now. Raises Refused, Unavailable."""
    await parts.sign_ins.must_be_signed_in(device)
    return await parts.people.check(device.person)


async def while_allowed(lines: Iterator[bytes], still: Still, form: str, every: float = EVERY) -> AsyncIterator[bytes]:
    """Some lines at a time. Once `still` raises AccessError, that is said in the way of the form, and is the last."""
    asked = time.monotonic()
    while piece := await asyncio.to_thread(_some, lines):
        if time.monotonic() - asked >= every:
            try:
                await still()
            except AccessError as error:
                yield f"# {error}\n".encode() if form == "asciicast" else _broken(error)
                return
            asked = time.monotonic()
        yield piece


def _broken(error: AccessError) -> bytes:
    return json.dumps({"broken": str(error)}, ensure_ascii=False).encode() + b"\n"


def _some(lines: Iterator[bytes]) -> bytes:
    piece = bytearray()
    for line in lines:
        piece += line
        if len(piece) >= _PIECE:
            break
    return bytes(piece)
