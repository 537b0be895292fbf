"""A directory in the C2SP tlog-tiles layout: checkpoint, tile/<L>/<N>[.p/<W>], tile/entries/<N>[.p/<W>]."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..notes import Checkpoint, Malformed
from ..report import Tampered, Unreadable
from ..tree import WIDTH
from . import Block, Signed, Source, Tile


class TileDirectory(Source):
    """Everything that its one checkpoint covers."""

    has_tiles = True

    def __init__(self, directory: str) -> None:
        self.name, self._root = directory, Path(directory)
        try:
            self._note = (self._root / "checkpoint").read_text(encoding="utf-8")
            self.end = self.size = Checkpoint.parse(self._note).size
        except (OSError, UnicodeDecodeError, Malformed) as error:
            raise Unreadable(f"{directory} holds no checkpoint that can be read: {error}.") from error

    def blocks(self) -> Iterator[Block]:
        for index, width in _widths(self.size):
            raw = self._read("entries", index, width)
            if raw is None:
                raise Tampered("sequence", "is missing: there is no entry bundle that holds it", index * WIDTH)
            yield Block(_entries(raw, index * WIDTH, width))

    def checkpoints(self) -> Iterator[Signed]:
        yield Signed(self.size, self._note)

    def tiles(self, level: int) -> Iterator[Tile]:
        for index, width in _widths(self.size >> 8 * level):
            raw = self._read(str(level), index, width)
            if raw is None:
                raise Tampered("tiles", f"tile {index} of level {level} is missing", (index * WIDTH) << 8 * level)
            yield Tile(index, raw)

    def _read(self, kind: str, index: int, width: int) -> bytes | None:
        """The file itself, or for the last one its `.p` form. None when neither is there."""
        path = self._root / "tile" / kind / _path(index)
        for each in (path, path.with_name(f"{path.name}.p") / str(width)):
            try:
                return each.read_bytes()
            except OSError:
                continue
        return None


def _widths(count: int) -> Iterator[tuple[int, int]]:
    for index in range(-(-count // WIDTH)):
        yield index, min(WIDTH, count - index * WIDTH)


def _path(index: int) -> str:
    """1234067 → x001/x234/067."""
    parts = [f"{index % 1000:03d}"]
    while index := index // 1000:
        parts.insert(0, f"x{index % 1000:03d}")
    return "/".join(parts)


def _entries(raw: bytes, first: int, width: int) -> list[bytes]:
    """Each entry is preceded by its length in two bytes, big-endian."""
    bodies, at = [], 0
    while at + 2 <= len(raw):
        length = int.from_bytes(raw[at : at + 2])
        bodies.append(raw[at + 2 : at + 2 + length])
        at += 2 + length
    if at != len(raw) or len(bodies) < width:
        raise Tampered("sequence", f"the entry bundle is cut short: it holds {len(bodies)} of {width}", first)
    return bodies[:width]
