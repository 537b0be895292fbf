"""One channel joined to its counterpart: what the client asks of the host, and the bytes that go both ways.

The same bytes go out that came in. What the acts tell of is recorded before it is passed on.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from asyncssh.constants import EXTENDED_DATA_STDERR
from asyncssh.packet import PacketDecodeError, SSHPacket, String, UInt32

from audit.recording.writer import RecorderFailed
from gateways.ssh.acts import Act, Opaque, Refused, Resized, Screen, Signalled, Started, Told
from gateways.ssh.channels import Far, Near
from gateways.ssh.flow import Flow
from gateways.ssh.line import APPROVAL, LOG, Asked, Channel, Line
from gateways.ssh.marks import new_word, shell_command
from gateways.ssh.sftp_packets import NotSftp
from gateways.ssh.text import harmless, text_of
from gateways.ssh.watch import Watch

log = logging.getLogger(__name__)

NOT_RUN = 126  # as shells say that a command cannot be run
MOST_VARIABLES = 64
LONGEST = 64 * 1024  # bytes of a variable

_STARTS = {"shell": "shell", "exec": "command", "subsystem": "subsystem"}
_NOT_HERE = {
    "auth-agent-req@openssh.com": ("agent forwarding", "Your agent is not forwarded through the gateway."),
    "x11-req": ("X11 forwarding", "X11 is not forwarded through the gateway."),
}


class Program:
    """The channel `n` of a connection. `near` and `far` are set once they are open."""

    def __init__(self, line: Line, n: int) -> None:
        self.n = n
        self.near: Channel | None = None
        self.far: Channel | None = None
        self.watch = Watch(n)
        self._line = line
        self._started = False  # asked for; nothing else can be
        self._told = False  # in the recording
        self._over = False
        self._gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting: asyncio.Task[None] | None = None
        self._deaf = False
        self._is_mute = False
        self._screen: Screen | None = None
        self._environment: list[str] = []
        self.flow = Flow(self._source)

    # What the client asks

    def asked(self, name: str, payload: bytes, wants: bool) -> bool | None:  # noqa: FBT001 (a callback's shape)
        """A request of the client: what is not known here goes no further, and nothing that outruns the end."""
        if self._over or self._is_mute:
            return False
        handle = _REQUESTS.get(name)
        try:
            if handle is not None:
                return handle(self, name, SSHPacket(payload), wants)
            if name in _STARTS:
                return self._start(name, payload)
            if name in _NOT_HERE:
                return self._refuse(*_NOT_HERE[name])
        except RecorderFailed as error:
            self._line.failed(error)
        except PacketDecodeError:
            pass
        return False

    def _start(self, name: str, payload: bytes) -> bool | None:
        if self._started:
            return False
        self._started = True
        what = _STARTS[name]
        text = "" if name == "shell" else text_of(SSHPacket(payload).get_string())
        if "\0" in text:  # hosts take what stands before it
            return self._refuse(f"{what} {text}", "The gateway does not let a byte of zero through.")
        waiting = self._line.may(Asked(what, text, self.tell, self._gone))
        if waiting is None:
            self._launch(name, payload, text)
        else:
            self.flow.room("host", APPROVAL, room=False)
            self._waiting = asyncio.ensure_future(self._launch_if(waiting, name, payload, text))
        return None

    async def _launch_if(self, waiting: Awaitable[str], name: str, payload: bytes, text: str) -> None:
        """What the client sends meanwhile waits with it."""
        try:
            why = await waiting
        except Exception:
            log.exception("nobody could be asked", extra={"action": "hold"})
            why = "Nobody could be asked to let it run. Try again in a moment."
        if self._over or self._is_mute:
            return
        try:
            if why:
                self._line.refused(Refused(self.n, text, why))
                self._answer(True)  # noqa: FBT003 (a callback's shape); or else `ssh` would show nothing of it
                self.tell(why)
                self._end_with(NOT_RUN)
            else:
                self._launch(name, payload, text)
                self.flow.room("host", APPROVAL, room=True)
        except RecorderFailed as error:
            self._line.failed(error)

    def _end_with(self, status: int) -> None:
        if isinstance(self.near, Near):
            self.near.say("exit-status", UInt32(status))
        self.close()

    def _launch(self, name: str, payload: bytes, text: str) -> None:
        what = _STARTS[name]
        self.watch = Watch.of(self.n, what, text, self._screen)
        self._line.write([Started(self.n, what, text, self._screen, tuple(self._environment))])
        self._told = True
        if name == "shell" and self._screen is not None and self._line.marks:
            word = new_word()
            self.watch = Watch(self.n, self._screen, word)
            name, payload = "exec", String(shell_command(word))
        self._ask(name, payload, self._begun)

    def _begun(self, ok: bool) -> None:  # noqa: FBT001 (a callback's shape)
        self._answer(ok)
        self.flow.begin()
        if not ok:
            self.watch.error = "the host did not start it"
        else:
            for notice in self._line.notices():
                self.tell(notice)

    def _terminal(self, name: str, packet: SSHPacket, wants: bool) -> bool | None:  # noqa: ARG002, FBT001 (a handler)
        term, columns, rows = text_of(packet.get_string()), packet.get_uint32(), packet.get_uint32()

        def given(ok: bool) -> None:  # noqa: FBT001 (a callback's shape)
            if ok:
                self._screen = Screen(harmless(term)[:64], columns, rows)
            self._answer(ok)

        self._ask(name, packet.get_full_payload(), given)
        return None

    def _variable(self, name: str, packet: SSHPacket, wants: bool) -> bool | None:  # noqa: FBT001 (a handler)
        variable = text_of(packet.get_string() + b"=" + packet.get_string())
        if len(self._environment) >= MOST_VARIABLES or len(variable) > LONGEST:
            return False
        self._environment.append(variable)
        return self._pass_on(name, packet, wants)

    def _resized(self, name: str, packet: SSHPacket, wants: bool) -> bool | None:  # noqa: FBT001 (a handler)
        columns, rows = packet.get_uint32(), packet.get_uint32()
        self._line.write([Resized(self.n, columns, rows)])
        self.watch.resized(columns)
        return self._pass_on(name, packet, wants)

    def _signalled(self, name: str, packet: SSHPacket, wants: bool) -> bool | None:  # noqa: FBT001 (a handler)
        self._line.write([Signalled(self.n, text_of(packet.get_string())[:32] if name == "signal" else "BREAK")])
        return self._pass_on(name, packet, wants)

    def _deafened(self, name: str, packet: SSHPacket, wants: bool) -> bool | None:  # noqa: FBT001 (a handler)
        """The client reads no more output, so what waits for it must not keep the program from ending."""
        self._deaf = True
        if isinstance(self.near, Near):
            self.near.discard()
        return self._pass_on(name, packet, wants)

    def _pass_on(self, name: str, packet: SSHPacket, wants: bool) -> bool | None:  # noqa: FBT001 (a handler)
        self._ask(name, packet.get_full_payload(), self._answer if wants else None)
        return None if wants else True

    def _ask(self, name: str, payload: bytes, told: Callable[[bool], None] | None) -> None:
        if isinstance(self.far, Far):
            self.far.ask(name, payload, told)

    def _answer(self, ok: bool) -> None:  # noqa: FBT001 (a callback's shape)
        if isinstance(self.near, Near):
            self.near.answer(ok)

    def _refuse(self, what: str, why: str) -> bool:
        self._line.refused(Refused(self.n, what, why))
        self.tell(why)
        return False

    # What the host says of it

    def said(self, name: str, payload: bytes, _: bool) -> bool:  # noqa: FBT001 (a callback's shape)
        """A request of the host: how the program ended, above all."""
        if name not in ("exit-status", "exit-signal", "xon-xoff", "eow@openssh.com"):
            return False
        with suppress(PacketDecodeError):
            self.watch.exits(name, SSHPacket(payload))
        if isinstance(self.near, Near):
            self.near.say(name, payload)
        return True

    # What passes

    def mute(self) -> None:
        """Nothing passes any more, either way; what the host still says is recorded."""
        self._is_mute = True

    def from_client(self, data: bytes) -> None:
        if self._is_mute:
            return
        self._pass(data, self.watch.sent, self.far, None)

    def from_host(self, data: bytes, datatype: int | None) -> None:
        error = datatype == EXTENDED_DATA_STDERR
        deaf = self._is_mute or (self._deaf and not error)
        self._pass(data, lambda data: self.watch.received(data, error=error), None if deaf else self.near, datatype)

    def _pass(self, data: bytes, watch: Callable[[bytes], list[Act]], to: Channel | None, datatype: int | None) -> None:
        if self._over:
            return
        try:
            if acts := watch(data):
                self._line.write(acts)
        except RecorderFailed as error:
            self._line.failed(error)
        except NotSftp as error:
            self._unreadable(str(error))
        else:
            with suppress(OSError):  # that end has been closed meanwhile
                if to is not None:
                    to.write(data, datatype)

    def _unreadable(self, why: str) -> None:
        with suppress(RecorderFailed):
            self._line.write([Opaque(self.n, why)])
        self.tell(f"This is not the SFTP that the gateway can read ({why}).")
        self.kill()
        self.close()

    def ended_by(self, end: str) -> None:
        """One end has nothing more to say."""
        to = self.far if end == "client" else self.near
        if to is not None:
            to.write_eof()

    def lost(self, end: str) -> None:
        """One end has closed the channel: what came before has passed, and the other is closed behind it."""
        self.close(self.far if end == "client" else self.near)

    def _source(self, end: str) -> Channel | None:
        """Nothing is read before something was started."""
        return (self.far if end == "client" else self.near) if self._started and not self._over else None

    # From outside

    def tell(self, text: str) -> None:
        """A line of ours, unless the client does not read what it has already."""
        if self.near is None or not self._started or self.flow.full["client"] - {LOG}:
            return
        with suppress(RecorderFailed, OSError):
            self._line.write([Told(self.n, text)])
            if self.watch.screen is not None:
                self.near.write(f"\r\nprodaccess: {text}\r\n".encode())
            elif isinstance(self.near, Near):
                self.near.write(f"prodaccess: {text}\n".encode(), EXTENDED_DATA_STDERR)

    def kill(self) -> None:
        """What has no terminal would outlive its connection."""
        if isinstance(self.far, Far) and self._started:
            self.far.ask("signal", String("KILL"))

    def close(self, *ends: Channel | None) -> None:
        """Once; both ends, or only the one that is still open."""
        if not self._over:
            self._over = True
            self._gone.set_result(None)
            try:
                if self._told:
                    self._line.write(self.watch.over())
            except RecorderFailed as error:
                self._line.failed(error)
            self._line.gone(self)
        for end in ends or (self.near, self.far):
            if end is not None:
                end.close()


_Handler = Callable[[Program, str, SSHPacket, bool], "bool | None"]
_REQUESTS: dict[str, _Handler] = {
    "pty-req": Program._terminal,
    "env": Program._variable,
    "window-change": Program._resized,
    "signal": Program._signalled,
    "break": Program._signalled,
    "eow@openssh.com": Program._deafened,
}
