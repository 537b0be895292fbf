"""What stands between a tool on this machine and a gateway: the same bytes, over TLS with the key of a pass."""

from __future__ import annotations

import select
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress

from ..exits import CliError, Unreachable

_WITHIN = 10.0  # seconds for the gateway to answer
_GOODBYE = 1.0  # seconds
_IDLE = 60  # seconds
_AT_ONCE = 1 << 16  # bytes
_TURNS = 16  # of one direction, before the other one has its own


class Way:
    """To one gateway. `trouble` is told what keeps a tool from getting there."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext, trouble: Callable[[str], None]) -> None:
        self._host = host
        self._port = port
        self._context = context
        self._trouble = trouble

    def carry(self, near: socket.socket) -> None:
        """Until one of the two has nothing more to say."""
        try:
            far = self.dial()
        except CliError as error:
            self._trouble(str(error))
            return
        try:
            with far:
                _join(near, far)
                _part(far)
        except ssl.SSLEOFError:  # cut off in the midst of something, which the tool notices by itself
            return
        except ssl.SSLError as error:
            self._trouble(f"The gateway ended the connection: {error.reason or error}.")

    def dial(self) -> ssl.SSLSocket:
        """Raises CliError."""
        where = f"The gateway ({self._host}:{self._port})"
        try:
            plain = socket.create_connection((self._host, self._port), _WITHIN)
        except OSError as error:
            raise Unreachable(f"{where} does not answer: {error.strerror or error}.") from None
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            if hasattr(socket, "TCP_KEEPIDLE"):  # a shell may be idle for longer than a network remembers it
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _IDLE)
            return self._context.wrap_socket(plain, server_hostname=self._host)
        except ssl.SSLCertVerificationError as error:
            plain.close()
            raise CliError(f"{where} is not the one that the server told of: {error.verify_message}.") from None
        except OSError as error:
            plain.close()
            raise Unreachable(f"{where} did not begin to speak TLS: {error.strerror or error}.") from None


def _join(near: socket.socket, far: ssl.SSLSocket) -> None:
    for side in (near, far):
        side.settimeout(0)
    up, down = _Flow(near, far), _Flow(far, near)
    ready = select.poll()
    while True:
        more = up.move() | down.move()
        if up.over or down.over:
            return
        for side, taken, given in ((near, up, down), (far, down, up)):
            wanted = (0 if taken.held else select.POLLIN) | (select.POLLOUT if given.held else 0)
            ready.register(side, wanted)
            if not wanted:  # else it would be told without end that the side has gone
                ready.unregister(side)
        ready.poll(0 if more else None)


def _part(far: ssl.SSLSocket) -> None:
    """Closed with something unread, it would take back what was sent last."""
    until = time.monotonic() + _GOODBYE
    with suppress(OSError):
        far.settimeout(_GOODBYE)
        far.shutdown(socket.SHUT_WR)
        while far.recv(_AT_ONCE) and time.monotonic() < until:
            pass


class _Flow:
    """One direction. Nothing more is taken while something is `held`: a side that does not read slows the other."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self._source = source
        self._sink = sink
        self.held = memoryview(b"")
        self.over = False

    def move(self) -> bool:
        """As much as goes now; True where there may be more at once: TLS keeps what it has read already."""
        turns = 0
        while turns < _TURNS and (self.held or self._taken()) and self._given():
            turns += 1
        return turns == _TURNS

    def _taken(self) -> bool:
        """Whether something is held now."""
        try:
            self.held = memoryview(self._source.recv(_AT_ONCE))
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        self.over = not self.held
        return not self.over

    def _given(self) -> bool:
        """Whether nothing is held any more."""
        try:
            self.held = self.held[self._sink.send(self.held) :]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return False
        return not self.held
