"""One program as it runs: what goes in and comes out of it is told as acts, by what it is. No I/O.

A terminal's output is kept whole. Without a terminal, output is counted and hashed, and input kept while it is text,
up to `KEPT`: a shell may be fed its commands. SFTP and the old `scp` are understood file by file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateways.ssh.acts import Act, Ended, Fed, Opaque, Passed, Screen, Shown
from gateways.ssh.marks import Marks
from gateways.ssh.rcp import NotRcp, Rcp, read_command
from gateways.ssh.sftp import Sftp
from gateways.ssh.tally import Tally

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
    keeps_input: bool = True
    _sent: Tally = field(default_factory=Tally)
    _received: Tally = field(default_factory=Tally)
    _told: int = 0
    _ended: bool = False

    def __post_init__(self) -> None:
        self._marks = Marks(self.n, self.word) if self.word else None
        if self.screen is not None:
            self._sent.ordered = False
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
        if self.files is not None:
            return self._of_files(data, sent=True)
        if self.keeps_input:
            return self._fed(data)
        return self._progress()

    def received(self, data: bytes, *, error: bool = False) -> list[Act]:
        """The program's bytes; `error`: from its standard error."""
        self._received.take(data)
        if self.screen is not None:
            return [Shown(self.n, data), *(self._marks.feed(data) if self._marks else ())]
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
            self.status, self.signal,
        )  # fmt: skip
        return [*(self.files.over() if self.files else ()), ended]

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
        try:
            return self.files.sent(data) if sent else self.files.received(data)
        except NotRcp as error:
            self.files = None
            return [Opaque(self.n, str(error))]

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
