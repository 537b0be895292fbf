"""One end of a connection: first read message by message, then passed on as it comes."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import ssl
from collections.abc import Callable
from struct import pack, unpack
from typing import cast

from gateways.postgres.binding import key_of
from gateways.postgres.frames import NotTheProtocol
from gateways.postgres.lending import Lent, lend, lent_back

LONGEST_GREETING = 10_000  # bytes; PostgreSQL's own limit for what is said before somebody is let in
_HUNG_UP = getattr(select, "POLLRDHUP", 0)  # of its own accord; Linux only
_LITTLE = 64 * 1024  # bytes that may wait to be written: a client that is too fast is to feel it


class Gone(Exception):
    """The other end has closed, or nothing came in time."""


class Side(asyncio.Protocol):
    """Either `read` and `message` are awaited, or, after `pass_on`, whatever comes is handed to a function.

    The whole handshake lives in here because a transport that changes its protocol midway loses what has come already.
    """

    def __init__(self, made: Callable[[Side], None] = lambda _: None, *, quiet: bool = False) -> None:
        """`made` is called once there is a connection. `quiet`: nothing is read from it before something is awaited."""
        self._made = made
        self._quiet = quiet
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._waiter: asyncio.Future[None] | None = None
        self._sink: Callable[[bytes], None] | None = None
        self._on_lost: Callable[[], None] = lambda: None
        self._on_room: Callable[[bool], None] = lambda _: None
        self.lost = False
        self.on_end: Callable[[], None] = lambda: None  # nothing more comes, and asyncio closes it next

    @property
    def transport(self) -> asyncio.Transport:
        assert self._transport is not None  # asyncio gives it before anything else
        return self._transport

    @property
    def address(self) -> str:
        peer = self.transport.get_extra_info("peername")
        return str(peer[0]) if isinstance(peer, tuple) else "local"

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_LITTLE)
        if self._quiet:
            self._transport.pause_reading()
        self._made(self)

    def data_received(self, data: bytes) -> None:
        if self._sink is not None:
            self._sink(data)
            return
        self._buffer += data
        if len(self._buffer) > 2 * LONGEST_GREETING:
            self.transport.pause_reading()  # nobody is let in by sending much
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's own signature)
        self.lost = True
        self._wake()
        self._on_lost()

    def eof_received(self) -> None:
        self.on_end()

    def pause_writing(self) -> None:
        self._on_room(False)  # noqa: FBT003 (asyncio has two methods for it)

    def resume_writing(self) -> None:
        self._on_room(True)  # noqa: FBT003 (the same)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # Before anybody is let in

    async def peek(self) -> int:
        """The first byte of what comes, which stays where it is: what TLS begins with is not ours to read. Raises Gone.

        Only before anything else is read, and on a side that was made `quiet`.
        """
        loop = asyncio.get_running_loop()
        came: asyncio.Future[None] = loop.create_future()
        # Another number for the same socket: the transport lets nobody watch its own.
        with socket.socket(fileno=os.dup(self.transport.get_extra_info("socket").fileno())) as socket_:
            loop.add_reader(socket_, _come, came)
            try:
                await came
                first = socket_.recv(1, socket.MSG_PEEK)
            except OSError:
                first = b""
            finally:
                loop.remove_reader(socket_)
        if not first:
            raise Gone
        return first[0]

    @property
    def spoken(self) -> str:
        """What was agreed inside TLS to be spoken; empty where nothing was."""
        shown = self.transport.get_extra_info("ssl_object")
        return (shown.selected_alpn_protocol() or "") if shown is not None else ""

    @property
    def has_left(self) -> bool:
        """Whether the other end has closed, also while nothing is read from it."""
        socket_ = None if self.lost else self.transport.get_extra_info("socket")
        if socket_ is None or socket_.fileno() < 0:
            return True
        looked = select.poll()
        looked.register(socket_.fileno(), _HUNG_UP)
        return bool(looked.poll(0))

    @property
    def secured(self) -> bool:
        return self.transport.get_extra_info("ssl_object") is not None

    @property
    def key(self) -> str:
        """The mark of the key that the other end has made its connection with; empty: with none."""
        return key_of(self.transport.get_extra_info("ssl_object"))

    async def read(self, size: int) -> bytes:
        """Exactly so many bytes. Raises Gone, NotTheProtocol."""
        if size > LONGEST_GREETING:
            raise NotTheProtocol(f"a greeting of {size} bytes")
        while len(self._buffer) < size:
            if self.lost:
                raise Gone
            self._waiter = asyncio.get_running_loop().create_future()
            self.transport.resume_reading()
            await self._waiter
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    async def message(self) -> tuple[int, bytes]:
        """Kind and payload of the next message. Raises Gone, NotTheProtocol."""
        head = await self.read(5)
        size = int.from_bytes(head[1:], "big") - 4
        if size < 0:
            raise NotTheProtocol(f"a message of {size} bytes")
        return head[0], await self.read(size)

    async def untyped(self) -> bytes:
        """The payload of a message without a kind, which a connection begins with. Raises Gone, NotTheProtocol."""
        (length,) = unpack(">I", await self.read(4))
        if not 8 <= length <= LONGEST_GREETING:
            raise NotTheProtocol(f"a greeting of {length} bytes")
        return await self.read(length - 4)

    async def secure(self, context: ssl.SSLContext, *, server_side: bool, name: str | None = None) -> None:
        """Go on in TLS. Raises NotTheProtocol where something was sent before it: it could be anybody's."""
        if self._buffer:
            raise NotTheProtocol("something was sent in the clear before TLS began")
        self.transport.pause_reading()
        loop = asyncio.get_running_loop()
        secured = await loop.start_tls(
            self.transport, self, context, server_side=server_side, server_hostname=name, ssl_handshake_timeout=10
        )
        assert secured is not None  # only a transport that was closed meanwhile gives none
        self._transport = secured
        secured.set_write_buffer_limits(high=_LITTLE)

    # Afterwards

    def pass_on(
        self, sink: Callable[[bytes], None], on_lost: Callable[[], None], on_room: Callable[[bool], None]
    ) -> None:
        """From here on: `sink` takes what comes, `on_room` hears whether more may be written to this side."""
        self._sink, self._on_lost, self._on_room = sink, on_lost, on_room
        held, self._buffer = bytes(self._buffer), bytearray()
        if held:
            sink(held)
        self.transport.resume_reading()
        if self.lost:
            on_lost()

    def lend(self) -> Lent | None:
        """To what reads and writes it past asyncio; None where something is in the way."""
        return None if self.lost else lend(self.transport)

    def lent_back(self, untaken: bytes = b"") -> None:
        """With what still has to be written, as it goes out. What has come is read once reading is resumed."""
        if not self.lost:
            lent_back(self.transport, untaken)

    def write(self, data: bytes) -> None:
        if not self.lost and self._transport is not None:
            self._transport.write(data)

    def close(self) -> None:
        """What has been written still goes out."""
        if self._transport is not None:
            self._transport.close()

    def drop(self) -> None:
        """At once, and so that the other end learns of it: what it has not run yet of what was sent, it forgets."""
        if self._transport is not None and not self.lost:
            socket_ = self._transport.get_extra_info("socket")
            if socket_ is not None and socket_.family != socket.AF_UNIX:
                socket_.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, pack("ii", 1, 0))
        self.hang_up()

    def hang_up(self) -> None:
        """At once."""
        if self._transport is not None and not self.lost:
            self._transport.abort()


def _come(awaited: asyncio.Future[None]) -> None:
    if not awaited.done():
        awaited.set_result(None)
