from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from collectors.collector import CollectorDown, CollectorRefused, SpecError
from collectors.http import HttpCollector
from collectors.spec import make_collector, parse_spec
from tests.collectors.ends import certificate_for, free_port, messages


@dataclass
class Far:
    """A collector that answers as it is told; without orders it takes everything."""

    answers: list[web.Response] = field(default_factory=list)
    asked: list[tuple[dict[str, str], Any]] = field(default_factory=list)
    largest: int = 1_000_000
    silent: bool = False
    url: str = ""

    async def take(self, request: web.Request) -> web.Response:
        if self.silent:
            await asyncio.sleep(3600)
        body = await request.read()  # aiohttp has unpacked it
        if len(body) > self.largest:
            return web.Response(status=413)
        if self.answers:
            return self.answers.pop(0)
        self.asked.append((dict(request.headers), json.loads(body)))
        return web.Response(status=202)

    @property
    def seqs(self) -> list[int]:
        return [entry["seq"] for _, batch in self.asked for entry in batch]

    @asynccontextmanager
    async def serving(self, tls: Any = None) -> AsyncIterator[Far]:
        app = web.Application()
        app.router.add_post("/in", self.take)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{port}/in"
        try:
            yield self
        finally:
            await runner.cleanup()


@pytest.fixture
async def far() -> AsyncIterator[Far]:
    async with Far().serving() as served:
        yield served


@pytest.fixture
async def near(far: Far) -> AsyncIterator[HttpCollector]:
    made = make_collector(parse_spec(far.url))
    assert isinstance(made, HttpCollector)
    yield made
    await made.close()


async def test_a_batch_is_one_json_array(far: Far, near: HttpCollector) -> None:
    await near.send(messages(3))
    [(headers, batch)] = far.asked
    assert [entry["seq"] for entry in batch] == [0, 1, 2]
    assert batch[0]["data"]["reason"] == "refunds stuck"
    assert (headers["Content-Type"], headers["Content-Encoding"]) == ("application/json", "gzip")
    assert "Authorization" not in headers
    assert headers["Idempotency-Key"] == f'"{messages(1)[0].leaf}-3"'


async def test_the_token_is_read_anew_and_shown_to_nobody_else(far: Far, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("first\n")
    made = make_collector(parse_spec(f"{far.url}#token-file={path}"))
    await made.send(messages(1))
    path.write_text("second\n")
    await made.send(messages(1))
    assert [headers["Authorization"] for headers, _ in far.asked] == ["Bearer first", "Bearer second"]
    assert "second" not in repr(made)
    path.unlink()
    with pytest.raises(SpecError, match="cannot be read"):
        await made.send(messages(1))
    await made.close()


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_not_now_is_down(far: Far, near: HttpCollector, status: int) -> None:
    far.answers = [web.Response(status=status)]
    with pytest.raises(CollectorDown, match=str(status)) as raised:
        await near.send(messages(1))
    assert raised.value.retry_after == 0


@pytest.mark.parametrize("status", [301, 307, 400, 401, 403, 404, 422])
async def test_a_no_is_refused_and_says_which_entries(far: Far, near: HttpCollector, status: int) -> None:
    far.answers = [web.Response(status=status, headers={"Location": far.url})]
    with pytest.raises(CollectorRefused, match=f"answered {status} to the entries 0 to 2"):
        await near.send(messages(3))
    assert far.asked == []


@pytest.mark.parametrize(
    ("value", "least", "most"),
    [
        ("7", 7, 7),
        (format_datetime(datetime.now(UTC) + timedelta(seconds=3000), usegmt=True), 1000, 3000),
        ("99999999", 3600, 3600),
        (format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True), 0, 0),
        ("soon", 0, 0),
        ("-5", 0, 0),
    ],
    ids=["seconds", "a moment", "too long", "a moment gone by", "a word", "a debt"],
)
async def test_retry_after_is_honoured(far: Far, near: HttpCollector, value: str, least: float, most: float) -> None:
    far.answers = [web.Response(status=429, headers={"Retry-After": value})]
    with pytest.raises(CollectorDown) as raised:
        await near.send(messages(1))
    assert least <= raised.value.retry_after <= most


async def test_what_is_too_large_goes_in_halves_in_order(far: Far, near: HttpCollector) -> None:
    far.largest = 8_000
    sent = messages(40)
    await near.send(sent)
    assert far.seqs == list(range(40))
    assert len(far.asked) > 3


async def test_one_message_that_is_too_large_is_refused(far: Far, near: HttpCollector) -> None:
    far.largest = 10
    with pytest.raises(CollectorRefused, match="413 to the entries 0 to 0"):
        await near.send(messages(2))


async def test_silence_is_down(far: Far) -> None:
    far.silent = True
    made = HttpCollector("x", far.url, times=aiohttp.ClientTimeout(total=0.2))
    with pytest.raises(CollectorDown, match="did not answer in time"):
        await made.send(messages(1))
    await made.close()


async def test_nobody_there_is_down() -> None:
    made = HttpCollector("x", f"http://127.0.0.1:{free_port()}/")
    with pytest.raises(CollectorDown, match="cannot be reached"):
        await made.send(messages(1))
    await made.close()


async def test_a_connection_cut_in_the_middle_is_down() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        writer.transport.abort()

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as server:
        made = HttpCollector("x", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        with pytest.raises(CollectorDown, match="broke off"):
            await made.send(messages(1))
        await made.close()


async def test_https_trusts_the_authority_it_was_given_and_no_other(tmp_path: Path) -> None:
    import ssl

    certificate, key = certificate_for(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    async with Far().serving(tls) as far:
        trusting, not_trusting = (make_collector(parse_spec(f"{far.url}{o}")) for o in (f"#ca={certificate}", ""))
        await trusting.send(messages(2))
        with pytest.raises(CollectorRefused, match="not trusted"):
            await not_trusting.send(messages(2))
        assert far.seqs == [0, 1]
        await trusting.close()
        await not_trusting.close()


def test_the_same_batch_packs_to_the_same_bytes() -> None:
    from collectors.http import _packed

    assert _packed(messages(5)) == _packed(messages(5))
    assert len(json.loads(gzip.decompress(_packed(messages(5))))) == 5
