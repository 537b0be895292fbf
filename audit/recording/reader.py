"""Reading a recording back, also one whose end is torn off, and one that is still being written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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
    size: int = 0  # bytes of what is hashed
    frames: int = 0
    complete: bool = False
    torn: int = 0

    def grow(self, frame: bytes) -> None:
        self.hash, self.frames, self.size = grown(self.hash, frame), self.frames + 1, self.size + len(frame)


class Known:
    """What the log says of a recording: its running hashes, in hex, by how long it was then."""

    def __init__(self, hashes: Iterable[tuple[int, str]]) -> None:
        self._hashes = sorted({(size, digest) for size, digest in hashes if size})
        self._next = 0

    def hold(self, reading: Reading) -> None:
        """Raises Broken: where it begins to be another one is between here and what the log said before."""
        while self._next < len(self._hashes) and self._hashes[self._next][0] <= reading.size:
            size, digest = self._hashes[self._next]
            self._next += 1
            if size != reading.size or digest != reading.hash.hex():
                frame = f"frame {reading.frames - 1}" if reading.frames else "its header"
                raise Broken(f"up to {frame} ({size} bytes) it is not the one that the log knows")

    def hold_end(self, reading: Reading) -> None:
        """Raises Broken."""
        if self._next < len(self._hashes):
            size = self._hashes[-1][0]
            raise Broken(f"it ends after {reading.size} bytes, and the log knows of {size}")


class Recording:
    """One recording, in a file or wherever it is opened. Reading it twice begins anew."""

    def __init__(self, place: Path | Callable[[], BinaryIO], key: bytes, known: Known | None = None) -> None:
        self._open: Callable[[], BinaryIO] = (lambda: place.open("rb")) if isinstance(place, Path) else place
        self._key = key
        self._known = known or Known(())

    def read(self) -> Iterator[tuple[Reading, Record]]:
        """Its records in order, with how far that is. Raises Broken at the first frame that is not what was written.

        A frame whose end is missing was never acted on: its bytes had not passed when the writing stopped.
        """
        with self._open() as file:
            line = file.readline(LONGEST)
            sealer = Sealer.of(self._key, line)
            reading = Reading(header_of(line), sha256(line).digest(), len(line))
            self._known.hold(reading)
            while (frame := _next(file, reading)) is not None:
                records, last = sealer.open(reading.frames, frame[LENGTH.size :])
                if reading.complete:
                    raise Broken(f"frame {reading.frames} stands after the last one")
                reading.grow(frame)
                reading.complete = last
                self._known.hold(reading)
                for record in records:
                    yield reading, record
            self._known.hold_end(reading)
            self.reading = reading

    def hashes(self) -> Iterator[bytes]:
        """The running hash after the header and after each frame: no key is needed to hold it against the log."""
        with self._open() as file:
            for reading in walked(file):
                yield reading.hash


def walked(file: BinaryIO) -> Iterator[Reading]:
    """How far an open file is after its header and after each frame: always the same value, which moves on.

    Raises Broken.
    """
    line = file.readline(LONGEST)
    reading = Reading(header_of(line), sha256(line).digest(), len(line))
    yield reading
    while (frame := _next(file, reading)) is not None:
        reading.grow(frame)
        yield reading


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
