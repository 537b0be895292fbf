"""The acts of an SSH session as what was done in it: one for each command and file, once it is over. Pure.

Fed with the same acts again, from a recording for instance, the same comes out in the same order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from gateways.ssh.acts import (
    Act,
    CommandBegan,
    CommandEnded,
    Ended,
    Fed,
    FileAnswered,
    FileAsked,
    FileDone,
    LineEntered,
    Opaque,
    Refused,
    Shown,
    Started,
)

OK, UNKNOWN, REFUSED = "ok", "unknown", "refused"
MOST_FED = 8_000  # bytes of what was fed to a command
_LOOKS = ("stat", "readlink")  # these stand in the recording alone: clients ask them by the thousand
_OPENS = ("read", "write", "read+write", "open")  # answered twice: when it is open, and when it is over


@dataclass(slots=True)
class Run:
    """A program, a line at a terminal, a forwarded connection, or something that was not let through.

    `kind` is CommandRun's; `at` is in microseconds since the session's beginning. `unclear`: bytes of it are not what
    they were taken for.
    """

    at: int
    n: int
    kind: str
    text: str
    exact: bool = True
    terminal: bool = False
    lasted: int | None = None
    outcome: str = UNKNOWN
    status: int | None = None
    sent: int | None = None
    received: int | None = None
    fed: bytes = b""
    unclear: bool = False

    def over(self, at: int, outcome: str) -> Run:
        self.lasted, self.outcome = at - self.at, outcome
        return self


@dataclass(slots=True)
class Touched:
    """A file operation. `size`, of what passed, and its SHA-256, where it has one."""

    at: int
    asked: FileAsked
    lasted: int | None = None
    outcome: str = UNKNOWN
    size: int | None = None
    sha256: str = ""

    def over(self, at: int, outcome: str) -> Touched:
        self.lasted, self.outcome = at - self.at, outcome
        return self


Done = Run | Touched


@dataclass
class Runs:
    """Takes act after act; gives back what is over with it."""

    _programs: dict[int, Run] = field(default_factory=dict)
    _lines: dict[int, Run] = field(default_factory=dict)  # what runs in a terminal, by its program
    _files: dict[int, dict[int, Touched]] = field(default_factory=dict)  # by program and number

    def take(self, at: int, act: Act) -> Iterator[Done]:
        match act:
            case Shown():
                pass  # most acts are
            case Started(n, what, text, screen):
                self._programs[n] = Run(at, n, what, text, terminal=screen is not None)
            case Refused(n, what):
                yield Run(at, n, "request", what).over(at, REFUSED)
            case Fed(n, data) if (run := self._programs.get(n)) is not None:
                run.fed += data[: max(0, MOST_FED - len(run.fed))]
            case Opaque(n) if (run := self._programs.get(n)) is not None:
                run.unclear = True
            case CommandBegan() | LineEntered() | CommandEnded():
                yield from self._line(at, act)
            case FileAsked() | FileAnswered() | FileDone():
                yield from self._file(at, act)
            case Ended(n=n):
                yield from self._left(n)
                if (run := self._programs.pop(n, None)) is not None:
                    yield _ended(run, at, act)

    def rest(self) -> Iterator[Done]:
        """At the end: what was still running has no outcome that anybody knows."""
        for n in sorted({*self._programs, *self._lines, *self._files}):
            yield from self._left(n)
            if (run := self._programs.pop(n, None)) is not None:
                yield run

    def _line(self, at: int, act: CommandBegan | LineEntered | CommandEnded) -> Iterator[Run]:
        """A shell runs one after the other: what no end was told of is over when the next one begins."""
        if isinstance(act, LineEntered):
            yield Run(at, act.n, "seen", act.text, exact=False, terminal=True).over(at, UNKNOWN)
            return
        if (before := self._lines.pop(act.n, None)) is not None:
            if isinstance(act, CommandEnded):
                before.status = act.status
                before.over(at, _said(act.status))
            yield before
        if isinstance(act, CommandBegan):
            self._lines[act.n] = Run(at, act.n, "typed", act.text, exact=act.exact, terminal=True)

    def _file(self, at: int, act: FileAsked | FileAnswered | FileDone) -> Iterator[Touched]:
        files = self._files.setdefault(act.n, {})
        if isinstance(act, FileAsked):
            if act.op not in _LOOKS:
                files[act.file] = Touched(at, act)
            return
        file = files.get(act.file)
        if file is None or (isinstance(act, FileAnswered) and not act.error and file.asked.op in _OPENS):
            return
        del files[act.file]
        yield file.over(at, act.error or OK) if isinstance(act, FileAnswered) else _done(file, at, act)

    def _left(self, n: int) -> Iterator[Done]:
        """What a program leaves behind without an end."""
        yield from self._files.pop(n, {}).values()
        if (line := self._lines.pop(n, None)) is not None:
            yield line


def _done(file: Touched, at: int, act: FileDone) -> Touched:
    file.size = act.read + act.written
    if not (act.read and act.written):
        file.sha256 = act.read_sha256 or act.written_sha256
    return file.over(at, act.error or (OK if act.closed else "not closed"))


def _ended(run: Run, at: int, act: Ended) -> Run:
    run.sent, run.received, run.status = act.sent, act.received, act.status
    if act.error or act.signal:
        return run.over(at, act.error or f"signal {act.signal}")
    if act.status is not None:
        return run.over(at, _said(act.status))
    return run.over(at, OK if run.kind == "forward" else UNKNOWN)


def _said(status: int) -> str:
    return OK if status == 0 else f"exit {status}"
