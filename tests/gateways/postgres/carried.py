"""A session between two real sockets, with TLS or without, played from its far ends."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audit.recording.form import Header
from audit.recording.reader import Recording
from audit.recording.writer import Recorder
from gateways.postgres.loop import Carrier, carrier
from gateways.postgres.relay import Relay
from gateways.postgres.side import Side
from gateways.postgres.tape import FORM, SqlTape
from tests.gateways.postgres.test_plain import KEY, without_times

WAIT = 10.0  # seconds for what must come


@dataclass(frozen=True)
class Tls:
    """Contexts of both roles, for both ends."""

    server: ssl.SSLContext
    client: ssl.SSLContext


class Far:
    """The other end of one side's socket, which speaks for the client or for the database."""

    def __init__(self, socket_: socket.socket) -> None:
        self.socket = socket_
        self._tls: ssl.SSLObject | None = None
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._held = b""

    async def secure(self, context: ssl.SSLContext, *, server_side: bool) -> None:
        name = None if server_side else "127.0.0.1"
        made = context.wrap_bio(self._in, self._out, server_side=server_side, server_hostname=name)
        while True:
            try:
                made.do_handshake()
                break
            except ssl.SSLWantReadError:
                await self._pump()
        await self._send(self._out.read())
        self._tls = made

    async def _pump(self) -> bool:
        loop = asyncio.get_running_loop()
        if self._out.pending:
            await self._send(self._out.read())
        piece = await loop.sock_recv(self.socket, 1 << 16)
        self._in.write(piece)
        return bool(piece)

    async def _send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def say(self, *pieces: bytes) -> None:
        """Each in a record of its own, all of them at once."""
        if self._tls is None:
            await self._send(b"".join(pieces))
            return
        for piece in pieces:
            done = 0
            while done < len(piece):
                done += self._tls.write(piece[done:])
        await self._send(self._out.read())

    async def say_last(self, piece: bytes) -> None:
        """And goodbye, in the same breath."""
        assert self._tls is not None
        self._tls.write(piece)
        with suppress(ssl.SSLWantReadError):
            self._tls.unwrap()
        await self._send(self._out.read())

    async def hear(self, most: int) -> bytes:
        """Empty: it has gone."""
        if self._tls is None:
            return await asyncio.get_running_loop().sock_recv(self.socket, most)
        while True:
            try:
                return self._tls.read(most)
            except ssl.SSLWantReadError:
                if not await self._pump():
                    return b""


@dataclass
class Carried:
    """A session between two real sockets. `client` and `server` are the far ends; `secured` those with TLS."""

    path: Path
    raw: bool = False
    tls: Tls | None = None
    secured: Sequence[str] = ()
    why: list[str] = field(default_factory=list)
    written: dict[str, bytes] = field(default_factory=lambda: {"client": b"", "server": b""})

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Carried]:
        header = Header(session="PA-7-1", ref="PA-7", form=FORM, started_at=0, raw=self.raw)
        self.tape = SqlTape(Recorder(self.path, header, KEY))
        near_client, self.client = await self._pair("client")
        near_server, self.server = await self._pair("server")
        self.relay = Relay(near_client, near_server, self.tape, self.why.append)
        self.relay.start()
        try:
            yield self
        finally:
            self.relay.end("the test is over")
            self.client.socket.close()
            self.server.socket.close()
            self.tape.recorder.abandon()

    async def _pair(self, end: str) -> tuple[Side, Far]:
        one, other = socket.socketpair()
        one.setblocking(False)
        other.setblocking(False)
        _, side = await asyncio.get_running_loop().connect_accepted_socket(lambda: Side(quiet=True), one)
        far = Far(other)
        if self.tls is not None and end in self.secured:
            is_client = end == "client"
            near, theirs = (self.tls.server, self.tls.client) if is_client else (self.tls.client, self.tls.server)
            await asyncio.gather(
                side.secure(near, server_side=is_client, name=None if is_client else "127.0.0.1"),
                far.secure(theirs, server_side=not is_client),
            )
        return side, far

    @property
    def is_carried(self) -> bool:
        return self.relay._carried >= 0

    @property
    def carrier(self) -> Carrier:
        found = carrier()
        assert found is not None
        return found

    async def hear(self, end: str, size: int) -> bytes:
        """So many bytes at one end, or fewer where the session is over."""
        heard, far = b"", self.client if end == "client" else self.server
        async with asyncio.timeout(WAIT):
            while len(heard) < size:
                try:
                    piece = await far.hear(size - len(heard))
                except (ConnectionError, ssl.SSLError):
                    break
                if not piece:
                    break
                heard += piece
        self.written[end] += heard
        return heard

    async def say(self, *steps: tuple[bytes, bytes]) -> None:
        """What each end says comes whole to the other, before anything else is said."""
        for asked, answered in steps:
            for near, end, data in ((self.client, "server", asked), (self.server, "client", answered)):
                if data:
                    with suppress(OSError):
                        await near.say(data)
                    if await self.hear(end, len(data)) != data:
                        return

    def asked(self) -> list[str]:
        """What stands in the recording now."""
        return [r.data["text"] for _, r in Recording(self.path, KEY).read() if r.kind == "asked"]

    async def told(self) -> tuple[Any, ...]:
        """All that anybody learns of it, but for the times."""
        is_busy = self.relay.busy
        runs = [without_times(run) for run in self.tape.harvest()]
        self.tape.recorder.close("closed")
        records = [(record.kind, record.data) for _, record in Recording(self.path, KEY).read()]
        return records, runs, list(self.why), self.written["client"], self.written["server"], is_busy
