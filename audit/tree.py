"""Roots and proofs out of the stored tree, reading a few tiles and never the whole log.

The tree is kept as C2SP tlog-tiles has it: a full tile of level k holds 256 hashes, each the root of a full tile of
level k - 1, at level 0 the leaf hashes. Only full tiles are stored; what an incomplete one would hold is read from
below. Everything here runs inside the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple, Protocol

from audit import tree_rows
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
from audit.statement import Runner

TILE_BITS = 8
TILE_WIDTH = 1 << TILE_BITS
TILE_BYTES = TILE_WIDTH * HASH_BYTES


class Piece(NamedTuple):
    """Hashes [start, end) of a level, all of one tile. Where they are 256, that tile is full, and stored as a whole."""

    level: int
    start: int
    end: int

    @property
    def is_full(self) -> bool:
        return self.end - self.start == TILE_WIDTH


class TreeDamaged(Exception):
    """The stored tree lacks hashes that it must have; `str()` is a sentence that names the place."""


class Tiles(Protocol):
    """The stored hashes. Each method gives those it has, in order; whoever asked notices what is missing."""

    def leaves(self, start: int, end: int) -> Sequence[bytes]:
        """The leaf hashes of the entries [start, end)."""
        ...

    def tile(self, level: int, idx: int) -> bytes | None:
        """A full tile's 256 hashes, one after the other."""
        ...

    def tile_roots(self, level: int, start: int, end: int) -> Sequence[bytes]:
        """The roots of this level's full tiles [start, end)."""
        ...

    def pieces(self, wanted: Sequence[Piece]) -> Sequence[Sequence[bytes]]:
        """Of each its hashes, or what there is of them; a full tile's may come as one."""
        return [self._piece(each) for each in wanted]

    def _piece(self, wanted: Piece) -> Sequence[bytes]:
        level, start, end = wanted
        if wanted.is_full:
            tile = self.tile(level, start // TILE_WIDTH)
            return () if tile is None else (tile,)
        return self.leaves(start, end) if level == 0 else self.tile_roots(level - 1, start, end)


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
        return tuple(_hashes(self._tiles, size, perfect(start, end)))

    def inclusion(self, seq: int, size: int) -> tuple[bytes, ...]:
        """Proof for `merkle.verify_inclusion`. Raises ProofError when there is no such entry."""
        return self._proof(inclusion_path(seq, size), size)

    def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        """Proof for `merkle.verify_consistency`; empty when old is 0 or new. Raises ProofError."""
        return self._proof(consistency_path(old, new), new)

    def _proof(self, path: Path, size: int) -> tuple[bytes, ...]:
        hashes = iter(_hashes(self._tiles, size, [node for nodes in path for node in nodes]))
        return tuple(fold([next(hashes) for _ in nodes]) for nodes in path)


def _hashes(tiles: Tiles, size: int, nodes: Sequence[Node]) -> list[bytes]:
    """Those of these nodes of one tree size, from as few tiles as hold them, which are read at once."""
    pieces = [_piece_of(node, size) for node in nodes]
    wanted = tuple(dict.fromkeys(pieces))
    read = tiles.pieces(wanted) if wanted else ()
    held = {piece: _folded(_whole(piece, hashes)) for piece, hashes in zip(wanted, read, strict=True)}
    found = []
    for (level, place), piece in zip(nodes, pieces, strict=True):
        height = level % TILE_BITS
        found.append(held[piece][height][place - (piece.start >> height)])
    return found


def _piece_of(node: Node, size: int) -> Piece:
    """Of the tile that has the node within it, what there is of it in a tree of this size."""
    level, height = divmod(node.level, TILE_BITS)
    start = (node.place << height) // TILE_WIDTH * TILE_WIDTH
    return Piece(level, start, min(start + TILE_WIDTH, size >> TILE_BITS * level))


def _is_whole(piece: Piece, hashes: Sequence[bytes]) -> bool:
    return sum(map(len, hashes)) == (piece.end - piece.start) * HASH_BYTES


def _whole(piece: Piece, hashes: Sequence[bytes]) -> bytes:
    """Raises TreeDamaged where something is missing."""
    level, start, end = piece
    joined, wanted = b"".join(hashes), (end - start) * HASH_BYTES
    if len(joined) == wanted:
        return joined
    if piece.is_full:
        idx = start // TILE_WIDTH
        raise TreeDamaged(f"Tile {idx} of level {level} is missing from the stored tree, or is not whole.")
    raise _incomplete(piece, len(hashes))


def _incomplete(piece: Piece, found: int) -> TreeDamaged:
    level, start, end = piece
    return TreeDamaged(f"The stored tree has {found} of {end - start} hashes from {start} on at level {level}.")


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
        raise _incomplete(Piece(level, start, end), len(found))
    return found


Kept = dict[Piece, Sequence[bytes]]
"""What was read of the upper levels. It never changes once it is committed, so only readers may keep it."""

_KEPT = 64  # pieces: as many as four million entries have, some half a megabyte


class SqlTiles(Tiles):
    """Reads in the caller's transaction; holds nothing itself but what it is given to keep."""

    def __init__(self, tx: Runner, log_id: int = 1, kept: Kept | None = None) -> None:
        self._tx = tx
        self._log = log_id
        self._kept = kept

    def leaves(self, start: int, end: int) -> Sequence[bytes]:
        found = tree_rows.LEAVES.run(self._tx, {"log_id": self._log, "start": start, "end": end})
        return [bytes(row[0]) for row in found.all()]

    def tile(self, level: int, idx: int) -> bytes | None:
        found = tree_rows.TILE.run(self._tx, {"log_id": self._log, "level": level, "idx": idx}).one_or_none()
        return bytes(found[0]) if found else None

    def tile_roots(self, level: int, start: int, end: int) -> Sequence[bytes]:
        found = tree_rows.ROOTS.run(self._tx, {"log_id": self._log, "level": level, "start": start, "end": end})
        return [bytes(row[0]) for row in found.all()]

    def pieces(self, wanted: Sequence[Piece]) -> Sequence[Sequence[bytes]]:
        """All of them in one answer: what a proof waits for is the way there and back."""
        kept = self._kept
        if kept is None:
            return self._read(wanted)
        found = {piece: hashes for piece in wanted if (hashes := kept.get(piece)) is not None}
        missing = [piece for piece in wanted if piece not in found]
        for piece, hashes in zip(missing, self._read(missing) if missing else (), strict=True):
            found[piece] = hashes
            if piece.level and _is_whole(piece, hashes):
                if len(kept) >= _KEPT:
                    kept.clear()
                kept[piece] = hashes
        return [found[piece] for piece in wanted]

    def _read(self, wanted: Sequence[Piece]) -> Sequence[Sequence[bytes]]:
        where: dict[str, int] = {"log_id": self._log}
        for n, piece in enumerate(wanted):
            where[f"level{n}"], where[f"start{n}"], where[f"end{n}"] = _stored(piece)
        found = tree_rows.pieces(tuple(map(_table, wanted))).run(self._tx, where)
        hashes: list[list[bytes]] = [[] for _ in wanted]
        for n, _, each in sorted(found.all(), key=itemgetter(0, 1)):
            hashes[n].append(bytes(each))
        return hashes


def _table(piece: Piece) -> str:
    """Where its hashes stand."""
    return "tile" if piece.is_full else "leaf" if piece.level == 0 else "root"


def _stored(piece: Piece) -> tuple[int, int, int]:
    """The rows in which they stand: level, the number of the first, and that behind the last."""
    level, start, end = piece
    if piece.is_full:
        return level, start // TILE_WIDTH, start // TILE_WIDTH + 1
    return level - 1, start, end
