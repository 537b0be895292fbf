"""Reading a recording back, also one whose end is torn off, and one that is still being written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from audit.recording.form import LENGTH, LONGEST, Broken, Header, Record, Sealer, grown, header_of


@dataclass
class Reading:
    """Where the reading has come to. `complete`: the last frame has been read. `torn`: bytes of a frame cut short."""

    header: Header
    hash: bytes
    frames: int = 0
    complete: bool = False
    torn: int = 0


class Recording:
    """One recording's file. Reading it twice begins anew."""

    def __init__(self, path: Path, key: bytes) -> None:
        self._path = path
        self._key = key

    def read(self) -> Iterator[tuple[Reading, Record]]:
        """Its records in order, with how far that is. Raises Broken at the first frame that is not what was written.

        A frame whose end is missing was never acted on: its bytes had not passed when the writing stopped.
        """
        with self._path.open("rb") as file:
            line = file.readline(LONGEST)
            sealer = Sealer.of(self._key, line)
            reading = Reading(header_of(line), sha256(line).digest())
            while (frame := _next(file, reading)) is not None:
                records, last = sealer.open(reading.frames, frame[LENGTH.size :])
                if reading.complete:
                    raise Broken(f"frame {reading.frames} stands after the last one")
                reading.hash, reading.frames = grown(reading.hash, frame), reading.frames + 1
                reading.complete = last
                for record in records:
                    yield reading, record
            self.reading = reading

    def hashes(self) -> Iterator[bytes]:
        """The running hash after the header and after each frame: no key is needed to hold it against the log."""
        with self._path.open("rb") as file:
            line = file.readline(LONGEST)
            reading = Reading(header_of(line), sha256(line).digest())
            yield reading.hash
            while (frame := _next(file, reading)) is not None:
                reading.hash = grown(reading.hash, frame)
                yield reading.hash


def _next(file: BinaryIO, reading: Reading) -> bytes | None:
    head = file.read(LENGTH.size)
    if len(head) == LENGTH.size:
        (length,) = LENGTH.unpack(head)
        if length > LONGEST:
            raise Broken(f"frame {reading.frames} cannot have {length} bytes")
        sealed = file.read(length)
        if len(sealed) == length:
            return head + sealed
        head += sealed
    reading.torn = len(head)
    return None
