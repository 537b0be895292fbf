"""The verifier's own tree against RFC 6962 as it is written, and against the log's tree."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from audit.merkle import Range, perfect
from tests.audit.reference import mth, proof, some_leaves
from verifier.tree import Tree, is_consistent, levels_between

LEAVES = some_leaves(300)


@given(st.lists(st.integers(0, 90), max_size=8))
def test_any_way_of_growing_gives_the_same_root(pieces: list[int]) -> None:
    tree, at = Tree(), 0
    for piece in pieces:
        tree.extend(LEAVES[at : at + piece])
        at = min(at + piece, len(LEAVES))
        assert (tree.size, tree.root()) == (at, mth(LEAVES[:at]))


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300))
@settings(max_examples=200)
def test_a_range_between_two_others(a: int, b: int, c: int) -> None:
    start, end, size = sorted((a, b, c))
    tree = Tree(start, Range().plus(LEAVES[:start]).hashes)
    tree.extend(LEAVES[start:end])
    assert [node.level for node in perfect(end, size)] == levels_between(end, size)
    for node, level in zip(perfect(end, size), levels_between(end, size), strict=True):
        tree.extend([mth(LEAVES[node.place << level : (node.place + 1) << level])], level)
    assert (tree.size, tree.root()) == (size, mth(LEAVES[:size]))


def test_nodes_of_tiles_come_in_order() -> None:
    leaves, tree = some_leaves(1000), Tree(keep=True)
    for start in range(0, 1000, 77):
        tree.extend(leaves[start : start + 77])
    assert tree.made[0] == leaves
    assert tree.made[1] == [mth(leaves[i : i + 256]) for i in (0, 256, 512)]


def test_every_consistency_proof_up_to_forty() -> None:
    for new in range(1, 41):
        root = mth(LEAVES[:new])
        for old in range(1, new + 1):
            hashes, old_root = proof(old, LEAVES[:new]) if old < new else [], mth(LEAVES[:old])
            assert is_consistent((old, old_root), (new, root), hashes)
            assert not is_consistent((old, bytes(32)), (new, root), hashes)
            assert not is_consistent((old, old_root), (new, bytes(32)), hashes)
            assert not is_consistent((old, old_root), (new, root), [*hashes, bytes(32)])
            if hashes:
                assert not is_consistent((old, old_root), (new, root), hashes[:-1])
                assert not is_consistent((old, old_root), (new, root), [bytes(32), *hashes[1:]])
    assert not is_consistent((5, mth(LEAVES[:5])), (4, mth(LEAVES[:4])), [])
