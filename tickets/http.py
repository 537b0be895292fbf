"""Asking a vendor's REST API for one JSON document: within a time limit, with one retry, at no other host.

1. the address is built from the settings; what people type becomes a path's last part at most, and only if it fits
2. nothing but GET, no cookies, no compressed answers (a small one can unpack to gigabytes), at most `LARGEST` bytes
3. a redirect is followed within the same origin only: the token goes to nobody else
4. 429 and 5xx are asked once more, after the pause that the answer names if that is short
"""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import aiohttp
import msgspec
from yarl import URL

from access.errors import NotFound, Unavailable
from access.secret import Secret

T = TypeVar("T")
Query = Sequence[tuple[str, str]]
SignIn = Callable[[], Secret]  # header names -> values, read anew for each request; raises OSError

LARGEST = 1 << 20  # bytes
LONGEST_PAUSE = 2.0  # seconds: somebody is waiting for us
PAUSE = 0.25  # seconds, where the answer names none
_HOPS = 2
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


def bearer(token: str) -> Secret:
    """The headers that sign in with a token (RFC 6750)."""
    return Secret({"Authorization": f"Bearer {token}"})


def basic(user: str, password: str) -> Secret:
    """The headers that sign in with a name and a password or API token (RFC 7617)."""
    both = base64.b64encode(f"{user}:{password}".encode()).decode()
    return Secret({"Authorization": f"Basic {both}"})


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, before anybody believes it."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Rest:
    """One API. `base` has no slash at its end; plain http is taken for this machine alone. Raises ValueError.

    `sign_in_with` names the settings that hold our token, for the sentence that tells an admin what to look at.
    """

    name: str
    base: str
    sign_in: SignIn = field(repr=False)
    sign_in_with: str
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 3.0  # seconds, for each of at most two tries
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    proxy: str | None = field(default=None, repr=False)  # can hold a password
    _session: aiohttp.ClientSession | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        url = URL(self.base)
        if url.scheme != "https" and not (url.scheme == "http" and url.host in _LOCAL):
            raise ValueError(f"The address of {self.name} begins with https://, for a token is sent there.")
        if url.user or url.password or url.query_string or url.fragment or self.base.endswith("/"):
            raise ValueError(f"The address of {self.name} is https://HOST or https://HOST/PATH, and no more.")

    async def get(self, path: str, query: Query, shape: type[T]) -> T:
        """The document below `base`, as a `shape` that msgspec knows. Raises NotFound, Unavailable."""
        answer = await self._ask_within_reason(URL(self.base + path).with_query(query))
        if answer.status in (404, 410) and not _signed_out(answer):
            raise NotFound(f"{self.name} has nothing there that it shows to prodaccess.")
        if answer.status != 200:
            raise Unavailable(self._what_is_wrong(answer))
        try:
            return msgspec.json.decode(answer.body, type=shape)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise Unavailable(f"{self.name} answers something else than expected: {self._look_at_address()}") from None

    async def close(self) -> None:
        """Let go of connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _ask_within_reason(self, url: URL) -> Answer:
        """Asked, and asked once more where that may help. Raises Unavailable."""
        answer = await self._ask(url)
        pause = _pause(answer)
        if not _is_passing(answer) or pause > LONGEST_PAUSE:
            return answer
        await asyncio.sleep(pause)
        return await self._ask(url)

    async def _ask(self, url: URL) -> Answer:
        headers = {"User-Agent": "prodaccess", "Accept-Encoding": "identity", **self.headers, **self._signed_in()}
        try:
            async with asyncio.timeout(self.timeout):
                return await self._follow(url, headers)
        except TimeoutError:
            raise Unavailable(f"{self.name} did not answer in time. Try again in a moment.") from None
        except aiohttp.ClientConnectorCertificateError:
            raise Unavailable(f"{self.name} shows a certificate that is not trusted. Tell an admin.") from None
        except (aiohttp.ClientError, OSError, ValueError):  # ValueError: sent on to what is no address
            raise Unavailable(f"{self.name} cannot be reached. Try again in a moment.") from None

    def _signed_in(self) -> Mapping[str, str]:
        """Raises Unavailable for a token whose file is gone, or which no header can hold."""
        headers: Mapping[str, str] = {}
        with suppress(OSError, ValueError):
            headers = self.sign_in().reveal()
        if headers and all(value.isascii() and value.isprintable() for value in headers.values()):
            return headers
        raise Unavailable(
            f"prodaccess's token for {self.name} cannot be read. Ask an admin to check {self.sign_in_with}."
        )

    async def _follow(self, url: URL, headers: Mapping[str, str]) -> Answer:
        """Raises Unavailable where the way leads to another host, or in circles."""
        for _ in range(_HOPS + 1):
            answer = await self._fetch(url, headers)
            if answer.status not in _REDIRECTS:
                return answer
            there = url.join(URL(answer.headers.get("Location", "")))
            if there.origin() != url.origin():
                raise Unavailable(f"{self.name} sends us to another host, where our token does not go: "
                                  f"{self._look_at_address()}")  # fmt: skip
            url = there.with_user(None)
        raise Unavailable(f"{self.name} sends us in circles: {self._look_at_address()}")

    async def _fetch(self, url: URL, headers: Mapping[str, str]) -> Answer:
        asked = self._open().get(url, headers=headers, allow_redirects=False, proxy=self.proxy)
        async with asked as answer:
            body = bytearray()
            async for chunk in answer.content.iter_chunked(1 << 16):
                body += chunk
                if len(body) > LARGEST:
                    raise Unavailable(f"{self.name} answers far more than expected: {self._look_at_address()}")
            return Answer(answer.status, answer.headers.copy(), bytes(body))

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=self.tls or True)
            jar = aiohttp.DummyCookieJar()
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=jar, auto_decompress=False)
        return self._session

    def _what_is_wrong(self, answer: Answer) -> str:
        if _is_limit(answer):
            return f"{self.name} takes no more questions for now (too many requests). Try again in a minute."
        if answer.status == 401 or _signed_out(answer):
            return f"{self.name} does not take prodaccess's token. Ask an admin to renew it: {self.sign_in_with}."
        if answer.status == 403:
            return (
                f"{self.name} does not let prodaccess look there. "
                f"Ask an admin to give the token of {self.sign_in_with} the right to read."
            )
        if answer.status >= 500:
            return f"{self.name} is out of order ({answer.status}). Try again in a moment."
        return f"{self.name} answers {answer.status}: {self._look_at_address()}"

    def _look_at_address(self) -> str:
        return f"ask an admin whether {self.base} is its address."


def _is_limit(answer: Answer) -> bool:
    """GitHub says 403 where others say 429."""
    spent = answer.headers.get("X-RateLimit-Remaining") == "0" or "Retry-After" in answer.headers
    return answer.status == 429 or (answer.status == 403 and spent)


def _is_passing(answer: Answer) -> bool:
    return answer.status >= 500 or _is_limit(answer)


def _signed_out(answer: Answer) -> bool:
    """Jira takes a bad token for nobody's, and then says 404; the reason is in this header alone."""
    reason = answer.headers.get("X-Seraph-LoginReason", "")
    return "FAILED" in reason or "DENIED" in reason


def _pause(answer: Answer) -> float:
    """Seconds; a date (RFC 9110 §10.2.3) is further away than we would wait."""
    said = answer.headers.get("Retry-After", "").strip()
    if not said:
        return PAUSE
    return float(said) if said.isascii() and said.isdigit() and len(said) < 9 else LONGEST_PAUSE + 1
