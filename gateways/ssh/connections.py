"""The two connections of a session, made so that whoever does not read cannot make this process hold what he is sent.

asyncssh heeds the windows of channels, which the other end may open as wide as 4 GiB, and not whether its transport
has room; here a connection says so (`on_room`), and one that answers nothing at all is given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from asyncssh import SSHClientConnection, SSHServerConnection
from asyncssh.connection import SSHConnection
from asyncssh.constants import MSG_IGNORE
from asyncssh.packet import SSHPacketLogger
from asyncssh.public_key import SSHOpenSSHCertificate

LITTLE = 256 * 1024  # bytes that may wait in the transport before the other side is slowed down
MOST = 8 << 20  # and before the connection is given up: answers have no window
UNREAD = 2 << 20  # bytes that may come while we look somebody up
DEFERRED = 10_000  # packets held back while keys are exchanged
CIPHERS = (
    "aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes256-ctr", "aes128-ctr",
)  # fmt: skip
_GCM = (b"aes128-gcm@openssh.com", b"aes256-gcm@openssh.com")


class _Roomy(SSHConnection):
    """What both have in common. `on_room` hears False when no more should be sent, True when it may again."""

    on_room: Callable[[bool], None] | None = None
    most = MOST
    _pipe: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._pipe = cast("asyncio.Transport", transport)
        self._pipe.set_write_buffer_limits(high=LITTLE)
        self._unsent: list[bytes] = []
        self._unsent_size = 0
        super().connection_made(transport)

    # Packets go out together at the end of the loop's turn: a system call for each was half of a transfer's cost

    def _send(self, data: bytes) -> None:
        if not self._unsent:
            self._loop.call_soon(self._send_out)
        self._unsent.append(data)
        self._unsent_size += len(data)
        if self._unsent_size > LITTLE:
            self._send_out()

    def _send_out(self) -> None:
        unsent, self._unsent, self._unsent_size = self._unsent, [], 0
        if unsent and not self._pipe.is_closing():
            self._pipe.write(b"".join(unsent))

    def send_packet(self, pkttype: int, *args: bytes, handler: SSHPacketLogger | None = None) -> None:
        """Without the empty packets that asyncssh puts between: they protect ciphers that are not offered here."""
        if pkttype != MSG_IGNORE:
            super().send_packet(pkttype, *args, handler=handler)

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        if self._overfull:
            self.abort()
            return
        super().data_received(data, datatype)

    @property
    def _overfull(self) -> bool:
        unsent = self._pipe.get_write_buffer_size()
        return unsent > self.most or len(self._deferred_packets) > DEFERRED or len(self._inpbuf) > UNREAD

    def pause_writing(self) -> None:
        self._say_room(room=False)

    def resume_writing(self) -> None:
        self._say_room(room=True)

    def _send_kexinit(self) -> None:
        """While keys are exchanged, asyncssh keeps whatever is to be sent."""
        self._say_room(room=False)
        super()._send_kexinit()

    def _send_deferred_packets(self) -> None:
        super()._send_deferred_packets()
        self._say_room(room=True)

    def _say_room(self, *, room: bool) -> None:
        if self.on_room is not None:
            self.on_room(room)


class Inbound(_Roomy, SSHServerConnection):
    """From a client. `shown` is the certificate that it proved itself with, if it was one."""

    shown: SSHOpenSSHCertificate | None = None

    def _send_kexinit(self) -> None:
        """OpenSSH asks for ChaCha20 first, and has AES-GCM since 6.2: that moves twice as much here."""
        if self._client_version.startswith(b"SSH-2.0-OpenSSH_"):
            self._enc_algs = [name for name in self._enc_algs if name in _GCM] or self._enc_algs
        super()._send_kexinit()

    async def _validate_openssh_certificate(self, username: str, cert: SSHOpenSSHCertificate) -> Any:
        key = await super()._validate_openssh_certificate(username, cert)
        self.shown = cert if key is not None else None
        return key


class Outbound(_Roomy, SSHClientConnection):
    """To the host."""
