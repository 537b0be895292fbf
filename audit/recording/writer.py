"""Writing a recording: when `write` returns, the records are the operating system's, and outlive this process."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from audit.recording.form import LENGTH, LONGEST, Header, Record, Sealer, grown
from audit.recording.redaction import Redaction
from audit.recording.room import RecorderFailed, Room

__all__ = ["Recorder", "RecorderFailed"]


class Recorder:
    """One session's file. Never appended to by anybody else, never opened again once it is closed.

    `redaction` is for whoever makes the records: nothing is taken out of them here.
    """

    def __init__(self, path: Path, header: Header, key: bytes, room: Room | None = None) -> None:
        """Raises RecorderFailed, also where the file is already there."""
        self.redaction = Redaction(raw=header.raw)
        self._room = room
        line = header.line()
        self.path = path
        self.hash = sha256(line).digest()
        self.size = 0
        self.records = 0
        self._sealer = Sealer.of(key, line)
        self._frames = 0
        self._began = time.monotonic_ns()
        self._clean = True  # nothing written since the last `sync`
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise RecorderFailed(f"The recording cannot be begun: {error.strerror}.") from error
        try:
            self._put(line)
        except RecorderFailed:
            self._let_go()
            path.unlink(missing_ok=True)
            raise

    @property
    def at(self) -> int:
        """Microseconds since the beginning, by a clock that only goes forward."""
        return (time.monotonic_ns() - self._began) // 1000

    def write(self, kind: str, data: dict[str, Any]) -> None:
        """One record. Raises RecorderFailed."""
        self.write_all([Record(self.at, kind, data)])

    def write_all(self, records: Sequence[Record], *, last: bool = False) -> None:
        """Some that belong together: all of them can be read back, or none. Raises RecorderFailed."""
        self._add(self._sealer.seal(self._frames, records, last=last), len(records), last=last)

    def write_lines(self, lines: bytes, count: int) -> None:
        """So many records that were made into lines elsewhere. Raises RecorderFailed."""
        self._add(self._sealer.seal_lines(self._frames, lines, last=False), count, last=False)

    def _add(self, frame: bytes, records: int, *, last: bool) -> None:
        if len(frame) > LENGTH.size + LONGEST:
            raise RecorderFailed("The recording cannot be written: this is more at once than could be read back.")
        if self._room is not None and not last:  # the last one is what the reserve is for
            self._room.take(len(frame))
        self._put(frame)
        self._frames += 1
        self.records += records
        self.hash = grown(self.hash, frame)

    def sync(self) -> None:
        """Also a power failure loses nothing of what was written before. Slow; raises RecorderFailed."""
        if self._clean:
            return
        self._clean = True
        try:
            os.fdatasync(self._file)
        except OSError as error:
            self._clean = False
            raise RecorderFailed(f"The recording cannot be made durable: {error.strerror}.") from error

    def look(self) -> None:
        """Whether there is still room, also where nothing is written. Raises RecorderFailed."""
        if self._room is not None:
            self._room.look()

    def close(self, why: str) -> None:
        """Its last record; without it, a reader says that the recording was cut off. Raises RecorderFailed."""
        try:
            self.write_all([Record(self.at, "end", {"why": why, "records": self.records})], last=True)
            self.sync()
        finally:
            self._let_go()

    def abandon(self) -> None:
        """After a failure: what stands, stands."""
        self._let_go()

    def _let_go(self) -> None:
        """The number may soon be another file's, so a write that comes too late must not find it."""
        file, self._file = self._file, -1
        if file >= 0:
            os.close(file)

    def _put(self, data: bytes) -> None:
        self._clean = False
        try:
            written = os.write(self._file, data)
            while written < len(data):
                written += os.write(self._file, data[written:])
        except OSError as error:
            self._take_back()
            raise RecorderFailed(f"The recording cannot be written: {error.strerror}.") from error
        self.size += len(data)

    def _take_back(self) -> None:
        """A piece of a frame, on a full disk: whatever is written behind it could not be read."""
        with contextlib.suppress(OSError):
            os.ftruncate(self._file, self.size)
