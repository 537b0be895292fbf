"""One program as it runs: what goes in and comes out of it is told as acts, by what it is. No I/O.

A terminal's output is kept whole. Without a terminal, output is counted and hashed, and input kept while it is text,
up to `KEPT`: a shell may be fed its commands. SFTP and the old `scp` are understood file by file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from asyncssh.packet import SSHPacket

from gateways.ssh.acts import Act, Ended, Fed, Opaque, Passed, Screen, Shown
from gateways.ssh.rcp import Rcp, read_command
from gateways.ssh.sftp import Sftp
from gateways.ssh.tally import Tally
from gateways.ssh.text import text_of
from gateways.ssh.typed import Typed

KEPT = 1 << 20  # bytes of a program's input
EVERY = 8 << 20  # bytes between two reports


@dataclass
class Watch:
    """The program `n`. `word`: what its command marks carry, where it is a shell that makes some.

    `sent` and `received` are asked before the bytes go on. Raise NotSftp: such a program is not let go on.
    """

    n: int
    screen: Screen | None = None
    word: str = ""
    files: Sftp | Rcp | None = None
    status: int | None = None
    signal: str = ""
    error: str = ""  # why it never began
    keeps_input: bool = True
    _sent: Tally = field(default_factory=Tally)
    _received: Tally = field(default_factory=Tally)
    _told: int = 0
    _ended: bool = False

    def __post_init__(self) -> None:
        self._typed = Typed(self.n, self.word, self.screen.columns) if self.screen is not None else None
        if self.screen is not None:
            self._sent.ordered = False
        if isinstance(self.files, Sftp):  # each file has its own
            self._sent.ordered = self._received.ordered = False
        self.keeps_input = self.keeps_input and self.screen is None and self.files is None

    @classmethod
    def of(cls, n: int, what: str, text: str, screen: Screen | None) -> Watch:
        """By what was asked for."""
        if what == "subsystem" and text == "sftp":
            return cls(n, files=Sftp(n))
        copy = read_command(text) if what == "command" and screen is None else None
        return cls(n, screen, files=Rcp(n, copy) if copy else None)

    def sent(self, data: bytes) -> list[Act]:
        """The client's bytes."""
        self._sent.take(data)
        if self._typed is not None:
            self._typed.sent(data)
        if self.files is not None:
            return self._of_files(data, sent=True)
        if self.keeps_input:
            return self._fed(data)
        return self._progress()

    def received(self, data: bytes, *, error: bool = False) -> list[Act]:
        """The program's bytes; `error`: from its standard error."""
        self._received.take(data)
        if self._typed is not None:
            return [Shown(self.n, data), *self._typed.received(data)]
        if self.files is not None and not error:
            return self._of_files(data, sent=False)
        return self._progress()

    def over(self) -> list[Act]:
        """Once, at its end; what is asked after that is nothing."""
        if self._ended:
            return []
        self._ended = True
        ended = Ended(
            self.n, self._sent.size, self._received.size, self._sent.digest, self._received.digest,
            self.status, self.signal, self.error,
        )  # fmt: skip
        return [*(self.files.over() if self.files else ()), *(self._typed.over() if self._typed else ()), ended]

    def exits(self, name: str, packet: SSHPacket) -> None:
        """How the host says that it ended. Raises asyncssh's PacketDecodeError."""
        if name == "exit-status":
            self.status = packet.get_uint32()
        elif name == "exit-signal":
            self.signal = text_of(packet.get_string())[:32]

    def resized(self, columns: int) -> None:
        if self._typed is not None:
            self._typed.resized(columns)

    def moved(self) -> list[Act]:
        """How far it is, when that has changed since it was last told."""
        total = self._sent.size + self._received.size
        if self._ended or total == self._told or self.screen is not None:
            return []
        self._told = total
        return [Passed(self.n, self._sent.size, self._received.size)]

    def _progress(self) -> list[Act]:
        total = self._sent.size + self._received.size
        return self.moved() if total - self._told >= EVERY else []

    def _of_files(self, data: bytes, *, sent: bool) -> list[Act]:
        assert self.files is not None
        acts = self.files.sent(data) if sent else self.files.received(data)
        if isinstance(self.files, Rcp) and self.files.broken:
            self.files, self.keeps_input = None, True
            return [*acts, *(self._fed(data) if sent else ())]
        return acts

    def _fed(self, data: bytes) -> list[Act]:
        """A byte of zero, or much that is no text, and it is taken for data."""
        kept = data[: max(0, KEPT - self._sent.size + len(data))]
        if b"\0" in data or data.decode("utf-8", "replace").count("\ufffd") > len(data) // 8:
            kept = b""
        acts: list[Act] = [Fed(self.n, kept)] if kept else []
        if len(kept) < len(data):
            self.keeps_input = False
            acts.append(Opaque(self.n, f"input is kept as text, and up to {KEPT} bytes"))
        return acts
