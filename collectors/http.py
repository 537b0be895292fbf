"""HTTP: a batch is one POST of a JSON array, gzipped. 2xx is the only answer that means it has arrived."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import aiohttp

from access.secret import Secret
from collectors.collector import CollectorDown, CollectorRefused, Message

_NOT_NOW = frozenset({408, 425, 429, 500, 502, 503, 504})
_TOO_LARGE = 413
_LONGEST_PAUSE = 3600.0  # seconds: however long the other side asks for
_TIMES = aiohttp.ClientTimeout(total=30, connect=10)

ReadToken = Callable[[], Secret]  # raises CollectorRefused


@dataclass
class HttpCollector:
    """`token` is read anew for every batch, so that it can be changed without a restart."""

    name: str
    url: str = field(repr=False)  # its path or query can be a secret
    token: ReadToken | None = None
    tls: ssl.SSLContext | None = None
    times: aiohttp.ClientTimeout = _TIMES
    _session: aiohttp.ClientSession | None = field(default=None, repr=False)

    async def send(self, batch: Sequence[Message]) -> None:
        """In one request, or in halves where the other side calls it too large."""
        status, retry_after = await self._post(batch)
        if status == _TOO_LARGE and len(batch) > 1:
            await self.send(batch[: len(batch) // 2])
            await self.send(batch[len(batch) // 2 :])
        elif status in _NOT_NOW:
            raise CollectorDown(f"{self.name} answered {status}.", retry_after=retry_after)
        elif not 200 <= status < 300:
            raise CollectorRefused(
                f"{self.name} answered {status} to the entries {_span(batch)}: it does not take them."
            )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _post(self, batch: Sequence[Message]) -> tuple[int, float]:
        """The status, and the seconds that the other side wants us to wait. Raises CollectorDown, CollectorRefused."""
        body = await asyncio.to_thread(_packed, batch)
        headers = {**self._headers(), "Idempotency-Key": f'"{batch[0].leaf}-{len(batch)}"'}
        try:
            async with self._open().post(self.url, data=body, headers=headers, allow_redirects=False) as answer:
                return answer.status, _seconds(answer.headers.get("Retry-After", ""))
        except aiohttp.ClientConnectorCertificateError as error:
            raise CollectorRefused(f"{self.name} shows a certificate that is not trusted.") from error
        except TimeoutError:
            raise CollectorDown(f"{self.name} did not answer in time.") from None
        except (aiohttp.ClientError, OSError) as error:
            raise CollectorDown(f"{self.name} cannot be reached, or broke off: {type(error).__name__}.") from error

    def _headers(self) -> dict[str, str]:
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", "User-Agent": "prodaccess"}
        return headers | ({"Authorization": f"Bearer {self.token().reveal()['token']}"} if self.token else {})

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            # a connection kept open may be closed by the other side just as it is used: that would leave a doubt
            connector = aiohttp.TCPConnector(ssl=self.tls or True, force_close=True)
            self._session = aiohttp.ClientSession(connector=connector, timeout=self.times)
        return self._session


def _packed(batch: Sequence[Message]) -> bytes:
    return gzip.compress(b"[" + b",\n".join(message.body for message in batch) + b"]", compresslevel=5, mtime=0)


def _span(batch: Sequence[Message]) -> str:
    return f"{batch[0].seq} to {batch[-1].seq}"


def _seconds(value: str) -> float:
    """`Retry-After` (RFC 9110 §10.2.3): seconds or a date; 0 when there is none that can be read."""
    if value.strip().isdigit():
        return min(float(value), _LONGEST_PAUSE)
    try:
        until = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return 0.0
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return min(max(0.0, (aware - datetime.now(UTC)).total_seconds()), _LONGEST_PAUSE)
