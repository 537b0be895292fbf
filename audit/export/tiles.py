"""The whole log as static files, for anybody to mirror: C2SP tlog-tiles.

`checkpoint`, `tile/LEVEL/N`, `tile/entries/N` (each body after its length in two bytes), and `.p/WIDTH` for what is
not full. Files never change once they are full, so writing again into the same directory adds what is new; the
checkpoint comes last, so that whoever reads meanwhile finds everything that it covers.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from audit.checkpoint import Checkpoint
from audit.export.rows import ExportError
from audit.tree import TILE_BITS, TILE_WIDTH, Tiles

Bodies = Callable[[int, int], Sequence[bytes]]  # of the entries [start, end)


def write_tiles(root: Path, signed: Checkpoint, tiles: Tiles, bodies: Bodies) -> None:
    """Everything that the checkpoint covers. Raises ExportError where the log lacks some of it, OSError."""
    for index, width in _widths(signed.size):
        start = index * TILE_WIDTH
        _keep(root / "tile" / "entries", index, width, lambda s=start, w=width: _bundle(bodies(s, s + w), s, w))  # type: ignore[misc]
    level, count = 0, signed.size
    while count:
        for index, width in _widths(count):
            _keep(root / "tile" / str(level), index, width, lambda at=(level, index, width): _hashes(tiles, *at))  # type: ignore[misc]
        level, count = level + 1, count >> TILE_BITS
    _write(root / "checkpoint", signed.note.encode())


def _widths(count: int) -> Iterator[tuple[int, int]]:
    for index in range(-(-count // TILE_WIDTH)):
        yield index, min(TILE_WIDTH, count - index * TILE_WIDTH)


def _keep(directory: Path, index: int, width: int, content: Callable[[], bytes]) -> None:
    path = directory.joinpath(*_name(index))
    if width < TILE_WIDTH:
        path = path.with_name(f"{path.name}.p") / str(width)
    if not path.exists():
        _write(path, content())


def _name(index: int) -> tuple[str, ...]:
    """1234067 is x001/x234/067."""
    parts = [f"{index % 1000:03d}"]
    while index := index // 1000:
        parts.insert(0, f"x{index % 1000:03d}")
    return tuple(parts)


def _bundle(bodies: Sequence[bytes], start: int, width: int) -> bytes:
    if len(bodies) != width:
        raise ExportError(f"The log lacks entries between {start} and {start + width - 1}.")
    return b"".join(len(body).to_bytes(2) + body for body in bodies)


def _hashes(tiles: Tiles, level: int, index: int, width: int) -> bytes:
    start = index * TILE_WIDTH
    if width == TILE_WIDTH and (full := tiles.tile(level, index)) is not None:
        return full
    found = tiles.tile_roots(level - 1, start, start + width) if level else tiles.leaves(start, start + width)
    if len(found) != width:
        raise ExportError(f"The log's tree lacks hashes of level {level} from {start} on.")
    return b"".join(found)


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
