"""Roots and proofs out of the stored tree, reading a few tiles and never the whole log.

The tree is kept as C2SP tlog-tiles has it: a full tile of level k holds 256 hashes, each the root of a full tile of
level k - 1, at level 0 the leaf hashes. Only full tiles are stored; what an incomplete one would hold is read from
below. Everything here runs inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from sqlalchemy import Connection, bindparam, select
from sqlmodel import col

from audit.merkle import (
    HASH_BYTES,
    Node,
    Path,
    ProofError,
    Range,
    consistency_path,
    fold,
    inclusion_path,
    parents,
    perfect,
    subtree,
)
from audit.statement import Statement
from audit.tables import LedgerEntry, LedgerTile

TILE_BITS = 8
TILE_WIDTH = 1 << TILE_BITS
TILE_BYTES = TILE_WIDTH * HASH_BYTES

_LEAVES = Statement(
    lambda _: (
        select(col(LedgerEntry.leaf))
        .where(
            col(LedgerEntry.log_id) == bindparam("log_id"),
            col(LedgerEntry.seq) >= bindparam("start"),
            col(LedgerEntry.seq) < bindparam("end"),
        )
        .order_by(col(LedgerEntry.seq))
    )
)
_TILE = Statement(
    lambda _: select(col(LedgerTile.hashes)).where(
        col(LedgerTile.log_id) == bindparam("log_id"),
        col(LedgerTile.level) == bindparam("level"),
        col(LedgerTile.idx) == bindparam("idx"),
    )
)
_ROOTS = Statement(
    lambda _: (
        select(col(LedgerTile.root))
        .where(
            col(LedgerTile.log_id) == bindparam("log_id"),
            col(LedgerTile.level) == bindparam("level"),
            col(LedgerTile.idx) >= bindparam("start"),
            col(LedgerTile.idx) < bindparam("end"),
        )
        .order_by(col(LedgerTile.idx))
    )
)


class TreeDamaged(Exception):
    """The stored tree lacks hashes that it must have; `str()` is a sentence that names the place."""


class Tiles(Protocol):
    """The stored hashes. Each method gives those it has, in order; `Tree` notices what is missing."""

    def leaves(self, start: int, end: int) -> Sequence[bytes]:
        """The leaf hashes of the entries [start, end)."""
        ...

    def tile(self, level: int, idx: int) -> bytes | None:
        """A full tile's 256 hashes, one after the other."""
        ...

    def tile_roots(self, level: int, start: int, end: int) -> Sequence[bytes]:
        """The roots of this level's full tiles [start, end)."""
        ...


@dataclass(frozen=True, slots=True)
class Tile:
    """A full tile: `hashes` are 8,192 bytes, `root` is the root over them."""

    level: int
    index: int
    root: bytes
    hashes: bytes


class Tree:
    """The tree at any size up to the log's own."""

    def __init__(self, tiles: Tiles) -> None:
        self._tiles = tiles

    def root(self, size: int) -> bytes:
        return self.range_at(size).root()

    def range_at(self, size: int) -> Range:
        """The compact range of the first `size` entries."""
        return Range(size, self.hashes(0, size, size))

    def hashes(self, start: int, end: int, size: int) -> tuple[bytes, ...]:
        """The roots of the perfect subtrees over [start, end), from left to right, in the tree of `size` entries.

        Raises ProofError when the tree does not hold them all.
        """
        if not 0 <= start <= end <= size:
            raise ProofError(f"There are no entries from {start} to {end} in a tree of {size} entries.")
        look_up = _LookUp(self._tiles, size)
        return tuple(look_up.node(node) for node in perfect(start, end))

    def inclusion(self, seq: int, size: int) -> tuple[bytes, ...]:
        """Proof for `merkle.verify_inclusion`. Raises ProofError when there is no such entry."""
        return self._proof(inclusion_path(seq, size), size)

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """Proof for `merkle.verify_consistency`; empty when old is 0 or new. Raises ProofError."""
        return self._proof(consistency_path(old, new), new)

    def _proof(self, path: Path, size: int) -> tuple[bytes, ...]:
        look_up = _LookUp(self._tiles, size)
        return tuple(fold(look_up.node(node) for node in nodes) for nodes in path)


class _LookUp:
    """The hashes of one tree size. Keeps the tiles it has read: a proof takes several hashes from each."""

    def __init__(self, tiles: Tiles, size: int) -> None:
        self._tiles = tiles
        self._size = size
        self._read: dict[tuple[int, int], Sequence[Sequence[bytes]]] = {}

    def node(self, node: Node) -> bytes:
        level, height = divmod(node.level, TILE_BITS)
        idx, place = divmod(node.index, TILE_WIDTH >> height)
        if (level, idx) not in self._read:
            self._read[level, idx] = _folded(self._hashes(level, idx))
        return self._read[level, idx][height][place]

    def _hashes(self, level: int, idx: int) -> bytes:
        start, count = idx * TILE_WIDTH, self._size >> TILE_BITS * level
        if start + TILE_WIDTH > count:
            return b"".join(_below(self._tiles, level, start, count))
        tile = self._tiles.tile(level, idx)
        if tile is None or len(tile) != TILE_BYTES:
            raise TreeDamaged(f"Tile {idx} of level {level} is missing from the stored tree, or is not whole.")
        return tile


@lru_cache(maxsize=64)  # by content, so whatever was read, from whichever transaction; some 2 MB
def _folded(tile: bytes) -> Sequence[Sequence[bytes]]:
    """The tile's own hashes, and above them level by level those of the perfect subtrees within it."""
    levels = [[tile[at : at + HASH_BYTES] for at in range(0, len(tile), HASH_BYTES)]]
    while len(levels[-1]) > 1:
        levels.append(parents(levels[-1]))
    return levels


def full_tiles(size: int, leaves: Sequence[bytes], tiles: Tiles) -> tuple[Tile, ...]:
    """The tiles that become full when these leaf hashes are appended to a log of `size` entries, lowest first.

    `tiles` is read only where one does, and only for hashes that were there before.
    """
    full: list[Tile] = []
    level, new = 0, leaves
    while size >> TILE_BITS != (size + len(new)) >> TILE_BITS:
        idx = size >> TILE_BITS
        hashes = [*_below(tiles, level, idx * TILE_WIDTH, size), *new]
        made = _tiles(level, idx, hashes)
        full += made
        level, size, new = level + 1, idx, [tile.root for tile in made]
    return tuple(full)


def _tiles(level: int, idx: int, hashes: Sequence[bytes]) -> list[Tile]:
    """As many full tiles as these hashes make, from `idx` on."""
    starts = range(0, len(hashes) - TILE_WIDTH + 1, TILE_WIDTH)
    return [_tile(level, idx + n, hashes[at : at + TILE_WIDTH]) for n, at in enumerate(starts)]


def _tile(level: int, idx: int, hashes: Sequence[bytes]) -> Tile:
    return Tile(level, idx, subtree(hashes), b"".join(hashes))


def _below(tiles: Tiles, level: int, start: int, end: int) -> Sequence[bytes]:
    """Hashes [start, end) of a level's incomplete tile, from where they come: the leaves, or the roots below."""
    if start == end:
        return ()
    found = tiles.leaves(start, end) if level == 0 else tiles.tile_roots(level - 1, start, end)
    if len(found) != end - start:
        raise TreeDamaged(f"The stored tree has {len(found)} of {end - start} hashes from {start} on at level {level}.")
    return found


class SqlTiles:
    """Reads in the caller's transaction; holds nothing itself."""

    def __init__(self, tx: Connection, log_id: int = 1) -> None:
        self._tx = tx
        self._log = log_id

    def leaves(self, start: int, end: int) -> Sequence[bytes]:
        found = _LEAVES.run(self._tx, {"log_id": self._log, "start": start, "end": end})
        return [bytes(row[0]) for row in found.all()]

    def tile(self, level: int, idx: int) -> bytes | None:
        found = _TILE.run(self._tx, {"log_id": self._log, "level": level, "idx": idx}).one_or_none()
        return bytes(found[0]) if found else None

    def tile_roots(self, level: int, start: int, end: int) -> Sequence[bytes]:
        found = _ROOTS.run(self._tx, {"log_id": self._log, "level": level, "start": start, "end": end})
        return [bytes(row[0]) for row in found.all()]
