"""The two ends of a program, as asyncssh calls them."""

from __future__ import annotations

from typing import Any, ClassVar

from asyncssh import SSHClientSession, SSHServerSession

from gateways.ssh.line import CHANNEL
from gateways.ssh.program import Program


class _End:
    """What both have in common."""

    name: ClassVar[str]

    def __init__(self, program: Program) -> None:
        self._program = program

    def eof_received(self) -> bool:
        self._program.ended_by(self.name)
        return True

    def pause_writing(self) -> None:
        self._program.flow.room(self.name, CHANNEL, room=False)

    def resume_writing(self) -> None:
        self._program.flow.room(self.name, CHANNEL, room=True)

    def connection_lost(self, _: Exception | None) -> None:
        self._program.lost(self.name)


class NearEnd(_End, SSHServerSession[bytes]):
    """What asyncssh calls for the client's channel."""

    name = "client"

    def connection_made(self, chan: Any) -> None:
        self._program.near = chan

    def data_received(self, data: bytes, _: int | None) -> None:
        self._program.from_client(data)


class FarEnd(_End, SSHClientSession[bytes]):
    """What asyncssh calls for the host's channel."""

    name = "host"

    def connection_made(self, chan: Any) -> None:
        self._program.far = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._program.from_host(data, datatype)
