"""The two connections of a session, made so that whoever does not read cannot make this process hold what he is sent.

asyncssh heeds the windows of channels, which the other end may open as wide as 4 GiB, and not whether its transport
has room; here a connection says so (`on_room`), and one that answers nothing at all is given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from asyncssh import ProtocolError, SSHClientConnection, SSHServerConnection
from asyncssh.connection import SSHConnection
from asyncssh.constants import MSG_CHANNEL_OPEN, MSG_CHANNEL_OPEN_CONFIRMATION, MSG_IGNORE
from asyncssh.packet import SSHPacket, SSHPacketLogger

LITTLE = 256 * 1024  # bytes that may wait in the transport before the other side is slowed down
MOST = 8 << 20  # and before the connection is given up: answers have no window
UNREAD = 2 << 20  # bytes that may come while we look somebody up
DEFERRED = 10_000  # packets held back while keys are exchanged
ASKED = 1000  # channels, and questions, at once: they wait while somebody is let in, and while the log is behind
SMALLEST = 512  # bytes: who takes no longer packets than that makes each piece of output cost a thousandfold
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
            if self._pipe.get_write_buffer_size() > self.most:  # here too: who takes nothing may say nothing either
                self.abort()

    def send_packet(self, pkttype: int, *args: bytes, handler: SSHPacketLogger | None = None) -> None:
        """Without the empty packets that asyncssh puts between: they protect ciphers that are not offered here."""
        if pkttype != MSG_IGNORE:
            super().send_packet(pkttype, *args, handler=handler)
        if len(self._deferred_packets) > DEFERRED:
            self.abort()

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        if self._overfull:
            self.abort()
            return
        super().data_received(data, datatype)

    @property
    def _overfull(self) -> bool:
        asked = max(len(self._channels), len(self._global_request_queue))
        return len(self._inpbuf) > UNREAD or asked > ASKED

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
    """From a client."""

    def _send_kexinit(self) -> None:
        """OpenSSH asks for ChaCha20 first, and has AES-GCM since 6.2: that moves twice as much here."""
        if self._client_version.startswith(b"SSH-2.0-OpenSSH_"):
            self._enc_algs = [name for name in self._enc_algs if name in _GCM] or self._enc_algs
        super()._send_kexinit()

    def _process_channel_open(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        opening = SSHPacket(packet.get_remaining_payload())
        opening.get_string()  # the channel's type
        _demand_long_packets(opening, after=2)
        super()._process_channel_open(pkttype, pktid, packet)

    _packet_handlers = {**SSHServerConnection._packet_handlers, MSG_CHANNEL_OPEN: _process_channel_open}  # noqa: RUF012


class Outbound(_Roomy, SSHClientConnection):
    """To the host."""

    def _process_channel_open_confirmation(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        _demand_long_packets(SSHPacket(packet.get_remaining_payload()), after=3)
        super()._process_channel_open_confirmation(pkttype, pktid, packet)

    _packet_handlers = {  # noqa: RUF012
        **SSHClientConnection._packet_handlers, MSG_CHANNEL_OPEN_CONFIRMATION: _process_channel_open_confirmation,
    }  # fmt: skip


def _demand_long_packets(packet: SSHPacket, *, after: int) -> None:
    """`after` so many numbers stands how long the other end takes them. Raises asyncssh.ProtocolError."""
    *_, longest = (packet.get_uint32() for _ in range(after + 1))
    if longest < SMALLEST:
        raise ProtocolError(f"packets of at most {longest} bytes are too short here")
