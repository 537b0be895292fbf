"""A recording's file while it is written: one sealed frame behind the other, and the running hash over them.

Where it could be compiled, the same is done in C (`_frames.c`), so that what is compiled itself can record as well.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable
from hashlib import sha256
from typing import Protocol

from audit.recording.form import TRIES, Sealer, grown


class FrameFile(Protocol):
    """Frames in an open file. `size` in bytes, `hash` as the log is told it."""

    @property
    def file(self) -> int:
        """Its descriptor; -1: closed."""
        ...

    @property
    def hash(self) -> bytes: ...

    @property
    def size(self) -> int: ...

    @property
    def records(self) -> int: ...

    def add(self, lines: bytes, records: int, last: bool = False) -> None:  # noqa: FBT001, FBT002 (as in C)
        """One frame of so many records, all of it or nothing. Raises OSError."""
        ...

    def close(self) -> None:
        """The number may soon be another file's, so that a write that comes too late must not find it."""
        ...

    def adder(self) -> object | None:
        """For compiled code, which adds frames by it; None: there is none here."""
        ...


class Frames:
    """`FrameFile` in Python."""

    def __init__(self, file: int, key: bytes, line: bytes) -> None:
        """Begins the file with its header line. Raises OSError."""
        self.file = file
        self.hash = sha256(line).digest()
        self.size = 0
        self.records = 0
        self._sealer = Sealer.of(key, line)
        self._number = self._failed = 0
        self._put(line)

    def add(self, lines: bytes, records: int, last: bool = False) -> None:  # noqa: FBT001, FBT002 (as in C)
        if self._failed >= TRIES:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        frame = self._sealer.seal(self._number, lines, last=last, failed=self._failed)
        self._put(frame)
        self._number, self._failed = self._number + 1, 0
        self.records += records
        self.hash = grown(self.hash, frame)

    def close(self) -> None:
        file, self.file = self.file, -1
        if file >= 0:
            os.close(file)

    def adder(self) -> object | None:
        return None

    def _put(self, data: bytes) -> None:
        try:
            written = os.write(self.file, data)
            while written < len(data):
                written += os.write(self.file, data[written:])
        except OSError:
            self._failed += 1
            with contextlib.suppress(OSError):  # a piece of a frame, on a full disk: what follows it could not be read
                os.ftruncate(self.file, self.size)
            raise
        self.size += len(data)


Made = Callable[[int, bytes, bytes], FrameFile]
fastest: Made = Frames
try:
    from audit.recording import _frames
except ImportError:  # not compiled here
    COMPILED = False
else:
    COMPILED, fastest = True, _frames.Frames
