"""Writing a recording: when `write` returns, the records are the operating system's, and outlive this process."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from audit.recording.form import LENGTH, LONGEST, Header, Record, Sealer, grown


class RecorderFailed(Exception):
    """The recording cannot be written. Nothing may pass that is not recorded, so the session has to end."""


class Recorder:
    """One session's file. Never appended to by anybody else, never opened again once it is closed."""

    def __init__(self, path: Path, header: Header, key: bytes) -> None:
        """Raises RecorderFailed, also where the file is already there."""
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
        self._put(line)

    @property
    def at(self) -> int:
        """Microseconds since the beginning, by a clock that only goes forward."""
        return (time.monotonic_ns() - self._began) // 1000

    def write(self, kind: str, data: dict[str, Any]) -> None:
        """One record. Raises RecorderFailed."""
        self.write_all([Record(self.at, kind, data)])

    def write_all(self, records: Sequence[Record], *, last: bool = False) -> None:
        """Some that belong together: all of them can be read back, or none. Raises RecorderFailed."""
        frame = self._sealer.seal(self._frames, records, last=last)
        if len(frame) > LENGTH.size + LONGEST:
            raise RecorderFailed("The recording cannot be written: this is more at once than could be read back.")
        self._put(frame)
        self._frames += 1
        self.records += len(records)
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
            raise RecorderFailed(f"The recording cannot be written: {error.strerror}.") from error
        self.size += len(data)
