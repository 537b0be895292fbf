"""The public test vectors of transparency logs (transparency-dev/merkle), made anew.

No package that can be installed carries those 196 files, so they are made here in the same families: a good proof
over RFC 6962's eight reference leaves, and everything that may be wrong with one. Theirs take five proofs; these take
every proof of every size up to eight, and contain all of theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from audit.merkle import ProofError, leaf_hash, verify_consistency, verify_inclusion
from tests.audit.reference import mth, path, proof

#: the reference inputs, and the root over the first n of them
_INPUTS = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
_ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
_LEAVES = [leaf_hash(bytes.fromhex(each)) for each in _INPUTS]
_SOME = bytes.fromhex("abacaba000000000000000000000000000000000000000000060061e00123456")
_EMPTY = bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")

Hashes = tuple[bytes, ...]


class Inclusion(NamedTuple):
    seq: int
    size: int
    root: bytes
    leaf: bytes
    proof: Hashes


class Consistency(NamedTuple):
    old: int
    new: int
    old_root: bytes
    new_root: bytes
    proof: Hashes


def _less(number: int) -> int:
    return (number - 1) % 2**64  # as an unsigned number goes below zero


def _with_bit(hashes: Hashes, at: int, bit: int) -> Hashes:
    changed = bytes([hashes[at][0] ^ bit]) + hashes[at][1:]
    return (*hashes[:at], changed, *hashes[at + 1 :])


def good_inclusions() -> Iterator[Inclusion]:
    for size in range(1, 9):
        for seq in range(size):
            hashes = tuple(path(seq, _LEAVES[:size]))
            yield Inclusion(seq, size, bytes.fromhex(_ROOTS[size - 1]), _LEAVES[seq], hashes)
    yield Inclusion(0, 1, leaf_hash(b"data"), leaf_hash(b"data"), ())


def bad_inclusions() -> Iterator[tuple[str, Inclusion]]:
    for good in good_inclusions():
        yield from ((what, Inclusion(*changed)) for what, changed in _bad_inclusions(good))
    for seq, size in ((0, 0), (0, 1), (1, 0), (2, 1)):
        yield "some leaf, no root", Inclusion(seq, size, b"", _SOME, ())
        yield "no leaf, empty root", Inclusion(seq, size, _EMPTY, b"", ())
        yield "some leaf, empty root", Inclusion(seq, size, _EMPTY, _SOME, ())
    one = leaf_hash(b"data")
    yield "no leaf", Inclusion(0, 1, one, b"", ())
    yield "no root", Inclusion(0, 1, b"", one, ())
    yield "neither", Inclusion(0, 1, b"", b"", ())


def _bad_inclusions(good: Inclusion) -> Iterator[tuple[str, Inclusion]]:
    seq, size, root, _, hashes = good
    yield "entry - 1", good._replace(seq=_less(seq))
    yield "entry + 1", good._replace(seq=seq + 1)
    yield "entry xor 2", good._replace(seq=seq ^ 2)
    yield "size doubled", good._replace(size=size * 2)
    yield "size halved", good._replace(size=size // 2)
    yield "wrong leaf", good._replace(leaf=b"WrongLeaf")
    yield "empty root", good._replace(root=_EMPTY)
    yield "some root", good._replace(root=_SOME)
    for what, garbage in (("nothing", b""), ("the root", root)):
        yield f"{what} appended", good._replace(proof=(*hashes, garbage))
        yield f"{what} put before", good._replace(proof=(garbage, *hashes))
    for at in range(len(hashes)):
        yield f"a bit of hash {at}", good._replace(proof=_with_bit(hashes, at, 8))
    if hashes:
        yield "the last hash gone", good._replace(proof=hashes[:-1])
    if len(hashes) > 1:
        yield "a hash put in", good._replace(proof=(hashes[0], _SOME, *hashes[1:]))


def good_consistencies() -> Iterator[Consistency]:
    for new in range(1, 9):
        for old in range(1, new + 1):
            roots = (bytes.fromhex(_ROOTS[size - 1]) for size in (old, new))
            yield Consistency(old, new, *roots, tuple(proof(old, _LEAVES[:new])))
    any_root = b"don't care 2"
    yield Consistency(1, 1, any_root, any_root, ())


def bad_consistencies() -> Iterator[tuple[str, Consistency]]:
    for good in good_consistencies():
        if good.proof:
            yield from _bad_consistencies(good)
    yield from (("static", Consistency(*each)) for each in _STATIC)


def _bad_consistencies(good: Consistency) -> Iterator[tuple[str, Consistency]]:
    old, new, old_root, new_root, hashes = good
    yield "old - 1", good._replace(old=old - 1)
    yield "old + 1", good._replace(old=old + 1)
    yield "old xor 2", good._replace(old=old ^ 2)
    yield "new doubled", good._replace(new=new * 2)
    yield "new halved", good._replace(new=new // 2)
    yield "wrong old root", good._replace(old_root=b"WrongRoot")
    yield "wrong new root", good._replace(new_root=b"WrongRoot")
    yield "roots swapped", good._replace(old_root=new_root, new_root=old_root)
    yield "no proof", good._replace(proof=())
    for what, garbage in (("nothing", b""), ("the old root", old_root), ("the new root", new_root)):
        yield f"{what} appended", good._replace(proof=(*hashes, garbage))
        yield f"{what} put before", good._replace(proof=(garbage, *hashes))
    yield "the first hash twice", good._replace(proof=(hashes[0], *hashes))
    yield "the last hash gone", good._replace(proof=hashes[:-1])
    for at in range(len(hashes)):
        yield f"a bit of hash {at}", good._replace(proof=_with_bit(hashes, at, 16))


_ONE, _TWO = b"don't care 1", b"don't care 2"
_STATIC = (
    (0, 0, _ONE, _TWO, ()),
    (1, 1, _ONE, _TWO, ()),
    (0, 0, _ONE, _ONE, ()),
    (0, 1, _ONE, _TWO, ()),
    (1, 0, _ONE, _TWO, ()),
    (2, 1, _ONE, _TWO, ()),
    (1, 2, _ONE, _TWO, ()),
    (0, 0, _EMPTY, _TWO, ()),
    (1, 1, _EMPTY, _TWO, ()),
    (0, 0, _EMPTY, _EMPTY, (_EMPTY,)),
    (1, 1, _EMPTY, _EMPTY, (_EMPTY,)),
    (0, 1, _EMPTY, _TWO, ()),
    (0, 1, _EMPTY, _EMPTY, (_EMPTY,)),
)


def _check(each: Inclusion | Consistency) -> None:
    if isinstance(each, Inclusion):
        verify_inclusion(each.seq, each.size, each.leaf, each.root, each.proof)
    else:
        verify_consistency(each.old, each.new, each.old_root, each.new_root, each.proof)


def test_the_reference_roots() -> None:
    assert [mth(_LEAVES[:size]).hex() for size in range(1, 9)] == list(_ROOTS)


def test_every_good_vector_is_accepted() -> None:
    vectors = [*good_inclusions(), *good_consistencies()]
    assert len(vectors) == 2 * 37
    for each in vectors:
        _check(each)


@pytest.mark.parametrize(("make", "count"), [(bad_inclusions, 613), (bad_consistencies, 560)])
def test_every_bad_vector_is_refused(
    make: Callable[[], Iterator[tuple[str, Inclusion | Consistency]]], count: int
) -> None:
    vectors = list(make())
    assert len(vectors) == count
    for what, each in vectors:
        try:
            _check(each)
        except ProofError:
            continue
        pytest.fail(f"accepted with {what}: {each}")
