"""The faults are what they are called: otherwise what is proven with them is proven with nothing."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import pytest

from tests.proving.proxy import Proxy, proxy_to


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, asyncio.CancelledError):
        while piece := await reader.read(1000):
            writer.write(piece)
    writer.close()


@pytest.fixture
async def way() -> AsyncIterator[Proxy]:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    async with server, proxy_to(server.sockets[0].getsockname()[1]) as proxy:
        yield proxy


async def _said(way: Proxy, text: bytes = b"hello", within: float = 2.0) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
    try:
        writer.write(text)
        return await asyncio.wait_for(reader.read(1000), within)
    finally:
        writer.close()


async def test_without_faults_everything_passes(way: Proxy) -> None:
    assert await _said(way) == b"hello"
    assert way.taken == 1


async def test_latency_comes_once_each_way(way: Proxy) -> None:
    way.faults.latency = 0.1
    began = time.monotonic()
    assert await _said(way) == b"hello"
    assert time.monotonic() - began > 0.2


async def test_a_blackhole_takes_everything_until_it_is_over(way: Proxy) -> None:
    way.faults.blackhole = True
    with pytest.raises(TimeoutError):
        await _said(way, within=0.2)
    way.faults.blackhole = False
    assert await _said(way) == b"hello"


@pytest.mark.parametrize("fault", ["reset", "refuse"])
async def test_a_reset_is_one(way: Proxy, fault: str) -> None:
    setattr(way.faults, fault, True)
    with pytest.raises(ConnectionResetError):
        await _said(way)


async def test_standing_connections_can_be_dropped(way: Proxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", way.port)
    writer.write(b"hello")
    assert await reader.read(5) == b"hello"
    way.drop()
    with pytest.raises(ConnectionResetError):
        await reader.read(5)
    writer.close()


async def test_an_answer_is_cut_where_it_is_said(way: Proxy) -> None:
    way.faults.cut_after = 3
    assert await _said(way) == b"hel"


async def test_a_rude_one_answers_for_the_other(way: Proxy) -> None:
    way.faults.rude = True
    assert (await _said(way, b"GET / HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 503")
