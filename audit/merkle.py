"""The Merkle tree over the log, as RFC 6962 §2 has it: hashing, compact ranges, and proofs both ways.

Pure: hashes in, hashes out. A proof's path is given as positions in the tree, so that whoever keeps the hashes
(`audit.tree`) looks up those few and no others. Every hash is SHA-256, 32 bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


class ProofError(Exception):
    """A proof does not hold, or speaks of what cannot be; `str()` is a sentence."""


class Node(NamedTuple):
    """The root of a perfect subtree: it covers the entries `place << level` up to `(place + 1) << level`."""

    level: int
    place: int


Path = tuple[tuple[Node, ...], ...]
"""A proof's hashes, from the entry upwards: each is the fold of these perfect subtrees, largest (leftmost) first."""


def leaf_hash(body: bytes) -> bytes:
    """SHA-256(0x00 || body)."""
    return sha256(b"\x00" + body).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right)."""
    return sha256(b"\x01" + left + right).digest()


def parents(hashes: Sequence[bytes]) -> list[bytes]:
    """One level up the tree. A last hash without a partner is left out."""
    hashing = sha256
    each = iter(hashes)
    return [hashing(b"\x01" + left + right).digest() for left, right in zip(each, each, strict=False)]


def subtree(hashes: Sequence[bytes]) -> bytes:
    """The root over these hashes, in order. There has to be at least one."""
    if not hashes:
        raise ValueError("a subtree has at least one hash")
    while len(hashes) > 1:
        odd = hashes[-1:] if len(hashes) % 2 else ()
        hashes = [*parents(hashes), *odd]
    return hashes[0]


def fold(hashes: Iterable[bytes]) -> bytes:
    """The root over adjoining perfect subtrees, largest first: the hashes of a compact range."""
    last_first = reversed(tuple(hashes))
    root = next(last_first)
    for left in last_first:
        root = node_hash(left, root)
    return root


@dataclass(frozen=True, slots=True)
class Range:
    """A log's first `size` entries as the roots of the perfect subtrees they make, largest first.

    Enough to append to the tree and to know its root, in at most 63 hashes.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or len(self.hashes) != self.size.bit_count():
            raise ValueError(f"a range of {self.size} entries does not have {len(self.hashes)} hashes")

    def plus(self, leaves: Sequence[bytes]) -> Range:
        """The range with these leaf hashes appended."""
        level, size = list(leaves), self.size
        left, right = list(self.hashes), []
        while level:
            if size & 1:
                level.insert(0, left.pop())
            if len(level) & 1:
                right.append(level.pop())
            level = parents(level)
            size >>= 1
        return Range(self.size + len(leaves), (*left, *reversed(right)))

    def root(self) -> bytes:
        return fold(self.hashes) if self.hashes else EMPTY_ROOT


def perfect(start: int, end: int) -> tuple[Node, ...]:
    """The fewest perfect subtrees that cover the entries [start, end), from left to right."""
    width = end - start
    if width and not width & width - 1 and not start % width:  # is one, as most on a proof's path are
        level = width.bit_length() - 1
        return (Node(level, start >> level),)
    return tuple(_perfect(start, end))


def _perfect(start: int, end: int) -> Iterator[Node]:
    while start < end:
        fits = (end - start).bit_length() - 1
        level = min(fits, _trailing_zeros(start)) if start else fits
        yield Node(level, start >> level)
        start += 1 << level


def inclusion_path(seq: int, size: int) -> Path:
    """What proves that entry `seq` is in the tree of `size` entries. Raises ProofError when it cannot be there."""
    _check_entry(seq, size)
    start, end, beside = 0, size, []
    while end - start > 1:
        split = _split(start, end)
        if seq < split:
            beside.append(perfect(split, end))
            end = split
        else:
            beside.append(perfect(start, split))
            start = split
    return tuple(reversed(beside))


def consistency_path(old: int, new: int) -> Path:
    """What proves that the tree of `new` entries begins with the tree of `old`; nothing when old is 0 or new.

    Raises ProofError when the log would have to shrink.
    """
    if not 0 <= old <= new:
        raise ProofError(f"A log does not go from {old} entries to {new}.")
    if old == 0:
        return ()
    start, end, beside = 0, new, []
    while end != old:
        split = _split(start, end)
        if old <= split:
            beside.append(perfect(split, end))
            end = split
        else:
            beside.append(perfect(start, split))
            start = split
    if start:  # from 0 it would be the old root, which the verifier has
        beside.append(perfect(start, end))
    return tuple(reversed(beside))


def verify_inclusion(seq: int, size: int, leaf: bytes, root: bytes, proof: Sequence[bytes]) -> None:
    """Check that `leaf` is entry `seq` of the tree of `size` entries with this root. Raises ProofError."""
    _check_entry(seq, size)
    _check_hashes((leaf, *proof))
    inner = (seq ^ (size - 1)).bit_length()  # the levels below the last entry's path; above it all are left siblings
    _check_length(proof, inner + (seq >> inner).bit_count())
    found = leaf
    for level, beside in enumerate(proof):
        left = level >= inner or seq >> level & 1
        found = node_hash(beside, found) if left else node_hash(found, beside)
    if found != root:
        raise ProofError(f"Entry {seq} is not in the tree of {size} entries with this root.")


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> None:
    """Check that the tree of `new` entries begins with the tree of `old`, entry by entry. Raises ProofError.

    From an empty tree nothing can be proved, and that is refused too: a trusted size of 0 is for the caller to judge.
    """
    if not 0 < old <= new:
        raise ProofError(f"Nothing proves that a log of {old} entries became one of {new}.")
    if old == new:
        _check_length(proof, 0)
        if old_root != new_root:
            raise ProofError(f"Two trees of {old} entries have different roots: the log was rewritten.")
        return
    _check_hashes(proof)
    first, second = _roots(old, new, old_root, proof)
    if first != old_root:
        raise ProofError(f"The proof does not lead to the root at {old} entries.")
    if second != new_root:
        raise ProofError(f"The tree of {new} entries does not begin with the tree of {old}: the log was rewritten.")


def _roots(old: int, new: int, old_root: bytes, proof: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Both roots as the proof has them. It starts from the last perfect subtree of the old tree."""
    base = _trailing_zeros(old)
    seed = [old_root] if old == 1 << base else []
    last = (old - 1) >> base
    inner = (last ^ ((new - 1) >> base)).bit_length()
    hashes = [*seed, *proof]
    _check_length(hashes, 1 + inner + (last >> inner).bit_count())
    first = second = hashes[0]
    for level, beside in enumerate(hashes[1:]):
        if level >= inner or last >> level & 1:
            first, second = node_hash(beside, first), node_hash(beside, second)
        else:
            second = node_hash(second, beside)
    return first, second


def _split(start: int, end: int) -> int:
    """Where the tree over [start, end) divides: its left half is the largest power of two smaller than the whole."""
    return start + (1 << (end - start - 1).bit_length() - 1)


def _trailing_zeros(number: int) -> int:
    return (number & -number).bit_length() - 1


def _check_entry(seq: int, size: int) -> None:
    if not 0 <= seq < size:
        raise ProofError(f"There is no entry {seq} in a tree of {size} entries.")


def _check_length(proof: Sequence[bytes], wanted: int) -> None:
    if len(proof) != wanted:
        raise ProofError("The proof has too few or too many hashes for these sizes.")


def _check_hashes(hashes: Iterable[bytes]) -> None:
    """Without this, a byte moved from one hash to its neighbour would go unseen."""
    if any(len(each) != HASH_BYTES for each in hashes):
        raise ProofError("Every hash in a proof is 32 bytes long; one of these is not.")
