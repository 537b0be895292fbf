from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, event
from sqlmodel import SQLModel

from audit.merkle import (
    EMPTY_ROOT,
    ProofError,
    Range,
    node_hash,
    perfect,
    subtree,
    verify_consistency,
    verify_inclusion,
)
from audit.statement import inserting
from audit.tables import LedgerEntry, LedgerTile
from audit.tree import Kept, Piece, SqlTiles, Tree, TreeDamaged, full_tiles
from tests.audit.reference import MemoryTiles, mth, path, proof, some_leaves

_LEAVES = some_leaves(66_100)
_SMALL = MemoryTiles(_LEAVES[:600], at_once=7)
_LARGE = MemoryTiles(_LEAVES, at_once=30_000)  # one tile of level 1 is full, and then some


def test_at_every_size_the_tree_is_that_of_the_rfc() -> None:
    tree = Tree(_SMALL)
    chance = random.Random(6962)
    for size in range(1, 601):
        leaves = _LEAVES[:size]
        root = mth(leaves)
        assert tree.root(size) == root
        seq, old = chance.randrange(size), chance.randint(1, size)
        assert list(tree.inclusion(seq, size)) == path(seq, leaves)
        assert list(tree.consistency(old, size)) == proof(old, leaves)
        verify_inclusion(seq, size, leaves[seq], root, tree.inclusion(seq, size))
        verify_consistency(old, size, tree.root(old), root, tree.consistency(old, size))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_tree_of_several_levels_proves_itself_at_sizes_gone_by(data: st.DataObject) -> None:
    tree = Tree(_LARGE)
    size = data.draw(st.integers(1, len(_LEAVES)) | st.sampled_from([255, 256, 257, 65_535, 65_536, 65_537, 65_792]))
    seq, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    root = Range().plus(_LEAVES[:size]).root()
    verify_inclusion(seq, size, _LEAVES[seq], root, tree.inclusion(seq, size))
    verify_consistency(old, size, Range().plus(_LEAVES[:old]).root(), root, tree.consistency(old, size))


@pytest.mark.parametrize("size", [0, 1, 255, 256, 300, 65_536, 66_000])
def test_the_range_at_a_size_goes_on_as_the_log_did(size: int) -> None:
    assert Tree(_LARGE).range_at(size) == Range().plus(_LEAVES[:size])
    assert Tree(_LARGE).range_at(size).plus(_LEAVES[size:]).root() == Tree(_LARGE).root(len(_LEAVES))


@given(st.integers(0, 600), st.integers(0, 600), st.integers(0, 600))
def test_what_stands_left_and_right_of_a_range_completes_it(a: int, b: int, c: int) -> None:
    start, end, size = sorted((a, b, c))
    tree = Tree(_SMALL)
    whole = Range(start, tree.hashes(0, start, size)).plus(_LEAVES[start:end])
    assert whole == tree.range_at(end)
    right = zip(perfect(end, size), tree.hashes(end, size, size), strict=True)
    stack = [*zip((node.level for node in perfect(0, end)), whole.hashes, strict=True)]
    for node, hashed in right:
        stack.append((node.level, hashed))
        while len(stack) > 1 and stack[-1][0] == stack[-2][0]:
            (level, left), (_, last) = stack[-2:]
            stack[-2:] = [(level + 1, node_hash(left, last))]
    assert tuple(hashed for _, hashed in stack) == tree.range_at(size).hashes


def test_an_empty_log() -> None:
    tree = Tree(MemoryTiles())
    assert tree.root(0) == EMPTY_ROOT
    assert tree.consistency(0, 0) == ()
    with pytest.raises(ProofError, match="no entry"):
        tree.inclusion(0, 0)


@given(st.lists(st.integers(0, 700), max_size=8))
def test_tiles_are_the_same_however_the_log_grew(parts: list[int]) -> None:
    tiles, at = MemoryTiles(), 0
    for part in parts:
        tiles.append(_LEAVES[at : at + part])
        at += part
    at_once = MemoryTiles(_LEAVES[:at], at_once=at or 1)
    assert (tiles.full, tiles.roots) == (at_once.full, at_once.roots)
    assert sorted(tiles.full) == [(0, idx) for idx in range(at // 256)]


def test_a_full_tile_holds_the_roots_of_the_tiles_below() -> None:
    assert len(_LARGE.full) == 66_100 // 256 + 1
    for (level, idx), hashes in _LARGE.full.items():
        held = [hashes[i : i + 32] for i in range(0, 8192, 32)]
        assert _LARGE.roots[level, idx] == subtree(held)
        assert held == (_LEAVES[idx * 256 :][:256] if level == 0 else [_LARGE.roots[0, i] for i in range(256)])


def test_nothing_is_read_while_no_tile_becomes_full() -> None:
    tiles = MemoryTiles(_LEAVES[:100])
    tiles.asked = 0
    assert full_tiles(100, _LEAVES[100:255], tiles) == ()
    assert full_tiles(256, [], tiles) == ()
    assert tiles.asked == 0
    assert [tile.index for tile in full_tiles(100, _LEAVES[100:256], tiles)] == [0]
    assert tiles.asked == 1


def test_a_proof_reads_few_tiles() -> None:
    for seq in (0, 256, 40_000, 65_535, 66_099):
        _LARGE.asked = 0
        Tree(_LARGE).inclusion(seq, 66_100)
        assert _LARGE.asked <= 5


def test_what_lies_outside_the_tree_is_refused() -> None:
    for start, end in ((-1, 3), (5, 4), (0, 601)):
        with pytest.raises(ProofError, match="no entries from"):
            Tree(_SMALL).hashes(start, end, 600)


def test_a_tree_with_a_hole_says_where() -> None:
    tiles = MemoryTiles(_LEAVES[:1000])
    del tiles.full[0, 1], tiles.roots[0, 2]
    with pytest.raises(TreeDamaged, match="Tile 1 of level 0"):
        Tree(tiles).inclusion(300, 1000)
    with pytest.raises(TreeDamaged, match="2 of 3 hashes"):
        Tree(tiles).root(1000)
    with pytest.raises(TreeDamaged, match="90 of 91 hashes"):
        Tree(MemoryTiles(_LEAVES[:90])).root(91)
    tiles.full[0, 1] = b"short"
    with pytest.raises(TreeDamaged, match="not whole"):
        Tree(tiles).inclusion(300, 1000)


@pytest.fixture(params=["sqlite", "postgresql"])
def tx(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Connection]:
    sqlite = f"sqlite:///{tmp_path / 'ledger.db'}"
    url = sqlite if request.param == "sqlite" else request.getfixturevalue("fresh_database")
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    tables = [SQLModel.metadata.tables[str(model.__tablename__)] for model in (LedgerEntry, LedgerTile)]
    SQLModel.metadata.create_all(engine, tables=tables)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def _append(tx: Connection, size: int, leaves: list[bytes], log_id: int = 1) -> None:
    same = {"log_id": log_id, "recorded_at": 0, "type": "t", "ref": "", "body": b"{}"}
    rows = [same | {"seq": size + i, "leaf": leaf} for i, leaf in enumerate(leaves)]
    tiles = full_tiles(size, leaves, SqlTiles(tx, log_id))
    inserting(LedgerEntry).run_many(tx, rows)
    for tile in tiles:
        row = {"log_id": log_id, "level": tile.level, "idx": tile.index, "root": tile.root, "hashes": tile.hashes}
        inserting(LedgerTile).run(tx, row)


def test_the_tables_hold_the_same_tree_as_memory_does(tx: Connection) -> None:
    at = 0
    for part in (1, 254, 1, 44, 600, 65_000, 200):
        _append(tx, at, _LEAVES[at : at + part])
        at += part
    _append(tx, 0, _LEAVES[5:300], log_id=2)  # another log beside it is not seen
    ours, theirs = Tree(SqlTiles(tx)), Tree(_LARGE)
    for size in (1, 255, 256, 257, 5000, 65_536, at):
        assert ours.root(size) == theirs.root(size)
        assert ours.inclusion(size // 2, size) == theirs.inclusion(size // 2, size)
        assert ours.consistency(size // 3 + 1, size) == theirs.consistency(size // 3 + 1, size)
    assert Tree(SqlTiles(tx, 2)).root(295) == mth(_LEAVES[5:300])
    with pytest.raises(TreeDamaged):
        ours.root(at + 1)


def test_a_proof_asks_once(tx: Connection) -> None:
    _append(tx, 0, _LEAVES)
    asked: list[str] = []
    event.listen(tx.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    for seq in (0, 40_000, 65_535, 66_000, 66_099):
        asked.clear()
        assert Tree(SqlTiles(tx)).inclusion(seq, 66_100) == Tree(_LARGE).inclusion(seq, 66_100)
        assert len(asked) == 1


class Reading(SqlTiles):
    """What it reads is memory's; of level `lost` there is nothing."""

    def __init__(self, kept: Kept) -> None:
        super().__init__(None, kept=kept)  # type: ignore[arg-type]  # no database
        self.lost, self.asked = -1, list[Piece]()

    def _read(self, wanted: Sequence[Piece]) -> Sequence[Sequence[bytes]]:
        self.asked += wanted
        return [() if piece.level == self.lost else _LARGE.pieces([piece])[0] for piece in wanted]


def test_what_is_kept_of_the_upper_levels_is_not_asked_for_again() -> None:
    kept: Kept = {}
    for size in (66_100, 66_000, 300, 66_100):
        for seq in (0, 255, 299):
            assert Tree(Reading(kept)).inclusion(seq, size) == Tree(_LARGE).inclusion(seq, size)
    assert kept
    assert all(piece.level for piece in kept), "of the entries' own level there would be too many"
    last = Reading(kept)
    assert Tree(last).inclusion(7, 66_100) == Tree(_LARGE).inclusion(7, 66_100)
    assert all(piece.level == 0 for piece in last.asked)


def test_nothing_of_a_damaged_tree_is_kept() -> None:
    kept: Kept = {}
    damaged = Reading(kept)
    damaged.lost = 1
    for _ in range(2):
        with pytest.raises(TreeDamaged):
            Tree(damaged).inclusion(7, 66_100)
    assert 1 not in {piece.level for piece in kept}


def test_what_is_kept_is_bounded() -> None:
    kept: Kept = {}
    for size in range(257, 66_000, 256):
        Tree(Reading(kept)).range_at(size)
        assert len(kept) <= 64
