"""A bit that can be toggled unseen is a fault: bodies, notes and tiles, one bit in each byte."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from audit.receipt import Receipt as Ours
from tests.audit.reference import MemoryTiles
from tests.verifier.making import Log, Signer
from verifier.notes import Key, Malformed, Receipt
from verifier.report import TAMPERED, VERIFIED
from verifier.sources import Block, Signed, Source, Tile
from verifier.tree import leaves
from verifier.walk import Wish, verify


class Kept(Source):
    """A log in memory. Leaf hashes beside the bodies are whatever the bodies hash to: they are no hindrance."""

    has_tiles = True

    def __init__(self, bodies: Sequence[bytes], notes: Sequence[tuple[int, bytes]], tiles: Sequence[bytes]) -> None:
        self._bodies, self._notes, self._tiles = bodies, notes, tiles
        self.end = self.size = len(bodies)

    def blocks(self) -> Iterator[Block]:
        for start in range(0, self.end, 256):
            bodies = self._bodies[start : start + 256]
            yield Block(bodies, range(start, start + len(bodies)), leaves(bodies))

    def checkpoints(self) -> Iterator[Signed]:
        return (Signed(size, note.decode(errors="replace")) for size, note in self._notes)

    def tiles(self, level: int) -> Iterator[Tile]:
        return (Tile(i, tile) for i, tile in enumerate(self._tiles)) if level == 0 else iter(())


def _flips(data: bytes, every: int = 1) -> Iterator[bytes]:
    for at in range(0, len(data), every):
        flipped = bytearray(data)
        flipped[at] ^= 1 << at % 8
        yield bytes(flipped)


@pytest.fixture(scope="module")
def log() -> Log:
    made = Log()
    made.begin()
    made.story("PA-1")
    made.sign(7)
    made.sign()
    return made


def _judge(log: Log, bodies: Sequence[bytes], notes: Sequence[tuple[int, bytes]], *, quick: bool) -> int:
    return verify(Kept(bodies, notes, ()), Wish(keys=(Key.parse(log.signer.key),), quick=quick)).exit


def _notes(log: Log) -> list[tuple[int, bytes]]:
    return [(size, note.encode()) for size, note in log.notes.items()]


@pytest.mark.parametrize("quick", [True, False])
def test_bodies(log: Log, quick: bool) -> None:
    assert _judge(log, log.bodies, _notes(log), quick=quick) == VERIFIED
    for seq, body in enumerate(log.bodies):
        for flipped in _flips(body):
            bodies = [*log.bodies[:seq], flipped, *log.bodies[seq + 1 :]]
            assert _judge(log, bodies, _notes(log), quick=quick) == TAMPERED, (seq, flipped)


def test_every_bit_of_every_note(log: Log) -> None:
    notes = _notes(log)
    for i, (size, note) in enumerate(notes):
        for bit in range(len(note) * 8):
            flipped = bytearray(note)
            flipped[bit // 8] ^= 1 << bit % 8
            altered = [*notes[:i], (size, bytes(flipped)), *notes[i + 1 :]]
            assert _judge(log, log.bodies, altered, quick=False) == TAMPERED, bytes(flipped)


def test_tiles() -> None:
    log = Log()
    for _ in range(256):
        log.add("log.quiet")
    log.sign()
    wish = Wish(keys=(Key.parse(log.signer.key),), quick=True)
    (tile,) = MemoryTiles(log.leaves).full.values()
    assert verify(Kept(log.bodies, _notes(log), (tile,)), wish).exit == VERIFIED
    for flipped in _flips(tile, every=41):
        assert verify(Kept(log.bodies, _notes(log), (flipped,)), wish).exit == TAMPERED


def test_keys_and_receipts() -> None:
    key = Signer().key
    for bit in range(len(key) * 8):
        flipped = bytearray(key.encode())
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Malformed):
            Key.parse(flipped.decode(errors="replace"))
    text = str(Ours("prodaccess/audit", 120, bytes(range(32)), 77, bytes(range(100, 132))))
    told = Receipt.parse(text)
    for altered in _flips(text.encode()):
        try:
            assert Receipt.parse(altered.decode(errors="replace")) != told
        except Malformed:
            continue


def test_a_log_that_breaks_the_verifier_is_not_called_tampered(log: Log) -> None:
    class Broken(Kept):
        def blocks(self) -> Iterator[Block]:
            raise RecursionError("deep")

    report = verify(Broken(log.bodies, _notes(log), ()), Wish())
    assert (report.exit, report.undecided[0]) == (2, "The verifier failed on this log (RecursionError: deep).")
