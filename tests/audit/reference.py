"""RFC 6962 §2.1 as it is written there, slowly: what the tests hold the tree against. And tiles kept in memory."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from audit.tree import Tiles, full_tiles


def mth(hashes: Sequence[bytes]) -> bytes:
    """MTH(D[n]), over leaf hashes."""
    if len(hashes) < 2:
        return hashes[0] if hashes else sha256(b"").digest()
    k = split(len(hashes))
    return sha256(b"\x01" + mth(hashes[:k]) + mth(hashes[k:])).digest()


def path(m: int, hashes: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n])."""
    if len(hashes) == 1:
        return []
    k = split(len(hashes))
    if m < k:
        return [*path(m, hashes[:k]), mth(hashes[k:])]
    return [*path(m - k, hashes[k:]), mth(hashes[:k])]


def proof(m: int, hashes: Sequence[bytes]) -> list[bytes]:
    """PROOF(m, D[n])."""
    return _subproof(m, hashes, True)


def _subproof(m: int, hashes: Sequence[bytes], b: bool) -> list[bytes]:
    if m == len(hashes):
        return [] if b else [mth(hashes)]
    k = split(len(hashes))
    if m <= k:
        return [*_subproof(m, hashes[:k], b), mth(hashes[k:])]
    return [*_subproof(m - k, hashes[k:], False), mth(hashes[:k])]


def split(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def some_leaves(count: int, salt: str = "") -> list[bytes]:
    return [sha256(f"\0{salt}{i}".encode()).digest() for i in range(count)]


class MemoryTiles(Tiles):
    """`audit.tree.Tiles` in lists, grown as the log grows them."""

    def __init__(self, leaves: Sequence[bytes] = (), at_once: int = 1000) -> None:
        self.all: list[bytes] = []
        self.full: dict[tuple[int, int], bytes] = {}
        self.roots: dict[tuple[int, int], bytes] = {}
        self.asked = 0
        for at in range(0, len(leaves), at_once):
            self.append(leaves[at : at + at_once])

    def append(self, leaves: Sequence[bytes]) -> None:
        size = len(self.all)
        self.all += leaves
        for tile in full_tiles(size, leaves, self):
            assert (tile.level, tile.index) not in self.full
            self.full[tile.level, tile.index] = tile.hashes
            self.roots[tile.level, tile.index] = tile.root

    def leaves(self, start: int, end: int) -> Sequence[bytes]:
        self.asked += 1
        return self.all[start:end]

    def tile(self, level: int, idx: int) -> bytes | None:
        self.asked += 1
        return self.full.get((level, idx))

    def tile_roots(self, level: int, start: int, end: int) -> Sequence[bytes]:
        self.asked += 1
        return [self.roots[level, idx] for idx in range(start, end) if (level, idx) in self.roots]
