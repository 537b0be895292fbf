from __future__ import annotations

import random
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.merkle import (
    EMPTY_ROOT,
    Node,
    ProofError,
    Range,
    consistency_path,
    fold,
    inclusion_path,
    leaf_hash,
    node_hash,
    perfect,
    subtree,
    verify_consistency,
    verify_inclusion,
)
from tests.audit.reference import mth, path, proof, some_leaves

_LEAVES = some_leaves(600)


def test_hashes_are_those_of_rfc_6962() -> None:
    assert sha256(b"").digest() == EMPTY_ROOT
    assert leaf_hash(b"body") == sha256(b"\x00body").digest()
    assert node_hash(b"l" * 32, b"r" * 32) == sha256(b"\x01" + b"l" * 32 + b"r" * 32).digest()
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


@pytest.mark.parametrize("size", [*range(1, 70), 127, 128, 129, 255, 256, 257, 511, 512, 513, 600])
def test_every_way_to_a_root_gives_the_same(size: int) -> None:
    leaves = _LEAVES[:size]
    assert subtree(leaves) == Range().plus(leaves).root() == mth(leaves)
    assert Range(size, tuple(mth(leaves[n.place << n.level : n.place + 1 << n.level]) for n in perfect(0, size))) == (
        Range().plus(leaves)
    )


def test_an_empty_tree() -> None:
    assert Range().root() == EMPTY_ROOT == mth([])
    assert Range().plus([]) == Range()
    with pytest.raises(ValueError, match="at least one"):
        subtree([])


@given(st.lists(st.integers(0, 90), max_size=12))
def test_appending_in_any_split_equals_one_by_one(parts: list[int]) -> None:
    one_by_one = in_parts = Range()
    for part in parts:
        new = _LEAVES[in_parts.size % 97 :][:part]
        in_parts = in_parts.plus(new)
        for leaf in new:
            one_by_one = one_by_one.plus([leaf])
    assert in_parts == one_by_one
    assert in_parts.size == sum(parts)


@pytest.mark.parametrize(("size", "hashes"), [(1, ()), (0, (b"x" * 32,)), (3, (b"x" * 32,)), (-1, (b"x" * 32,))])
def test_a_range_that_cannot_be_is_refused(size: int, hashes: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match="does not have"):
        Range(size, hashes)


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_perfect_subtrees_cover_a_range_once_and_are_aligned(a: int, b: int) -> None:
    start, end = min(a, b), max(a, b)
    at = start
    for node in perfect(start, end):
        assert node.place << node.level == at
        at += 1 << node.level
    assert at == end
    assert len(perfect(start, end)) <= 2 * 13


def test_perfect_subtrees_of_a_known_range() -> None:
    assert perfect(0, 7) == (Node(2, 0), Node(1, 2), Node(0, 6))
    assert perfect(5, 12) == (Node(0, 5), Node(1, 3), Node(2, 2))
    assert perfect(9, 9) == ()


def _hashed(nodes: tuple[Node, ...], leaves: list[bytes]) -> bytes:
    return fold(mth(leaves[n.place << n.level : (n.place + 1) << n.level]) for n in nodes)


@st.composite
def _entry_and_size(draw: st.DrawFn) -> tuple[int, int]:
    size = draw(st.integers(1, 600))
    return draw(st.integers(0, size - 1)), size


@given(_entry_and_size())
def test_an_inclusion_path_is_that_of_the_rfc(place: tuple[int, int]) -> None:
    seq, size = place
    leaves = _LEAVES[:size]
    found = [_hashed(nodes, leaves) for nodes in inclusion_path(seq, size)]
    assert found == path(seq, leaves)
    verify_inclusion(seq, size, leaves[seq], mth(leaves), found)


@given(_entry_and_size())
def test_a_consistency_path_is_that_of_the_rfc(place: tuple[int, int]) -> None:
    old, new = place[0] + 1, place[1]
    leaves = _LEAVES[:new]
    found = [_hashed(nodes, leaves) for nodes in consistency_path(old, new)]
    assert found == proof(old, leaves)
    verify_consistency(old, new, mth(leaves[:old]), mth(leaves), found)


def _flipped(hashed: bytes, bit: int) -> bytes:
    return (int.from_bytes(hashed, "big") ^ (1 << bit)).to_bytes(32, "big")


@pytest.mark.parametrize(("seq", "size"), [(0, 2), (2, 3), (4, 7), (6, 7), (9, 13)])
def test_every_flipped_bit_of_an_inclusion_proof_is_noticed(seq: int, size: int) -> None:
    leaves = _LEAVES[:size]
    leaf, root, good = leaves[seq], mth(leaves), path(seq, leaves)
    verify_inclusion(seq, size, leaf, root, good)
    for bit in range(256):
        with pytest.raises(ProofError):
            verify_inclusion(seq, size, _flipped(leaf, bit), root, good)
        with pytest.raises(ProofError):
            verify_inclusion(seq, size, leaf, _flipped(root, bit), good)
        for i, each in enumerate(good):
            with pytest.raises(ProofError):
                verify_inclusion(seq, size, leaf, root, [*good[:i], _flipped(each, bit), *good[i + 1 :]])


@pytest.mark.parametrize(("old", "new"), [(1, 2), (3, 5), (4, 7), (6, 7), (6, 13), (8, 13)])
def test_every_flipped_bit_of_a_consistency_proof_is_noticed(old: int, new: int) -> None:
    leaves = _LEAVES[:new]
    first, second, good = mth(leaves[:old]), mth(leaves), proof(old, leaves)
    verify_consistency(old, new, first, second, good)
    for bit in range(256):
        with pytest.raises(ProofError):
            verify_consistency(old, new, _flipped(first, bit), second, good)
        with pytest.raises(ProofError):
            verify_consistency(old, new, first, _flipped(second, bit), good)
        for i, each in enumerate(good):
            with pytest.raises(ProofError):
                verify_consistency(old, new, first, second, [*good[:i], _flipped(each, bit), *good[i + 1 :]])


@given(_entry_and_size(), st.integers(0, 9))
def test_a_flipped_bit_of_the_index_is_noticed(place: tuple[int, int], bit: int) -> None:
    seq, size = place
    leaves = _LEAVES[:size]
    with pytest.raises(ProofError):
        verify_inclusion(seq ^ 1 << bit, size, leaves[seq], mth(leaves), path(seq, leaves))


def test_a_byte_moved_between_neighbours_is_noticed() -> None:
    leaves = _LEAVES[:2]
    joined = leaves[0] + leaves[1]
    for cut in (0, 1, 31, 33, 63, 64):
        with pytest.raises(ProofError, match="32 bytes"):
            verify_inclusion(0, 2, joined[:cut], mth(leaves), [joined[cut:]])


def test_a_byte_moved_between_neighbours_of_a_consistency_proof_is_noticed() -> None:
    """Old size 3: the first two hashes of the proof are the halves of one node."""
    leaves = _LEAVES[:4]
    good = proof(3, leaves)
    joined = good[0] + good[1]
    for cut in (0, 1, 31, 33, 63, 64):
        with pytest.raises(ProofError, match="32 bytes"):
            verify_consistency(3, 4, mth(leaves[:3]), mth(leaves), [joined[:cut], joined[cut:], *good[2:]])


def test_what_cannot_be_asked_is_refused_in_a_sentence() -> None:
    for seq, size in ((0, 0), (1, 1), (-1, 5), (5, 5)):
        with pytest.raises(ProofError, match="no entry"):
            inclusion_path(seq, size)
        with pytest.raises(ProofError, match="no entry"):
            verify_inclusion(seq, size, _LEAVES[0], EMPTY_ROOT, [])
    for old, new in ((3, 2), (-1, 2)):
        with pytest.raises(ProofError, match="does not go"):
            consistency_path(old, new)
    with pytest.raises(ProofError, match="Nothing proves"):
        verify_consistency(0, 5, EMPTY_ROOT, mth(_LEAVES[:5]), [])


def test_from_an_empty_tree_and_to_itself_there_is_nothing_to_send() -> None:
    assert consistency_path(0, 9) == consistency_path(9, 9) == inclusion_path(0, 1) == ()
    root = mth(_LEAVES[:9])
    verify_consistency(9, 9, root, root, [])
    with pytest.raises(ProofError, match="rewritten"):
        verify_consistency(9, 9, root, mth(_LEAVES[1:10]), [])


def test_a_rewritten_beginning_cannot_be_proved_consistent() -> None:
    chance = random.Random(62)
    for _ in range(200):
        new = chance.randrange(2, 300)
        old = chance.randrange(1, new)
        forged = list(_LEAVES[:new])
        forged[chance.randrange(old)] = bytes(32)
        with pytest.raises(ProofError):
            verify_consistency(old, new, mth(_LEAVES[:old]), mth(forged), proof(old, forged))
