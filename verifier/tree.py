"""The RFC 6962 Merkle tree, as a compact range: the roots of its perfect subtrees and nothing else."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()
WIDTH = 256  # hashes of a full tile
_sha256 = hashlib.sha256


class Tree:
    """Grows at the right end. `made[k]` collects the nodes of tree level 8·k in order, when `keep` is set:
    they are the contents of the log's tiles."""

    def __init__(self, size: int = 0, peaks: Sequence[bytes] = (), *, keep: bool = False) -> None:
        """`peaks`: the roots of the perfect subtrees of the first `size` leaves, largest first."""
        levels = [level for level in range(size.bit_length()) if size >> level & 1]
        if len(levels) != len(peaks):
            raise ValueError(f"a tree of {size} leaves has {len(levels)} perfect subtrees, not {len(peaks)}")
        self.size = size
        self.made: defaultdict[int, list[bytes]] = defaultdict(list)
        self._keep = keep
        self._peaks = dict(zip(reversed(levels), peaks, strict=True))

    def extend(self, nodes: Sequence[bytes], level: int = 0) -> None:
        """Append roots of perfect subtrees of 2^level leaves each: a binary counter, a whole level at a time."""
        self.size += len(nodes) << level
        peaks, sha256 = self._peaks, _sha256
        row = list(nodes)
        while row:
            if self._keep and level % 8 == 0:
                self.made[level // 8] += row
            if level in peaks:
                row.insert(0, peaks.pop(level))
            if len(row) & 1:
                peaks[level] = row.pop()
            pairs = iter(row)
            row = [sha256(b"\x01" + left + right).digest() for left, right in zip(pairs, pairs, strict=True)]
            level += 1

    def root(self) -> bytes:
        smallest_first = [self._peaks[level] for level in sorted(self._peaks)]
        if not smallest_first:
            return EMPTY_ROOT
        root = smallest_first[0]
        for peak in smallest_first[1:]:
            root = _node(peak, root)
        return root


def leaves(bodies: Iterable[bytes]) -> list[bytes]:
    """RFC 6962 §2.1: SHA-256(0x00 || body)."""
    return [_sha256(b"\x00" + body).digest() for body in bodies]


def levels_between(start: int, end: int) -> list[int]:
    """Levels of the largest perfect subtrees that lead from `start` leaves to `end`, left to right."""
    levels = []
    while start < end:
        level = (end - start).bit_length() - 1
        if start:
            level = min(level, (start & -start).bit_length() - 1)
        levels.append(level)
        start += 1 << level
    return levels


def is_consistent(old: tuple[int, bytes], new: tuple[int, bytes], proof: Sequence[bytes]) -> bool:
    """RFC 9162 §2.1.4.2: whether the tree (size, root) `new` begins with the tree `old`."""
    (size, old_root), (new_size, new_root) = old, new
    if not 0 < size < new_size:
        return not proof and (size == 0 or old == new)
    path = list(proof)
    if size & (size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    fn, sn = size - 1, new_size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    first = second = path[0]
    for node in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            first, second = _node(node, first), _node(node, second)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            second = _node(second, node)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and first == old_root and second == new_root


def _node(left: bytes, right: bytes) -> bytes:
    return _sha256(b"\x01" + left + right).digest()
