"""SFTP version 3 as it passes: which file is opened, read, written, renamed or removed, and what came of it. No I/O.

Bytes of either side go in as they pass; acts come out, those of the client before its bytes are forwarded. Answers are
matched by their number, and several under one number in order, as the server gives them. A handle is looked up when
the answer comes: only then is it known which file the server meant by it.
(draft-ietf-secsh-filexfer-02, and OpenSSH's PROTOCOL for its extensions)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from gateways.ssh.acts import Act, FileAnswered, FileAsked, FileDone, FilePassed, Opaque
from gateways.ssh.sftp_packets import DATA, WRITE, NotSftp, Packets, Reader
from gateways.ssh.tally import Tally
from gateways.ssh.text import path_of, placed

VERSION = 3
EVERY = 8 << 20  # bytes of a file between two reports of how far it is

_INIT, _VERSION, _OPEN, _CLOSE, _READ = 1, 2, 3, 4, 5
_FSTAT, _FSETSTAT, _READDIR, _REALPATH, _RENAME, _SYMLINK, _EXTENDED = 8, 10, 12, 16, 18, 20, 200
_STATUS, _HANDLE, _NAME = 101, 102, 104
_OPENDIR = 11
_CHANGES = 0x08 | 0x10  # SSH_FXF_CREAT, SSH_FXF_TRUNC
_ONE_PATH = {7: "stat", 9: "chmod", 13: "remove", 14: "mkdir", 15: "rmdir", 17: "stat", 19: "readlink"}
_TWO_PATHS = {b"posix-rename@openssh.com": "rename", b"hardlink@openssh.com": "link"}
_EXTENDED_PATH = {b"lsetstat@openssh.com": "chmod", b"statvfs@openssh.com": "stat"}
_SILENT = (b"limits@openssh.com", b"expand-path@openssh.com", b"home-directory", b"users-groups-by-id@openssh.com",
           b"fsync@openssh.com", b"fstatvfs@openssh.com", b"ranges@asyncssh.com")  # fmt: skip
_MEANT = {0: "", 1: "end of file", 2: "no such file", 3: "permission denied", 4: "failure", 5: "bad message",
          6: "no connection", 7: "connection lost", 8: "not supported"}  # fmt: skip


@dataclass(slots=True)
class _File:
    number: int
    path: str
    reading: Tally = field(default_factory=Tally)
    writing: Tally = field(default_factory=Tally)
    is_directory: bool = False
    closing: bool = False
    told: int = 0  # bytes at the last report


@dataclass(slots=True)
class _Due:
    """A request that the server has not answered."""

    kind: int
    number: int = 0  # of the file operation; 0: nothing is told of it
    path: str = ""
    handle: bytes = b""
    offset: int = 0
    size: int = 0  # of a WRITE
    hashed: _File | None = None  # the one its bytes were added to


@dataclass
class Sftp:
    """One run of the subsystem, `n` among the connection's programs."""

    n: int
    most_waiting: int = 16_384  # requests without an answer
    _files: dict[bytes, _File] = field(default_factory=dict)  # by handle
    _due: dict[int, deque[_Due]] = field(default_factory=dict)
    _waiting: int = 0
    _asked: int = 0
    _home: str = ""
    _client: Packets = field(default_factory=Packets)
    _server: Packets = field(default_factory=Packets)

    def sent(self, data: bytes) -> list[Act]:
        """The client's, before they are forwarded. Raises NotSftp."""
        return [act for kind, body in self._client.feed(data) for act in self._request(kind, body)]

    def received(self, data: bytes) -> list[Act]:
        """The host's. Raises NotSftp."""
        return [act for kind, body in self._server.feed(data) for act in self._answer(kind, body)]

    def over(self) -> list[Act]:
        """What is still open stays so no longer."""
        files, self._files = list(self._files.values()), {}
        return [_done(self.n, file, closed=False) for file in files if not file.is_directory]

    # What the client asks

    def _request(self, kind: int, body: Reader) -> Iterator[Act]:
        if kind == _INIT:
            return
        number = body.uint()
        due = _Due(kind)
        if kind == WRITE:
            self._write(due, body)
        elif kind in (_READ, _CLOSE, _READDIR, _FSTAT):
            self._by_handle(due, body)
        elif kind == _EXTENDED:
            yield from self._extended(due, body)
        elif kind in _REQUESTS:
            yield from _REQUESTS[kind](self, due, body)
        elif kind in _ONE_PATH:
            yield self._named(due, _ONE_PATH[kind], _path(body))
        else:
            yield Opaque(self.n, f"an SFTP request of kind {kind}")
        self._waiting += 1
        if self._waiting > self.most_waiting:
            raise NotSftp(f"more than {self.most_waiting} requests without an answer")
        self._due.setdefault(number, deque()).append(due)

    def _named(self, due: _Due, op: str, path: str, to: str = "") -> FileAsked:
        self._asked += 1
        due.number, due.path = self._asked, path
        return FileAsked(self.n, self._asked, op, path, placed(path, self._home), to)

    def _open(self, due: _Due, body: Reader) -> Iterator[Act]:
        path, flags = _path(body), body.uint()
        if flags & _CHANGES:  # hosts empty and make files also for those who only read
            flags |= 2
        op = {1: "read", 2: "write", 3: "read+write"}.get(flags & 3, "open")
        yield self._named(due, op, path)

    def _opendir(self, due: _Due, body: Reader) -> Iterator[Act]:
        yield self._named(due, "list", _path(body))

    def _rename(self, due: _Due, body: Reader) -> Iterator[Act]:
        path, to = _path(body), _path(body)
        yield self._named(due, "rename", path, to)

    def _symlink(self, due: _Due, body: Reader) -> Iterator[Act]:
        """OpenSSH takes the link's target first, other than the draft; all others have followed it."""
        target, link = _path(body), _path(body)
        yield self._named(due, "symlink", link, target)

    def _fsetstat(self, due: _Due, body: Reader) -> Iterator[Act]:
        yield self._named(due, "chmod", self._path_of(bytes(body.bytes())))

    def _realpath(self, due: _Due, body: Reader) -> Iterator[Act]:
        due.path = _path(body)
        yield from ()

    def _extended(self, due: _Due, body: Reader) -> Iterator[Act]:
        name = bytes(body.bytes())
        if name in _TWO_PATHS:
            path, to = _path(body), _path(body)
            yield self._named(due, _TWO_PATHS[name], path, to)
        elif name in _EXTENDED_PATH:
            yield self._named(due, _EXTENDED_PATH[name], _path(body))
        elif name == b"copy-data":
            source = self._path_of(bytes(body.bytes()))
            body.ulong(), body.ulong()
            target = bytes(body.bytes())
            self._disorder(target)
            yield self._named(due, "copy", source, self._path_of(target))
        elif name not in _SILENT:
            yield self._named(due, path_of(name), "")

    def _path_of(self, handle: bytes) -> str:
        file = self._files.get(handle)
        return file.path if file is not None and not file.closing else "(a handle that is not open yet)"

    def _disorder(self, handle: bytes) -> None:
        if handle in self._files:
            self._files[handle].writing.ordered = False

    def _by_handle(self, due: _Due, body: Reader) -> None:
        due.handle = bytes(body.bytes())
        if due.kind == _READ:
            due.offset = body.ulong()
        elif due.kind == _CLOSE and due.handle in self._files:
            self._files[due.handle].closing = True

    def _write(self, due: _Due, body: Reader) -> None:
        due.handle, due.offset, data = bytes(body.bytes()), body.ulong(), body.bytes()
        due.size = len(data)
        file = self._files.get(due.handle)
        if file is not None and not file.closing:
            due.hashed = file
            file.writing.take_at(due.offset, data)

    # What the host answers

    def _answer(self, kind: int, body: Reader) -> Iterator[Act]:
        first = body.uint()
        if kind == _VERSION:
            if first != VERSION:
                raise NotSftp(f"version {first} of SFTP; {VERSION} is understood here")
            return
        waiting = self._due.get(first)
        if not waiting:
            raise NotSftp("an answer to nothing")
        due = waiting.popleft()
        self._waiting -= 1
        if not waiting:
            del self._due[first]
        yield from self._settle(due, kind, body)

    def _settle(self, due: _Due, kind: int, body: Reader) -> Iterator[Act]:
        status = body.uint() if kind == _STATUS else 0
        if due.kind == WRITE:
            yield from self._written(due, ok=status == 0)
        elif due.kind == _READ and kind == DATA:
            yield from self._read(due, body.bytes())
        elif due.kind == _CLOSE:
            yield from self._closed(due, status)
        elif kind == _HANDLE and due.number:
            file = _File(due.number, due.path, is_directory=due.kind == _OPENDIR)
            self._files[bytes(body.bytes())] = file
            yield FileAnswered(self.n, due.number)
        elif due.kind == _REALPATH and kind == _NAME:
            self._learn(due, body)
        elif due.number:
            yield FileAnswered(self.n, due.number, _MEANT.get(status, f"status {status}"))

    def _learn(self, due: _Due, body: Reader) -> None:
        if due.path in (".", "") and body.uint() == 1:
            self._home = path_of(bytes(body.bytes()))

    def _written(self, due: _Due, *, ok: bool) -> Iterator[Act]:
        file = self._files.get(due.handle)
        if not ok:
            if due.hashed is not None:
                due.hashed.writing.skip(-due.size)
            return
        if file is None:
            return
        if due.hashed is not file:
            file.writing.skip(due.size)
        yield from self._progress(file)

    def _read(self, due: _Due, data: memoryview) -> Iterator[Act]:
        file = self._files.get(due.handle)
        if file is not None:
            file.reading.take_at(due.offset, data)
            yield from self._progress(file)

    def _progress(self, file: _File) -> Iterator[Act]:
        total = file.reading.size + file.writing.size
        if total - file.told >= EVERY:
            file.told = total
            yield FilePassed(self.n, file.number, file.reading.size, file.writing.size)

    def _closed(self, due: _Due, status: int) -> Iterator[Act]:
        file = self._files.pop(due.handle, None)
        if file is not None and not file.is_directory:
            yield _done(self.n, file, error=_MEANT.get(status, f"status {status}"))


_REQUESTS: dict[int, Callable[[Sftp, _Due, Reader], Iterator[Act]]] = {
    _OPEN: Sftp._open,
    _OPENDIR: Sftp._opendir,
    _RENAME: Sftp._rename,
    _SYMLINK: Sftp._symlink,
    _FSETSTAT: Sftp._fsetstat,
    _REALPATH: Sftp._realpath,
}


def _path(body: Reader) -> str:
    """Raises NotSftp: hosts take what stands before a byte of zero."""
    name = bytes(body.bytes())
    if b"\0" in name:
        raise NotSftp("a path with a byte of zero in it")
    return path_of(name)


def _done(n: int, file: _File, *, closed: bool = True, error: str = "") -> FileDone:
    reading, writing = file.reading, file.writing
    read, written = (tally.digest if tally.size else "" for tally in (reading, writing))
    return FileDone(n, file.number, reading.size, writing.size, read, written, closed, error)
