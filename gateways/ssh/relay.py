"""One client's connection and one to the host, joined: the programs that run over them, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

import asyncssh
from asyncssh import ChannelOpenError
from asyncssh.constants import DISC_BY_APPLICATION, OPEN_ADMINISTRATIVELY_PROHIBITED

from audit.recording.writer import RecorderFailed
from gateways.ssh.acts import Act, Refused, Started
from gateways.ssh.channels import Far
from gateways.ssh.connections import Inbound, Outbound
from gateways.ssh.program import FarEnd, NearEnd, Program

MOST_PROGRAMS = 32  # at once, on one connection
GRACE = 0.2  # seconds for killed programs to be gone
SWEEPING = 0.6  # and for those that no signal has reached

#: all that the host's end of this connection has started: sshd takes no signals where root has logged in, nor for
#: subsystems. It has a process for each connection, and makes each program the head of its own group
_SWEEP = """exec /bin/sh -c 'case "$(ps -o comm= -p $PPID)" in sshd*|dropbear*)
for p in $(ps -e -o pid= -o ppid= | while read p q; do [ "$q" = $PPID ] && [ "$p" != $$ ] && echo "$p"; done)
do kill -9 -"$p"; done;; esac'"""


class Tape(Protocol):
    """Where the acts of a session are kept."""

    def write(self, acts: Sequence[Act]) -> None:
        """Before what they tell of is passed on. Raises RecorderFailed."""
        ...


class Relay:
    """One session. `ended` is called once, with why."""

    def __init__(self, client: Inbound, host: Outbound, tape: Tape, ended: Callable[[str], None]) -> None:
        self.marks = True
        self.forwards: frozenset[str] = frozenset()
        self._client = client
        self._host = host
        self._tape = tape
        self._ended = ended
        self._programs: dict[int, Program] = {}
        self._count = 0
        self._over = False
        self._notices: list[str] = []
        self._empty = asyncio.Event()
        self._empty.set()
        client.on_room = lambda room: self._room("client", room=room)
        host.on_room = lambda room: self._room("host", room=room)

    # Programs

    def program(self) -> Program:
        """Raises ChannelOpenError."""
        if self._over:
            raise ChannelOpenError(OPEN_ADMINISTRATIVELY_PROHIBITED, "This session has ended.")
        if len(self._programs) >= MOST_PROGRAMS:
            raise ChannelOpenError(OPEN_ADMINISTRATIVELY_PROHIBITED, f"{MOST_PROGRAMS} programs run already.")
        self._count += 1
        program = Program(self, self._count)
        self._programs[program.n] = program
        self._empty.clear()
        return program

    async def open(self, program: Program) -> NearEnd:
        """Raises ChannelOpenError, with the host's own words."""
        try:
            await Far(self._host, program.said).begin(FarEnd(program))
        except ChannelOpenError:
            self.gone(program)
            raise
        return NearEnd(program)

    async def forward(self, host: str, port: int) -> NearEnd:
        """A connection through the host. Raises ChannelOpenError."""
        where = f"{host}:{port}"
        if where not in self.forwards:
            raise ChannelOpenError(OPEN_ADMINISTRATIVELY_PROHIBITED, self.refuse(f"forwarding to {where}"))
        program = self.program()
        try:
            self.write([Started(program.n, "forward", where)])
            await self._host.create_connection(lambda: FarEnd(program), host, port)  # type: ignore[arg-type,return-value]
        except ChannelOpenError:
            self.gone(program)
            raise
        except RecorderFailed as error:
            self.failed(error)
            raise ChannelOpenError(OPEN_ADMINISTRATIVELY_PROHIBITED, "This session has ended.") from None
        program.forwards()
        return NearEnd(program)

    def refuse(self, what: str) -> str:
        """Record and tell it; the sentence."""
        why = f"The gateway does not let {what} through."
        try:
            self.write([Refused(0, what, why)])
        except RecorderFailed as error:
            self.failed(error)
        self.tell(why)
        return why

    # What programs need

    def write(self, acts: Sequence[Act]) -> None:
        self._tape.write(acts)

    def failed(self, error: RecorderFailed) -> None:
        self.end(str(error))

    def gone(self, program: Program) -> None:
        self._programs.pop(program.n, None)
        if not self._programs:
            self._empty.set()

    def notices(self) -> list[str]:
        told, self._notices = self._notices, []
        return told

    def _room(self, end: str, *, room: bool) -> None:
        for program in list(self._programs.values()):
            program.room(end, "connection", room=room)

    # From outside

    def tell(self, text: str) -> None:
        """Now, to all who can be told; or else to the first that can."""
        if not self._programs:
            self._notices.append(text)
        for program in list(self._programs.values()):
            program.tell(text)

    def moved(self) -> None:
        """Record how far everything is. To be called each second."""
        acts = [act for program in self._programs.values() for act in program.watch.moved()]
        try:
            if acts:
                self.write(acts)
        except RecorderFailed as error:
            self.failed(error)

    async def cut(self, why: str) -> None:
        """Programs are killed first: without that, one that has no terminal would run on."""
        self.tell(why)
        for program in list(self._programs.values()):
            program.kill()
        if not await self._all_gone(GRACE) and not self._over:
            sweep = asyncio.get_running_loop().create_task(self._sweep())
            await self._all_gone(SWEEPING)
            sweep.cancel()
        self.end(why)

    async def _all_gone(self, within: float) -> bool:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), within)
        return not self._programs

    async def _sweep(self) -> None:
        """Best effort: a host may have no more room for a program, or no `ps`."""
        with suppress(asyncssh.Error, OSError):
            await self._host.run(_SWEEP)

    def end(self, why: str) -> None:
        """Once."""
        if self._over:
            return
        self._over = True
        for program in list(self._programs.values()):
            program.kill()
            program.close()
        self._client.disconnect(DISC_BY_APPLICATION, why)
        self._host.close()
        self._ended(why)
