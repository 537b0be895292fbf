"""A way between two parts that can be made slow, deaf, cut, reset or rude, while they speak through it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

_PIECE = 65536
UNAVAILABLE = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"


@dataclass
class Faults:
    """What is wrong with the way just now; it counts for connections that stand, too."""

    latency: float = 0.0  # seconds that each piece is late
    blackhole: bool = False  # connections are taken, and nothing passes
    refuse: bool = False  # nobody is there
    reset: bool = False  # connections are reset as soon as something comes
    rude: bool = False  # every request is answered with 503
    cut_after: int | None = None  # bytes of an answer, after which the connection is closed


@dataclass
class Proxy:
    """Listens on loopback; `port` is where. `taken` counts connections."""

    host: str
    far_port: int
    faults: Faults = field(default_factory=Faults)
    taken: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        self.drop()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def drop(self) -> None:
        """Reset every connection that stands."""
        for writer in list(self._writers):
            _reset(writer)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with contextlib.suppress(ConnectionError, asyncio.CancelledError, OSError):
            await self._join(reader, writer)
        self._close(writer)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        if self.faults.refuse:
            _reset(writer)
            return
        far_reader, far_writer = await asyncio.open_connection(self.host, self.far_port)
        self._writers.add(far_writer)
        there = asyncio.ensure_future(self._pass(reader, far_writer, writer))
        back = asyncio.ensure_future(self._pass(far_reader, writer, writer))
        try:
            await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (there, back):
                task.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
            self._close(far_writer)

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: asyncio.StreamWriter
    ) -> None:
        there, passed = writer is not client, 0
        while piece := await reader.read(_PIECE):
            await asyncio.sleep(self.faults.latency)
            while self.faults.blackhole:  # noqa: ASYNC110 (a fault is a plain field, so that tests just set it)
                await asyncio.sleep(0.02)
            if self.faults.reset or self.faults.refuse:
                _reset(client)
                return
            if self.faults.rude and there:
                client.write(UNAVAILABLE)
                await client.drain()
                return
            cut = None if there else self.faults.cut_after
            writer.write(piece if cut is None else piece[: max(0, cut - passed)])
            await writer.drain()
            passed += len(piece)
            if cut is not None and passed >= cut:
                return

    def _close(self, writer: asyncio.StreamWriter) -> None:
        self._writers.discard(writer)
        writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """The other end hears ECONNRESET and not an orderly end."""
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Ways:
    """Proxies on a thread of their own: whoever blocks its own loop still gets through."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="ways")
        self._proxies: list[Proxy] = []

    def to(self, port: int) -> Proxy:
        proxy = Proxy("127.0.0.1", port)
        asyncio.run_coroutine_threadsafe(proxy.start(), self._loop).result()
        self._proxies.append(proxy)
        return proxy

    def cut(self, proxy: Proxy) -> None:
        """Nobody is there any more, and every connection that stands is reset."""
        proxy.faults.refuse = True
        self._loop.call_soon_threadsafe(proxy.drop)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for proxy in self._proxies:
            asyncio.run_coroutine_threadsafe(proxy.stop(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@asynccontextmanager
async def proxy_to(port: int, host: str = "127.0.0.1") -> AsyncIterator[Proxy]:
    proxy = Proxy(host, port)
    await proxy.start()
    try:
        yield proxy
    finally:
        await proxy.stop()
