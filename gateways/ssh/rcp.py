"""The old protocol of `scp` (`scp -O`, `scp -t`, `scp -f`) as it passes: every file, its size and hash. No I/O.

One side sends, the other acknowledges each line and each file with a zero byte, or complains (byte 1 or 2 and a line).
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field

from gateways.ssh.acts import Act, FileAnswered, FileAsked, FileDone, FilePassed
from gateways.ssh.tally import Tally
from gateways.ssh.text import path_of, placed

LONGEST = 8192  # bytes of a line
EVERY = 8 << 20
_FILE = re.compile(rb"([CD])([0-7]{4,6}) ([0-9]{1,19}) ([^\0\n]+)")
_TIMES = re.compile(rb"T[0-9]+ [0-9]+ [0-9]+ [0-9]+")
_OPTIONS = re.compile(r"-[rpvdqtf]+")


class NotRcp(Exception):
    """The sender speaks something else; the text says in what it differs."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What a command line of the far `scp` says: whether it `sends`, which paths it was given, and whether the one to
    write to `is_directory` for certain."""

    sends: bool
    paths: tuple[str, ...]
    is_directory: bool = False

    def place(self, name: str) -> tuple[str, str]:
        """Of a file at the top: its path, and what it is called there should that path be a directory."""
        if not self.sends:
            path = self.paths[-1]
            return (posixpath.join(path, name), "") if self.is_directory else (path, name)
        paths = [path.rstrip("/") or "/" for path in self.paths]
        path = next((path for path in paths if posixpath.basename(path) == name), paths[0])
        return posixpath.join(posixpath.dirname(path), name), ""


def read_command(command: str) -> Copy | None:
    """None where it is anything but a plain `scp -t` or `scp -f`, by itself: what a shell would expand may be all
    sorts of things."""
    if re.search(r"[;&|<>`$()\n]", command):
        return None
    try:
        words = shlex.split(command)
    except ValueError:
        return None
    if len(words) < 3 or posixpath.basename(words[0]) != "scp":
        return None
    options = [word for word in words[1:] if _OPTIONS.fullmatch(word)]
    paths = [word for word in words[1:] if not word.startswith("-")]
    flags = {flag for word in options for flag in word[1:]}
    if not paths or ("t" in flags) == ("f" in flags):
        return None
    return Copy("f" in flags, tuple(paths), "d" in flags)


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

    def sent(self, data: bytes) -> list[Act]:
        """The client's, before they are forwarded. Raises NotRcp."""
        return list(self._answers(data) if self.copy.sends else self._stream(data))

    def received(self, data: bytes) -> list[Act]:
        """The host's. Raises NotRcp."""
        return list(self._stream(data) if self.copy.sends else self._answers(data))

    def over(self) -> list[Act]:
        """A file that did not come to its end."""
        file, self._file = self._file, None
        return [self._done(file, closed=False)] if file is not None else []

    # The side that sends

    def _stream(self, data: bytes) -> Iterator[Act]:
        rest = memoryview(data)
        while rest:
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
        yield self._done(file, error="" if verdict == 0 else "the sender could not read all of it")
        if verdict:
            self._line += bytes([verdict])

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
            return
        if line == b"E":
            if self._below:
                self._below.pop()
            return
        if _TIMES.fullmatch(line):
            return
        found = _FILE.fullmatch(line)
        if found is None:
            raise NotRcp("a line that is not of scp")
        name = path_of(found[4])
        path, to = (posixpath.join(self._below[-1], name), "") if self._below else self.copy.place(name)
        self._asked += 1
        if found[1] == b"D":
            self._below.append(path)
            yield FileAsked(self.n, self._asked, "list" if self.copy.sends else "mkdir", path, placed(path, ""), to)
            return
        size = int(found[3])
        yield FileAsked(self.n, self._asked, self._op, path, placed(path, ""), to, size)
        self._file, self._verdict = _File(self._asked, size), size == 0

    # The side that acknowledges

    def _answers(self, data: bytes) -> Iterator[Act]:
        for byte in data:
            if self._complaint:
                yield from self._complained(byte)
            elif byte in (1, 2):
                self._complaint = True
            elif byte != 0:
                raise NotRcp("an answer that is not of scp")

    def _complained(self, byte: int) -> Iterator[Act]:
        if byte != 10 and len(self._answer) < LONGEST:
            self._answer.append(byte)
            return
        said, self._answer, self._complaint = path_of(bytes(self._answer)), bytearray(), False
        yield FileAnswered(self.n, self._asked, said)

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
