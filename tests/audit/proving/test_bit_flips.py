"""One bit, anywhere in the evidence: no flip goes unnoticed.

Each bit of each entry, leaf, tile, checkpoint, cosignature and proof is tried on the verifier's own functions: a run of
the command for each would take days. A sample of flips in the database goes through the command itself.
"""

from __future__ import annotations

import asyncio
import os
import random
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import pytest

from audit.merkle import ProofError, Range, verify_inclusion
from audit.payloads import KEY
from audit.tree import Tree
from tests.audit.proving.engines import Sqlite
from tests.audit.proving.flips import flipped, flips
from tests.audit.proving.scene import live
from tests.audit.proving.verifying import verified
from tests.audit.reference import MemoryTiles
from verifier.beside import Tiles
from verifier.notes import Key
from verifier.report import VERIFIED, Report, Tampered
from verifier.sources import Anchor, Signed, Source, Tile
from verifier.sources.database import Database
from verifier.tree import Tree as VerifierTree
from verifier.tree import is_consistent, leaves
from verifier.walk import Wish, verify

SOAK = bool(os.environ.get("SOAK"))
STEP = 1 if SOAK else 17  # between the entries whose proofs are tried
SAMPLE = 1000 if SOAK else 100

#: what the verifier answers for. Not among them: when a row was written, and where else to look
COLUMNS = {
    "ledger_entry": ("log_id", "seq", "recorded_at", "type", "ref", "leaf", "body"),
    "ledger_tile": ("log_id", "level", "idx", "root", "hashes"),
    "ledger_checkpoint": ("size", "root", "note"),
    "ledger_frontier": ("size",),
    "ledger_anchor": ("size", "proof"),
    "ledger_payload": ("seq", "field", "commitment", "ciphertext", "seed"),
    "policy_bundle": ("hash", "content"),
}


@dataclass(frozen=True)
class Evidence:
    """A log of some 500 entries as the verifier reads it, and the keys that it takes."""

    file: Path
    keys: tuple[str, str]  # the log's, the witness'
    bodies: tuple[bytes, ...]
    leaves: tuple[bytes, ...]
    tiles: tuple[Tile, ...]
    notes: tuple[Signed, ...]
    anchors: tuple[Anchor, ...]


@pytest.fixture(scope="module")
def evidence(tmp_path_factory: pytest.TempPathFactory) -> Evidence:
    return asyncio.run(_made(tmp_path_factory.mktemp("flips")))


async def _made(directory: Path) -> Evidence:
    async with live(Sqlite(directory), directory) as scene:
        path = Path(scene.today.removeprefix("sqlite:///"))
        with closing(Database(str(path))) as source:
            blocks = list(source.blocks())
            return Evidence(
                path, (str(scene.key), str(scene.witness.key)),
                tuple(body for block in blocks for body in block.bodies),
                tuple(leaf for block in blocks for leaf in block.leaves or ()),
                tuple(source.tiles(0)), tuple(source.checkpoints()), tuple(source.anchors()),
            )  # fmt: skip


def test_every_bit_of_every_entry(evidence: Evidence) -> None:
    """Against its stored leaf hash; and as every leaf hash has its place in the root, against that too."""
    assert len(evidence.bodies) >= 500
    for seq, (body, leaf) in enumerate(zip(evidence.bodies, evidence.leaves, strict=True)):
        assert leaves([body]) == [leaf]
        assert leaf not in leaves(flips(body)), f"a bit of entry {seq} can be flipped unseen"


def test_every_bit_of_every_leaf_reaches_the_root(evidence: Evidence) -> None:
    """The rest of the tree is folded once for each entry, so that every bit can be tried on the whole root."""
    tree, size = Tree(MemoryTiles(evidence.leaves)), len(evidence.leaves)
    root = Range().plus(evidence.leaves).root()
    for seq in range(0, size, STEP):
        proof = tree.inclusion(seq, size)
        verify_inclusion(seq, size, evidence.leaves[seq], root, proof)
        for other in flips(evidence.leaves[seq]):
            assert not _included((seq, size), other, root, proof)


def test_every_bit_of_inclusion_proofs(evidence: Evidence) -> None:
    tree, size = Tree(MemoryTiles(evidence.leaves)), len(evidence.leaves)
    root = Range().plus(evidence.leaves).root()
    for seq in range(0, size, STEP):
        proof, leaf = tree.inclusion(seq, size), evidence.leaves[seq]
        for other in _flipped_proofs(proof):
            assert not _included((seq, size), leaf, root, other), f"a bit of the proof of entry {seq}"


def test_every_bit_of_consistency_proofs(evidence: Evidence) -> None:
    tree, size = Tree(MemoryTiles(evidence.leaves)), len(evidence.leaves)
    new = (size, tree.root(size))
    for old_size in range(1, size, STEP):
        proof, old = tree.consistency(old_size, size), (old_size, tree.root(old_size))
        assert is_consistent(old, new, proof)
        for other in _flipped_proofs(proof):
            assert not is_consistent(old, new, other), f"a bit of the proof from {old_size}"


def test_every_bit_of_every_tile(evidence: Evidence) -> None:
    (tile,) = evidence.tiles
    assert tile.root is not None
    tree = VerifierTree(keep=True)
    tree.extend(evidence.leaves[:256])
    made = dict(tree.made)
    assert _fits(tile, made)
    for hashes in flips(tile.hashes):
        assert not _fits(tile._replace(hashes=hashes), made)
    for root in flips(tile.root):
        assert not _fits(tile._replace(root=root), made)


def test_every_bit_of_every_checkpoint_and_cosignature(evidence: Evidence) -> None:
    """Each on the verifier as a whole, with a log whose entries are hashed already."""
    wish = Wish(keys=(Key.parse(evidence.keys[0]),), witnesses=(Key.parse(evidence.keys[1]),))
    for signed in evidence.notes:
        peaks = Range().plus(evidence.leaves[: signed.size]).hashes
        (cosigned,) = (a for a in evidence.anchors if a.size == signed.size and a.sink.startswith("witness:"))
        assert verify(Hashed(peaks, signed, cosigned), wish).exit == VERIFIED
        for note in flips(signed.note.encode()):
            altered = signed._replace(note=note.decode(errors="replace"))
            assert verify(Hashed(peaks, altered, cosigned), wish).exit != VERIFIED, note
        for root in flips(signed.root or b""):
            assert verify(Hashed(peaks, signed._replace(root=root), cosigned), wish).exit != VERIFIED
        for proof in flips(cosigned.proof):
            assert verify(Hashed(peaks, signed, cosigned._replace(proof=proof)), wish).exit != VERIFIED, proof


def test_a_sample_of_all_columns_through_the_command(evidence: Evidence, tmp_path: Path) -> None:
    payload_key = tmp_path / "payload.key"
    payload_key.write_bytes(bytes(range(KEY)))
    options = ("--key", evidence.keys[0], "--witness", evidence.keys[1], "--deep", "--payload-key-file", payload_key)
    url = f"sqlite:///{evidence.file}"
    assert verified("database", url, *options)["exit"] == VERIFIED
    chance, tried = random.Random(7), 0
    with closing(_without_triggers(evidence.file)) as db:
        while tried < SAMPLE:
            flip = Flip.anywhere(db, chance)
            with _turned(db, flip) as is_turned:
                if is_turned:
                    assert verified("database", url, *options)["exit"] != VERIFIED, flip
                    tried += 1
    assert verified("database", url, *options)["exit"] == VERIFIED


def _without_triggers(file: Path) -> sqlite3.Connection:
    db = sqlite3.connect(file, isolation_level=None)
    db.text_factory = bytes
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        db.execute(f"DROP TRIGGER {name.decode()}")
    db.execute("PRAGMA synchronous = OFF")
    return db


class Hashed(Source):
    """The end of a log whose entries are hashed already: a checkpoint, and what a witness said to it."""

    def __init__(self, peaks: tuple[bytes, ...], signed: Signed, anchor: Anchor) -> None:
        self.start = self.end = self.size = anchor.size
        self.left, self._signed, self._anchor = peaks, signed, anchor

    def blocks(self) -> Iterator[Any]:
        return iter(())

    def checkpoints(self) -> Iterator[Signed]:
        return iter((self._signed,))

    def anchors(self) -> Iterator[Anchor]:
        return iter((self._anchor,))


REPORT = Report("")


class OneTile(Source):
    """Nothing but a tile."""

    def __init__(self, tile: Tile) -> None:
        self._tile = tile

    def tiles(self, level: int) -> Iterator[Tile]:
        return iter((self._tile,) if level == 0 else ())


def _fits(tile: Tile, made: Mapping[int, Sequence[bytes]]) -> bool:
    """Whether the verifier takes it for the tile of these hashes."""
    try:
        Tiles(OneTile(tile), REPORT, {level: [*hashes] for level, hashes in made.items()}).check()
    except Tampered:
        return False
    return True


def _flipped_proofs(proof: Sequence[bytes]) -> Iterator[list[bytes]]:
    for i, each in enumerate(proof):
        for other in flips(each):
            yield [*proof[:i], other, *proof[i + 1 :]]


def _included(place: tuple[int, int], leaf: bytes, root: bytes, proof: Sequence[bytes]) -> bool:
    try:
        verify_inclusion(*place, leaf, root, proof)
    except ProofError:
        return False
    return True


@dataclass(frozen=True)
class Flip:
    """One bit of one column of one row."""

    table: str
    column: str
    rowid: int
    bit: int

    @classmethod
    def anywhere(cls, db: sqlite3.Connection, chance: random.Random) -> Self:
        """Every column as often as the other, be it short or long."""
        table, column = chance.choice([(table, column) for table, columns in COLUMNS.items() for column in columns])
        which = " WHERE sink LIKE 'witness:%'" if table == "ledger_anchor" else ""
        rowid = chance.choice([row[0] for row in db.execute(f"SELECT rowid FROM {table}{which}")])
        value = cls(table, column, rowid, 0).read(db)
        if not value:  # an empty text has no bits
            return cls.anywhere(db, chance)
        return cls(table, column, rowid, chance.randrange(62 if isinstance(value, int) else 8 * len(value)))

    def read(self, db: sqlite3.Connection) -> Any:
        (value,) = db.execute(f"SELECT {self.column} FROM {self.table} WHERE rowid = {self.rowid}").fetchone()
        return value

    def turn(self, db: sqlite3.Connection) -> None:
        """A second time takes it back. Raises IntegrityError where the new key is another row's."""
        value = self.read(db)
        other = value ^ 1 << self.bit if isinstance(value, int) else flipped(value, self.bit)
        is_text = f"typeof({self.column}) = 'text'"
        new = f"CASE WHEN {is_text} THEN CAST(? AS TEXT) ELSE ? END"
        db.execute(f"UPDATE {self.table} SET {self.column} = {new} WHERE rowid = {self.rowid}", (other, other))


@contextmanager
def _turned(db: sqlite3.Connection, flip: Flip) -> Iterator[bool]:
    """False where the database itself refuses it."""
    try:
        flip.turn(db)
    except sqlite3.IntegrityError:
        yield False
        return
    yield True
    flip.turn(db)
