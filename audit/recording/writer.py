"""Writing a recording: when `write` returns, the records are the operating system's, and outlive this process."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from audit.recording.form import LENGTH, LONGEST, TAG, Header, Record, lines_of
from audit.recording.frames import fastest
from audit.recording.redaction import Redaction
from audit.recording.room import RecorderFailed, Room

__all__ = ["Recorder", "RecorderFailed", "failure"]


class Recorder:
    """One session's file. Never appended to by anybody else, never opened again once it is closed.

    `redaction` is for whoever makes the records: nothing is taken out of them here.
    """

    def __init__(self, path: Path, header: Header, key: bytes, room: Room | None = None) -> None:
        """Raises RecorderFailed, also where the file is already there."""
        self.redaction = Redaction(raw=header.raw)
        self._room = room
        self.path = path
        self.began = time.monotonic_ns()
        self._synced = -1  # the size at the last `sync`
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise RecorderFailed(f"The recording cannot be begun: {error.strerror}.") from error
        try:
            self._frames = fastest(file, key, header.line())
        except OSError as error:
            os.close(file)
            path.unlink(missing_ok=True)
            raise failure(error) from error

    @property
    def size(self) -> int:
        return self._frames.size

    @property
    def records(self) -> int:
        return self._frames.records

    @property
    def hash(self) -> bytes:
        return self._frames.hash

    @property
    def at(self) -> int:
        """Microseconds since the beginning, by a clock that only goes forward."""
        return (time.monotonic_ns() - self.began) // 1000

    def write(self, kind: str, data: dict[str, Any]) -> None:
        """One record. Raises RecorderFailed."""
        self.write_all([Record(self.at, kind, data)])

    def write_all(self, records: Sequence[Record], *, last: bool = False) -> None:
        """Some that belong together: all of them can be read back, or none. Raises RecorderFailed."""
        self._add(lines_of(records), len(records), last=last)

    def write_lines(self, lines: bytes, count: int) -> None:
        """So many records that were made into lines elsewhere. Raises RecorderFailed."""
        self._add(lines, count, last=False)

    def lend(self, size: int) -> object | None:
        """What compiled code writes frames with, as many as fit into so many bytes. None where nothing is compiled.

        Raises RecorderFailed.
        """
        adder = self._frames.adder()
        if adder is not None and size and self._room is not None:
            self._room.lend(size)
        return adder

    def lent_back(self, size: int) -> None:
        """What was lent is not written by any more."""
        if self._room is not None:
            self._room.lent_back(size)

    def _add(self, lines: bytes, records: int, *, last: bool) -> None:
        size = LENGTH.size + len(lines) + TAG
        if size > LENGTH.size + LONGEST:
            raise RecorderFailed("The recording cannot be written: this is more at once than could be read back.")
        if self._room is not None and not last:  # the last one is what the reserve is for
            self._room.take(size)
        try:
            self._frames.add(lines, records, last)
        except OSError as error:
            raise failure(error) from error

    def sync(self) -> None:
        """Also a power failure loses nothing of what was written before. Slow; raises RecorderFailed."""
        size = self.size
        if size == self._synced:
            return
        try:
            os.fdatasync(self._frames.file)
        except OSError as error:
            raise RecorderFailed(f"The recording cannot be made durable: {error.strerror}.") from error
        self._synced = size

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
            self._frames.close()

    def abandon(self) -> None:
        """After a failure: what stands, stands."""
        self._frames.close()


def failure(error: OSError) -> RecorderFailed:
    return RecorderFailed(f"The recording cannot be written: {error.strerror}.")
