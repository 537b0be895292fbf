"""The old protocol of `scp` (`scp -O`, `scp -t`, `scp -f`) as it passes: every file, its size and hash. No I/O.

One side sends, the other acknowledges each line and each file with a zero byte, or complains (byte 1 or 2 and a line).
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace

from gateways.ssh.acts import Act, Fed, FileAnswered, FileAsked, FileDone, FilePassed, Opaque
from gateways.ssh.tally import Tally
from gateways.ssh.text import path_of, placed

LONGEST = 8192  # bytes of a line
EVERY = 8 << 20
_LOOKED_AT = 20_000  # characters of a command
_FILE = re.compile(rb"([CD])([0-7]{4,6}) ([0-9]{1,19}) ([^\0\n]+)")
_TIMES = re.compile(rb"T[0-9]+ [0-9]+ [0-9]+ [0-9]+")
#: with nothing in it that shells read otherwise than we do, but for what they put in the place of a pattern
_COMMAND = re.compile(
    r"(?:/usr/bin/|/bin/)?scp(?P<options>(?: +-[rpvdqtf]+)+)(?: +--)?(?P<paths>(?: +[^\s\x00-\x1f\x7f;&|<>`$()#-]"
    r"[^\x00-\x1f\x7f;&|<>`$()#]*)?)"
)
_EXPANDED = re.compile(r"[*?\[{~!^\\]|(?:\A|[\s'\"])=")  # `=ls`: what zsh puts the path of a program for
#: what only the far end of a copy is called with, wherever in a line
_PART, _SCP = re.compile(r"[;&|\n]"), re.compile(r"(?:^|[^\w.-])scp(?=\s)")
_FAR_END = re.compile(r"\s-[A-Za-z]*[tf](?=\s|$)")


class NotRcp(Exception):
    """The sender speaks something else; the text says in what it differs."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What a command line of the far `scp` says: whether it `sends`, which paths it was given, and whether the one to
    write to `is_directory` for certain. Not `is_certain`: a shell puts other paths in their place."""

    sends: bool
    paths: tuple[str, ...]
    is_directory: bool = False
    is_certain: bool = True

    def place(self, name: str) -> tuple[str, str]:
        """Of a file at the top: its path, and what it is called there should that path be a directory."""
        if not self.sends:
            path = self.paths[-1]
            return (posixpath.join(path, name), "") if self.is_directory else (path, name)
        paths = [path.rstrip("/") or "/" for path in self.paths]
        path = next((path for path in paths if posixpath.basename(path) == name), paths[0])
        return posixpath.join(posixpath.dirname(path), name), ""


def read_command(command: str) -> Copy | None:
    """None where it is anything but a plain `scp -t` or `scp -f`, by itself, as `scp` writes it: what a shell would
    expand, cut off as a comment, or take for the value of an option, may be all sorts of things."""
    found = _COMMAND.fullmatch(command)
    if found is None:
        return None
    try:
        paths = shlex.split(found["paths"])
    except ValueError:
        return None
    flags = {flag for word in found["options"].split() for flag in word[1:]}
    if not paths or any(path.startswith("-") for path in paths):
        return None
    if ("t" in flags) == ("f" in flags) or ("t" in flags and len(paths) > 1):
        return None
    is_certain = not _EXPANDED.search(found["paths"])
    return Copy("f" in flags, tuple(paths), "d" in flags, is_certain)


def poses(command: str) -> bool:
    """Whether it looks like the far end of a copy, and is not taken for one."""
    parts = _PART.split(command[:_LOOKED_AT])
    called = ((part, found.end()) for part in parts if (found := _SCP.search(part)) is not None)
    return any(_FAR_END.search(part, at) for part, at in called) and read_command(command) is None


@dataclass(slots=True)
class _File:
    number: int
    left: int
    passed: Tally = field(default_factory=Tally)
    told: int = 0


@dataclass
class Rcp:
    """One copy, `n` among the connection's programs."""

    n: int
    copy: Copy
    _line: bytearray = field(default_factory=bytearray)
    _below: list[str] = field(default_factory=list)  # the directories that we are in, as paths
    _file: _File | None = None
    _asked: int = 0
    _verdict: bool = False  # the byte after a file's content is due
    _answer: bytearray = field(default_factory=bytearray)
    _complaint: bool = False
    #: what the side that acknowledges has still to answer, and what is told when it does; its first word is unasked
    _due: deque[FileAnswered | FileDone | None] = field(default_factory=lambda: deque([None]))
    broken: bool = False  # no scp any more

    def sent(self, data: bytes) -> list[Act]:
        """The client's, before they are forwarded."""
        return self._acts(self._answers(data) if self.copy.sends else self._stream(data))

    def received(self, data: bytes) -> list[Act]:
        """The host's."""
        return self._acts(self._stream(data) if self.copy.sends else self._answers(data))

    def over(self) -> list[Act]:
        """A file that did not come to its end, or of which nobody said so."""
        file, self._file = self._file, None
        left = [self._done(file, closed=False)] if file is not None else []
        left += [replace(act, closed=False) for act in self._due if isinstance(act, FileDone)]
        self._due.clear()
        return list(left)

    def _acts(self, told: Iterator[Act]) -> list[Act]:
        acts: list[Act] = []
        try:
            for act in told:
                acts.append(act)  # noqa: PERF402 (what was told before the fault counts)
        except NotRcp as error:
            self.broken = True
            acts += [Opaque(self.n, str(error)), *self.over()]
        return acts

    # The side that sends

    def _stream(self, data: bytes) -> Iterator[Act]:
        """Nothing before the other side has answered what came before: it may have taken it for something else."""
        rest = memoryview(data)
        while rest:
            if self._due:
                raise NotRcp("a sender that does not wait for answers")
            if self._file is not None and self._file.left:
                rest = yield from self._content(self._file, rest)
            elif self._verdict:
                yield from self._judged(rest[0])
                rest = rest[1:]
            else:
                rest = yield from self._letter(rest)

    def _content(self, file: _File, data: memoryview) -> Generator[Act, None, memoryview]:
        piece = data[: file.left]
        file.passed.take(piece)
        file.left -= len(piece)
        self._verdict = not file.left
        if file.passed.size - file.told >= EVERY:
            file.told = file.passed.size
            yield FilePassed(self.n, file.number, *self._both(file.told))
        return data[len(piece) :]

    def _judged(self, verdict: int) -> Iterator[Act]:
        """The byte after the content: zero, or the sender could not read all of it and says so in a line."""
        file, self._file, self._verdict = self._file, None, False
        assert file is not None  # content is only ever that of a file
        if verdict:
            yield self._done(file, error="the sender could not read all of it")
            self._line += bytes([verdict])
        else:
            self._due.append(self._done(file))

    def _letter(self, data: memoryview) -> Generator[Act, None, memoryview]:
        end = bytes(data[: LONGEST + 1]).find(b"\n")
        self._line += data if end < 0 else data[: end + 1]
        if len(self._line) > LONGEST:
            raise NotRcp(f"a line of more than {LONGEST} bytes")
        if end < 0:
            return data[len(data) :]
        line, self._line = bytes(self._line[:-1]), bytearray()
        yield from self._said(line)
        return data[end + 1 :]

    def _said(self, line: bytes) -> Iterator[Act]:
        if line[:1] in (b"\1", b"\2"):
            if not self.copy.sends:  # whatever answers to the name of scp may do with that what it likes
                yield from (Fed(self.n, line + b"\n"), Opaque(self.n, "a sender that complains"))
            return
        if line == b"E" and self._below:
            self._below.pop()
        if line == b"E" or _TIMES.fullmatch(line):
            self._due.append(None)
            return
        found = _FILE.fullmatch(line)
        if found is None:
            raise NotRcp("a line that is not of scp")
        name = path_of(found[4])
        path, to = (posixpath.join(self._below[-1], name), "") if self._below else self.copy.place(name)
        self._asked += 1
        if found[1] == b"D":
            self._below.append(path)
            self._due.append(FileAnswered(self.n, self._asked))
            yield FileAsked(self.n, self._asked, "list" if self.copy.sends else "mkdir", path, self._placed(path), to)
            return
        self._due.append(None)
        size = int(found[3])
        yield FileAsked(self.n, self._asked, self._op, path, self._placed(path), to, size)
        self._file, self._verdict = _File(self._asked, size), size == 0

    # The side that acknowledges

    def _answers(self, data: bytes) -> Iterator[Act]:
        for byte in data:
            if self._complaint:
                yield from self._complained(byte)
            elif byte in (1, 2):
                self._complaint = True
            elif byte != 0 or not self._due:
                raise NotRcp("an answer that is not of scp")
            elif (act := self._due.popleft()) is not None:
                yield act

    def _complained(self, byte: int) -> Iterator[Act]:
        if byte != 10 and len(self._answer) < LONGEST:
            self._answer.append(byte)
            return
        said, self._answer, self._complaint = path_of(bytes(self._answer)), bytearray(), False
        due = self._due.popleft() if self._due else None
        if isinstance(due, FileDone):
            yield replace(due, error=said)
        else:
            self._file, self._verdict = None, False  # no content follows
            yield FileAnswered(self.n, self._asked, said)

    def _placed(self, path: str) -> str:
        return placed(path, "") if self.copy.is_certain else ""

    @property
    def _op(self) -> str:
        return "read" if self.copy.sends else "write"

    def _both(self, size: int) -> tuple[int, int]:
        """Read and written, as seen by the person."""
        return (size, 0) if self.copy.sends else (0, size)

    def _done(self, file: _File, *, closed: bool = True, error: str = "") -> FileDone:
        digest = file.passed.digest if closed and not error else ""
        read, written = ("", digest) if not self.copy.sends else (digest, "")
        return FileDone(self.n, file.number, *self._both(file.passed.size), read, written, closed, error)
