"""One client's connection and one to the host, joined: the programs that run over them, and how they end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Protocol, TypeVar

import asyncssh
from asyncssh import ChannelOpenError
from asyncssh.constants import DISC_BY_APPLICATION, OPEN_ADMINISTRATIVELY_PROHIBITED

from audit.recording.writer import RecorderFailed
from gateways.ssh.acts import Act, Refused, Started
from gateways.ssh.channels import Far
from gateways.ssh.connections import Inbound, Outbound
from gateways.ssh.ends import FarEnd, NearEnd
from gateways.ssh.forward import Forward
from gateways.ssh.line import CONNECTION, LOG, Asked
from gateways.ssh.program import Program

P = TypeVar("P", bound=Program)
MOST_PROGRAMS = 32  # at once, on one connection
MOST_REFUSALS = 1000  # each is an entry of the log
EVERY = 1.0  # seconds between two records of how far everything is
SWEEPING = 0.6  # seconds for what was started at the host to be killed there
GRACE = 0.2  # and for what is left of it to be gone

#: all that the host's end of this connection has started, and all that came of it: sshd takes no signals where root has
#: logged in, nor for subsystems, and a shell's jobs are no children of its own group. sshd has a process for each
#: connection, and makes each program the head of its own session
_SWEEP = """exec /bin/sh -c 'case "$(ps -o comm= -p $PPID)" in sshd*|dropbear*)
for n in $(ps -e -o pid= -o ppid= | while read p q; do [ "$q" = $PPID ] && [ "$p" != $$ ] && echo "$p"; done)
do ps -e -o pid= -o sid= | while read p q; do [ "$q" = "$n" ] && kill -9 "$p"; done; kill -9 -"$n"; done;; esac'"""


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
        self.asks: Callable[[Asked], Awaitable[str] | None] | None = None
        self._client = client
        self._host = host
        self._tape = tape
        self._ended = ended
        self._programs: dict[int, Program] = {}
        self._count = 0
        self._over = False
        self._is_cut = False
        self._notices: list[str] = []
        self._refusals = 0
        self._going = asyncio.Event()  # cleared while the log is behind
        self._going.set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._timer = asyncio.get_running_loop().call_later(EVERY, self._tick)
        client.on_room = lambda room: self._room("client", room=room)
        host.on_room = lambda room: self._room("host", room=room)

    # Programs

    def program(self) -> Program:
        """Raises ChannelOpenError."""
        return self._added(Program)

    def _added(self, kind: type[P]) -> P:
        if self._over or self._is_cut:
            raise ChannelOpenError(OPEN_ADMINISTRATIVELY_PROHIBITED, "This session has ended.")
        if len(self._programs) >= MOST_PROGRAMS:
            raise ChannelOpenError(OPEN_ADMINISTRATIVELY_PROHIBITED, f"{MOST_PROGRAMS} programs run already.")
        self._count += 1
        program = kind(self, self._count)
        self._programs[program.n] = program
        self._empty.clear()
        return program

    async def open(self, program: Program) -> NearEnd:
        """Raises ChannelOpenError, with the host's own words."""
        await self._going.wait()
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
            raise ChannelOpenError(OPEN_ADMINISTRATIVELY_PROHIBITED, await self.refuse(f"forwarding to {where}"))
        await self._going.wait()
        program = self._added(Forward)
        try:
            self.write([Started(program.n, "forward", where)])
            await self._host.create_connection(lambda: FarEnd(program), host, port)  # type: ignore[arg-type,return-value]
        except ChannelOpenError as error:
            program.failed(error.reason)
            raise
        except RecorderFailed as error:
            self.failed(error)
            raise ChannelOpenError(OPEN_ADMINISTRATIVELY_PROHIBITED, "This session has ended.") from None
        program.begins()
        return NearEnd(program)

    async def refuse(self, what: str) -> str:
        """Record and tell it; the sentence."""
        why = f"The gateway does not let {what} through."
        await self._going.wait()
        try:
            self.refused(Refused(0, what, why))
        except RecorderFailed as error:
            self.failed(error)
        self.tell(why)
        return why

    # What programs need

    def write(self, acts: Sequence[Act]) -> None:
        self._tape.write(acts)

    def refused(self, act: Refused) -> None:
        self.write([act])
        self._refusals += 1
        if self._refusals > MOST_REFUSALS:
            self.end("It went on asking for what is not let through.")

    def failed(self, error: RecorderFailed) -> None:
        self.end(str(error))

    def may(self, asked: Asked) -> Awaitable[str] | None:
        return None if self.asks is None else self.asks(asked)

    def gone(self, program: Program) -> None:
        self._programs.pop(program.n, None)
        if not self._programs:
            self._empty.set()

    def notices(self) -> list[str]:
        told, self._notices = self._notices, []
        return told

    def _room(self, end: str, why: str = CONNECTION, *, room: bool) -> None:
        for program in list(self._programs.values()):
            program.flow.room(end, why, room=room)

    # From outside

    def tell(self, text: str) -> None:
        """Now, to all who can be told; or else to the first that can."""
        if not self._programs:
            self._notices.append(text)
        for program in list(self._programs.values()):
            program.tell(text)

    def slow(self, *, down: bool) -> None:
        """Take nothing more from either end, and start nothing: what a terminal shows may hold commands, too."""
        (self._going.clear if down else self._going.set)()
        for end in ("client", "host"):
            self._room(end, LOG, room=not down)

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(EVERY, self._tick)
        self.moved()

    def moved(self) -> None:
        """Record how far everything is."""
        acts = [act for program in self._programs.values() for act in program.watch.moved()]
        try:
            if acts:
                self.write(acts)
        except RecorderFailed as error:
            self.failed(error)

    async def cut(self, why: str) -> None:
        """No byte passes any more; what runs is killed, at the host first: it knows what has come of what.

        Without that, what has no terminal would run on.
        """
        self.tell(why)
        self._is_cut = True  # or else something could be started behind the sweep
        for program in list(self._programs.values()):
            program.mute()
        if self._programs and not self._over:
            sweep = asyncio.get_running_loop().create_task(self._sweep())
            await asyncio.wait({sweep}, timeout=SWEEPING)
            sweep.cancel()
            for program in list(self._programs.values()):
                program.kill()
            await self._all_gone(GRACE)
        self.end(why)

    async def _all_gone(self, within: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self._empty.wait()

    async def _sweep(self) -> None:
        """Best effort: a host may have no more room for a program, or no `ps`."""
        with suppress(asyncssh.Error, OSError):
            await self._host.run(_SWEEP)

    def end(self, why: str) -> None:
        """Once."""
        if self._over:
            return
        self._over = True
        self._timer.cancel()
        self._going.set()
        for program in list(self._programs.values()):
            program.kill()
            program.close()
        self._client.disconnect(DISC_BY_APPLICATION, why)
        self._host.close()
        self._ended(why)
