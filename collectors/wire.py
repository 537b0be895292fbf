"""A one-way connection that ends in order: bytes out, then the other side's word that it has read them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

_CHUNK = 65_536
_GRACE = 1.0  # seconds that a peer has to close when nobody insists on it


class Wire(Protocol):
    async def write(self, data: bytes) -> None: ...

    async def end(self, *, confirm: bool) -> None:
        """Close our side, and wait for the other's; without `confirm` only for a moment.

        Raises OSError, EOFError where the other side breaks off instead.
        """
        ...


class Plain:
    """TCP. A peer that closes with unread bytes sends a reset, which shows here as ConnectionResetError."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        writer.transport.set_write_buffer_limits(high=0)  # drained is then with the kernel, all of it

    async def write(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def end(self, *, confirm: bool) -> None:
        self.writer.write_eof()
        try:
            async with asyncio.timeout(None if confirm else _GRACE):
                while await self.reader.read(_CHUNK):
                    pass  # a collector has nothing to say; its end is the answer
        except TimeoutError:
            return

    def abort(self) -> None:
        self.writer.transport.abort()


class Tls:
    """TLS over a plain wire, by hand: asyncio's own transport does not tell a close_notify from a cut connection."""

    def __init__(self, plain: Plain, context: ssl.SSLContext, host: str) -> None:
        self._plain = plain
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._object = context.wrap_bio(self._in, self._out, server_hostname=host)

    @classmethod
    async def over(cls, plain: Plain, context: ssl.SSLContext, host: str) -> Tls:
        tls = cls(plain, context, host)
        await tls._until_done(tls._object.do_handshake)
        return tls

    async def write(self, data: bytes) -> None:
        for at in range(0, len(data), _CHUNK):
            self._object.write(data[at : at + _CHUNK])
            await self._flush()

    async def end(self, *, confirm: bool) -> None:
        if confirm:
            await self._until_done(self._object.unwrap)  # done when the peer's close_notify is here
            return
        with suppress(ssl.SSLWantReadError):
            self._object.unwrap()
        await self._flush()
        await self._plain.end(confirm=False)

    async def _until_done(self, step: Callable[[], object]) -> None:
        while True:
            try:
                step()
            except ssl.SSLWantReadError:
                await self._flush()
                received = await self._plain.reader.read(_CHUNK)
                if not received:
                    raise EOFError("the connection was cut") from None
                self._in.write(received)
            else:
                await self._flush()
                return

    async def _flush(self) -> None:
        if data := self._out.read():
            await self._plain.write(data)
