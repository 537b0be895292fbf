"""One channel joined to its counterpart: what the client asks of the host, and the bytes that go both ways.

The same bytes go out that came in. What the acts tell of is recorded before it is passed on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Protocol

from asyncssh import SSHClientSession, SSHServerSession
from asyncssh.constants import EXTENDED_DATA_STDERR
from asyncssh.packet import PacketDecodeError, SSHPacket, String

from audit.recording.writer import RecorderFailed
from gateways.ssh.acts import Act, Opaque, Refused, Resized, Screen, Signalled, Started, Told
from gateways.ssh.channels import Far, Near
from gateways.ssh.marks import new_word, shell_command
from gateways.ssh.sftp import NotSftp
from gateways.ssh.text import harmless, text_of
from gateways.ssh.watch import Watch

MOST_VARIABLES = 64
LONGEST = 64 * 1024  # bytes of a variable

_STARTS = {"shell": "shell", "exec": "command", "subsystem": "subsystem"}
_NOT_HERE = {
    "auth-agent-req@openssh.com": ("agent forwarding", "Your agent is not forwarded through the gateway."),
    "x11-req": ("X11 forwarding", "X11 is not forwarded through the gateway."),
}


class Line(Protocol):
    """The connection that a program belongs to."""

    marks: bool

    def write(self, acts: Sequence[Act]) -> None:
        """Raises RecorderFailed."""
        ...

    def failed(self, error: RecorderFailed) -> None:
        """Nothing may pass any more."""
        ...

    def gone(self, program: Program) -> None: ...

    def notices(self) -> list[str]:
        """What is still to be told to whoever can be told."""
        ...


class Channel(Protocol):
    """What of an asyncssh channel is used, be it a session's or a forwarded connection's."""

    def write(self, data: bytes, datatype: int | None = None) -> None: ...
    def write_eof(self) -> None: ...
    def close(self) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class Program:
    """The channel `n` of a connection. `near` and `far` are set once they are open."""

    def __init__(self, line: Line, n: int) -> None:
        self.n = n
        self.near: Channel | None = None
        self.far: Channel | None = None
        self.watch = Watch(n)
        self._line = line
        self._started = False
        self._over = False
        self._deaf = False
        self._screen: Screen | None = None
        self._environment: list[str] = []
        self._full = {"client": set[str](), "host": set[str]()}

    # What the client asks

    def asked(self, name: str, payload: bytes, wants: bool) -> bool | None:  # noqa: FBT001 (a callback's shape)
        """A request of the client. Whatever is not known here goes no further."""
        handle = _REQUESTS.get(name)
        try:
            if handle is not None:
                return handle(self, name, SSHPacket(payload), wants)
            if name in _STARTS:
                return self._start(name, payload)
            if name in _NOT_HERE:
                self._refuse(*_NOT_HERE[name])
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
        text = text_of(SSHPacket(payload).get_string()) if payload else ""
        self.watch = Watch.of(self.n, what, text, self._screen)
        self._line.write([Started(self.n, what, text, self._screen, tuple(self._environment))])
        if name == "shell" and self._screen is not None and self._line.marks:
            word = new_word()
            self.watch = Watch(self.n, self._screen, word)
            name, payload = "exec", String(shell_command(word))
        self._ask(name, payload, self._begun)
        return None

    def _begun(self, ok: bool) -> None:  # noqa: FBT001 (a callback's shape)
        self._answer(ok)
        if ok:
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
        self._line.write([Resized(self.n, packet.get_uint32(), packet.get_uint32())])
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

    def _refuse(self, what: str, why: str) -> None:
        self._line.write([Refused(self.n, what, why)])
        self.tell(why)

    # What the host says of it

    def said(self, name: str, payload: bytes, _: bool) -> bool:  # noqa: FBT001 (a callback's shape)
        """A request of the host: how the program ended, above all."""
        if name not in ("exit-status", "exit-signal", "xon-xoff", "eow@openssh.com"):
            return False
        with suppress(PacketDecodeError):
            packet = SSHPacket(payload)
            if name == "exit-status":
                self.watch.status = packet.get_uint32()
            elif name == "exit-signal":
                self.watch.signal = text_of(packet.get_string())[:32]
        if isinstance(self.near, Near):
            self.near.say(name, payload)
        return True

    # What passes

    def from_client(self, data: bytes) -> None:
        self._pass(data, self.watch.sent, self.far, None)

    def from_host(self, data: bytes, datatype: int | None) -> None:
        error = datatype == EXTENDED_DATA_STDERR
        deaf = self._deaf and not error
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

    # Who cannot take more slows the other down

    def room(self, end: str, why: str, *, room: bool) -> None:
        """Whether the `client` or the `host` can take more; `why` is the channel or the whole connection."""
        full = self._full[end]
        (full.discard if room else full.add)(why)
        if full:
            self._source(end, read=False)
        else:  # not at once: what has waited would be passed on from in here, fill that end and empty it again
            asyncio.get_running_loop().call_soon(self._read_on, end)

    def _read_on(self, end: str) -> None:
        if not self._full[end]:
            self._source(end, read=True)

    def _source(self, end: str, *, read: bool) -> None:
        source = self.far if end == "client" else self.near
        if source is not None and self._started and not self._over:
            (source.resume_reading if read else source.pause_reading)()

    # From outside

    def tell(self, text: str) -> None:
        """A line of ours, unless the client does not read what it has already."""
        if self.near is None or not self._started or self._full["client"]:
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
            try:
                if self._started:
                    self._line.write(self.watch.over())
            except RecorderFailed as error:
                self._line.failed(error)
            self._line.gone(self)
        for end in ends or (self.near, self.far):
            if end is not None:
                end.close()

    def forwards(self) -> None:
        """It is a forwarded connection: nothing has to be asked for first."""
        self._started = True
        self.watch = Watch(self.n, keeps_input=False)


_Handler = Callable[[Program, str, SSHPacket, bool], "bool | None"]
_REQUESTS: dict[str, _Handler] = {
    "pty-req": Program._terminal,
    "env": Program._variable,
    "window-change": Program._resized,
    "signal": Program._signalled,
    "break": Program._signalled,
    "eow@openssh.com": Program._deafened,
}


class NearEnd(SSHServerSession[bytes]):
    """What asyncssh calls for the client's channel."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def connection_made(self, chan: Any) -> None:
        self._program.near = chan

    def data_received(self, data: bytes, _: int | None) -> None:
        self._program.from_client(data)

    def eof_received(self) -> bool:
        self._program.ended_by("client")
        return True

    def pause_writing(self) -> None:
        self._program.room("client", "channel", room=False)

    def resume_writing(self) -> None:
        self._program.room("client", "channel", room=True)

    def connection_lost(self, _: Exception | None) -> None:
        self._program.lost("client")


class FarEnd(SSHClientSession[bytes]):
    """What asyncssh calls for the host's channel."""

    def __init__(self, program: Program) -> None:
        self._program = program

    def connection_made(self, chan: Any) -> None:
        self._program.far = chan

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._program.from_host(data, datatype)

    def eof_received(self) -> bool:
        self._program.ended_by("host")
        return True

    def pause_writing(self) -> None:
        self._program.room("host", "channel", room=False)

    def resume_writing(self) -> None:
        self._program.room("host", "channel", room=True)

    def connection_lost(self, _: Exception | None) -> None:
        self._program.lost("host")
