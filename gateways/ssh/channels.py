"""A channel at either end whose requests are passed on as they are, instead of being understood by asyncssh.

Each request is handed to `hears`, which answers it at once, or passes it on and answers later: a client is told of
success when the host has said so. All of it happens in the order in which it came, without tasks in between.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from asyncssh import ProtocolError, SSHClientChannel, SSHClientSession, SSHServerChannel
from asyncssh.constants import MSG_CHANNEL_REQUEST
from asyncssh.packet import SSHPacket

from gateways.ssh.connections import Inbound, Outbound

WINDOW = 1 << 20  # bytes that one end may send before the other takes them
PACKET = 32 * 1024
MOST_REQUESTS = 64  # that wait for their answer

#: name and payload of a request, and whether an answer is awaited; None: `answer` follows
Hears = Callable[[str, bytes, bool], "bool | None"]


class Near(SSHServerChannel[bytes]):
    """Towards the client."""

    def __init__(self, connection: Inbound, hears: Hears) -> None:
        super().__init__(
            connection, asyncio.get_running_loop(), allow_pty=True, line_editor=False, line_echo=False,
            line_history=0, max_line_length=0, encoding=None, errors="strict", window=WINDOW, max_pktsize=PACKET,
        )  # fmt: skip
        self._hears = hears

    def _process_request(self, pkttype: int, pktid: int, packet: SSHPacket) -> None:
        if len(self._request_queue) >= MOST_REQUESTS:
            raise ProtocolError("too many requests that wait for an answer")
        super()._process_request(pkttype, pktid, packet)

    _packet_handlers = {**SSHServerChannel._packet_handlers, MSG_CHANNEL_REQUEST: _process_request}  # noqa: RUF012

    def _service_next_request(self) -> None:
        name, packet, wants = self._request_queue[0]
        answer = self._hears(name, packet.get_remaining_payload(), wants)
        if answer is not None:
            self._report_response(answer)

    def answer(self, ok: bool) -> None:  # noqa: FBT001 (a callback's shape)
        """Of the request that was heard last."""
        if self._request_queue:
            self._report_response(ok)

    def say(self, name: str, payload: bytes) -> None:
        """A request of our own, without an answer."""
        if self.is_open:
            self._send_request(name.encode(), payload)

    def discard(self) -> None:
        """What has not been sent."""
        self._send_buf.clear()
        self._send_buf_len = 0
        self._flush_send_buf()

    @property
    def is_open(self) -> bool:
        return self._send_state in ("open", "eof_pending", "eof")


class _Answer:
    """Stands where asyncssh has a future, and tells at once: what came behind the answer must not overtake it."""

    def __init__(self, told: Callable[[bool], None]) -> None:
        self._told = told

    def cancelled(self) -> bool:
        return False

    def set_result(self, ok: bool) -> None:  # noqa: FBT001 (a future's own method)
        self._told(ok)

    def set_exception(self, _: Exception) -> None:
        self._told(False)  # noqa: FBT003 (the same)


class Far(SSHClientChannel[bytes]):
    """Towards the host."""

    def __init__(self, connection: Outbound, hears: Hears) -> None:
        super().__init__(
            connection, asyncio.get_running_loop(), "backslashreplace", None, "strict", WINDOW, PACKET,
        )  # fmt: skip
        self._hears = hears

    async def begin(self, session: SSHClientSession[bytes]) -> None:
        """Raises asyncssh.ChannelOpenError."""
        packet = await self._open(b"session")
        packet.check_end()
        self._session = session
        session.connection_made(self)
        self.resume_reading()

    def _service_next_request(self) -> None:
        name, packet, wants = self._request_queue[0]
        self._report_response(bool(self._hears(name, packet.get_remaining_payload(), wants)))

    def ask(self, name: str, payload: bytes, told: Callable[[bool], None] | None = None) -> None:
        """Pass a request on; `told` hears the answer."""
        if told is None:
            self._send_request(name.encode(), payload)
        elif self._send_chan is None:
            told(False)  # noqa: FBT003 (a callback's shape)
        else:
            self._request_waiters.append(cast("asyncio.Future[bool]", _Answer(told)))
            self._send_request(name.encode(), payload, want_reply=True)
