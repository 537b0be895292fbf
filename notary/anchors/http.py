"""One HTTP exchange with an anchor: a deadline, a bound on the answer, no redirects, nothing from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

from access.errors import Unavailable

_PATIENCE = 15.0  # seconds, for the whole exchange
_LONGEST = 1 << 20  # bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """Whatever the status."""

    status: int
    body: bytes
    kind: str  # its content type, without parameters


async def get(url: str) -> Answer:
    """Raises Unavailable when nothing whole comes back."""
    return await _exchange("GET", url, b"", {})


async def post(url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Raises Unavailable when nothing whole comes back."""
    return await _exchange("POST", url, body, headers)


async def _exchange(method: str, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    patience = aiohttp.ClientTimeout(total=_PATIENCE)
    try:
        async with (
            aiohttp.ClientSession(timeout=patience) as session,
            session.request(method, url, data=body or None, headers=headers, allow_redirects=False) as response,
        ):
            answer = await _read(response.content)
            return Answer(response.status, answer, response.content_type)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Unavailable(f"It cannot be reached ({type(error).__name__}).") from error


async def _read(stream: aiohttp.StreamReader) -> bytes:
    answer = bytearray()
    async for part in stream.iter_any():
        answer += part
        if len(answer) > _LONGEST:
            raise Unavailable("Its answer is longer than any that was expected.")
    return bytes(answer)
