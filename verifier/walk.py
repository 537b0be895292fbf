"""One pass over a log: hashes, order, roots, tiles, and what stands beside the entries. Memory stays flat.

A check that fails here ends the pass, for what follows cannot be recomputed; only what entries mean is collected.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .beside import Anchors, Payloads, Tiles, check_named, check_policies
from .entries import Entries
from .keyring import KeyRing
from .notes import Checkpoint, Key, Malformed, Receipt
from .report import Finding, Report, Tampered, Unreadable
from .sources import Block, Signed, Source
from .tree import Tree, is_consistent, leaves, levels_between


@dataclass(frozen=True)
class Wish:
    """What is asked of one run."""

    keys: tuple[Key, ...] = ()
    trust_first: bool = False
    witnesses: tuple[Key, ...] = ()
    since: Checkpoint | None = None
    receipt: Receipt | None = None
    tolerance: int = 60  # seconds
    quick: bool = False
    deep: bool = False


class Pin(NamedTuple):
    """A root that somebody outside remembers."""

    size: int
    check: str
    root: bytes
    what: str


def verify(source: Source, wish: Wish) -> Report:
    """Everything, in one pass."""
    report = Report(source.name)
    try:
        _Walk(source, wish, report).run()
    except Tampered as tampered:
        report.failures.insert(0, tampered.finding)
        report.remarks.append("the pass ended at the failure; what lies behind it was not checked")
    except Unreadable as unreadable:
        report.undecided.append(str(unreadable))
    except Exception as error:  # hostile input is the rule here, and a traceback must not look like a verdict
        report.undecided.append(f"The verifier failed on this log ({type(error).__name__}: {error}).")
    return report


class _Walk:
    def __init__(self, source: Source, wish: Wish, report: Report) -> None:
        self.source, self.wish, self.report = source, wish, report
        self.tree = Tree(source.start, source.left, keep=source.has_tiles)
        self.entries = Entries(report, source.start, wish.tolerance, deep=wish.deep)
        self.anchors = Anchors(source, report, wish.witnesses)
        self.payloads = Payloads(source, report) if source.has_payloads and not wish.quick else None
        self.keys = KeyRing(wish.keys, report)
        self._texts: set[str] = set()  # of policies
        self._good = source.start  # everything before is covered by a checkpoint that holds
        self._last: Checkpoint | None = None
        self._unsigned: Checkpoint | None = None  # the last one, when only that one's signature is looked at
        self.tiles = Tiles(source, report, self.tree.made) if source.has_tiles else None
        stops: list[Iterable[Signed | Pin]] = [source.checkpoints(), self._pins()]
        self._stops = heapq.merge(*stops, key=lambda stop: stop.size)
        self._stop = next(self._stops, None)

    def run(self) -> None:
        source, report = self.source, self.report
        report.first = source.start
        report.passed["files"] += source.check_files()
        self._check_tables()
        self._texts |= set(check_policies(source, report))
        self.entries.policies |= self._texts
        if self.wish.trust_first and not self.wish.keys:
            self.keys.trust(source.keys)
        try:
            self._look()
            for block in source.blocks():
                self._take(block)
            self._finish()
        finally:
            report.origin = self.entries.origin

    def _check_tables(self) -> None:
        if self.source.tables:
            for what in self.source.check_tables():
                self.report.note(Finding("tables", what))
            self.report.passed["tables"] += self.source.tables

    # Entries

    def _take(self, block: Block) -> None:
        first, count = self.tree.size, len(block.bodies)
        expected = range(first, first + count)
        if block.seqs is not None and tuple(block.seqs) != tuple(expected):
            wrong, is_ = next((want, is_) for want, is_ in zip(expected, block.seqs, strict=True) if want != is_)
            raise Tampered("sequence", f"is missing: entry {is_} stands in its place", wrong)
        hashes = self._hashed(block, first)
        self.report.entries += count
        self.report.passed["sequence"] += count
        self._hold_receipt(first, hashes)
        self.keys.take(first, block.bodies)
        if not self.wish.quick:
            self.entries.take(first, block)
            if self.wish.trust_first and not self.wish.keys:
                self.keys.trust(self.entries.keys)
        if self.payloads is not None:
            self.payloads.take(first, block.bodies)
        self._grow(hashes)
        if self.tiles is not None:
            self.tiles.check()

    def _hashed(self, block: Block, first: int) -> list[bytes]:
        try:
            hashes = leaves(block.bodies)
        except TypeError:
            wrong = next(i for i, body in enumerate(block.bodies) if not isinstance(body, bytes))
            raise Tampered("leaf", "is not stored as bytes", first + wrong) from None
        if block.leaves is not None:
            if list(block.leaves) != hashes:
                wrong = next(i for i, leaf in enumerate(block.leaves) if leaf != hashes[i])
                raise Tampered("leaf", "was altered: its stored leaf hash is not the hash of its body", first + wrong)
            self.report.passed["leaf"] += len(hashes)
        return hashes

    def _grow(self, hashes: Sequence[bytes]) -> None:
        """Append, stopping wherever somebody has said what the root is there."""
        at = 0
        while at < len(hashes):
            room = len(hashes) if self._stop is None else at + self._stop.size - self.tree.size
            piece = hashes[at : max(at + 1, room)]
            self.tree.extend(piece)
            at += len(piece)
            self._look()

    # Roots

    def _look(self) -> None:
        while self._stop is not None and self._stop.size <= self.tree.size:
            stop = self._stop
            if stop.size < self.tree.size:
                raise Unreadable(f"A checkpoint of size {stop.size} lies where this range has no entries.")
            if isinstance(stop, Pin):
                self._compare_pin(stop)
            else:
                self._check(stop)
            self._stop = next(self._stops, None)

    def _compare_pin(self, pin: Pin) -> None:
        if pin.root != self.tree.root():
            raise Tampered(pin.check, f"the first {pin.size} entries are not those that {pin.what} speaks of")
        self.report.passed[pin.check] += 1

    def _check(self, signed: Signed) -> None:
        checkpoint, root = self._signature(signed), self.tree.root()
        if signed.size != checkpoint.size or signed.root not in (None, checkpoint.root):
            raise Tampered("root", f"the checkpoint of size {signed.size} is stored with another size or root")
        if checkpoint.root != root:
            where = f"{self._good} to {signed.size - 1}"
            what = f"entries {where} hold what was not signed: the root at size {signed.size} is another"
            raise Tampered("root", what, self._good)
        self.anchors.check(checkpoint, signed.note)
        self._good, self._last = signed.size, checkpoint
        self.report.passed["root"] += 1
        self.report.checkpoints += 1
        self.report.size, self.report.root = checkpoint.size, checkpoint.root.hex()

    def _signature(self, signed: Signed) -> Checkpoint:
        try:
            checkpoint = Checkpoint.parse(signed.note)
        except Malformed as error:
            raise Tampered("signature", f"the checkpoint of size {signed.size} cannot be read: {error}") from error
        if self.entries.origin not in ("", checkpoint.origin):
            raise Tampered("signature", f"the checkpoint of size {signed.size} is of another log, {checkpoint.origin}")
        self.entries.origin = self.report.origin = checkpoint.origin
        if self.wish.quick:
            self._unsigned = checkpoint
        else:
            self.keys.must_have_signed(checkpoint)
        return checkpoint

    # What others remember

    def _pins(self) -> list[Pin]:
        wish, pins = self.wish, list[Pin]()
        if wish.since is not None:
            pins.append(Pin(wish.since.size, "consistency", wish.since.root, "the earlier checkpoint"))
        if wish.receipt is not None:
            pins.append(Pin(wish.receipt.size, "receipt", wish.receipt.root, "the receipt"))
        if self.source.root is not None:
            pins.append(Pin(self.source.size, "files", self.source.root, "the manifest"))
        self._unreached = [pin for pin in pins if not self._is_reached(pin.size)]
        return sorted(pin for pin in pins if self._is_reached(pin.size))

    def _is_reached(self, size: int) -> bool:
        whole = self.source.size == self.source.end
        return self.source.start <= size <= self.source.end or size == self.source.size or (
            whole and size > self.source.end  # a log that has shrunk: an ordinary failure
        )  # fmt: skip

    def _hold_receipt(self, first: int, hashes: Sequence[bytes]) -> None:
        receipt = self.wish.receipt
        if receipt is not None and first <= receipt.seq < first + len(hashes):
            if hashes[receipt.seq - first] != receipt.leaf:
                raise Tampered("receipt", "is not the entry that the receipt was given for", receipt.seq)
            self.report.passed["receipt"] += 1

    # The end

    def _finish(self) -> None:
        source, size = self.source, self.tree.size
        if size != source.end:
            raise Tampered("sequence", f"and all to {source.end - 1} are missing" if size < source.end else
                           "and all behind it are more than there should be", min(size, source.end))  # fmt: skip
        for node, level in zip(source.right, levels_between(source.end, source.size), strict=True):
            self.tree.extend([node], level)
        self._look()
        if self._stop is not None:
            what = self._stop.what if isinstance(self._stop, Pin) else "a checkpoint"
            check = self._stop.check if isinstance(self._stop, Pin) else "root"
            raise Tampered(check, f"is missing: {what} speaks of {self._stop.size} entries", size)
        if self.tiles is not None:
            self.tiles.finish()
        if self._unsigned is not None:
            self.keys.must_have_signed(self._unsigned)
        self._prove_the_rest()
        self.anchors.finish()
        if self.payloads is not None:
            self.payloads.finish(self.entries.erasures)
        if not self.wish.quick:
            self.entries.finish(source.frontier)
            check_named(source, self.report, self._texts, self.entries.named)
        self._decide()

    def _prove_the_rest(self) -> None:
        """Roots from before or behind a range: by the consistency proofs that the bundle brings."""
        for pin in self._unreached:
            proof = self.source.proofs.get(pin.size)
            if pin.size > self.source.size or proof is None:
                self.report.undecided.append(f"This bundle cannot be compared with {pin.what} (size {pin.size}).")
            elif not is_consistent((pin.size, pin.root), (self.source.size, self.tree.root()), proof):
                raise Tampered(pin.check, f"the log does not continue {pin.what} (size {pin.size})")
            else:
                self.report.passed[pin.check] += 1

    def _decide(self) -> None:
        report, wish = self.report, self.wish
        report.origin = self.entries.origin
        for memory in (wish.receipt, wish.since):
            if memory is not None and memory.origin != report.origin:
                report.undecided.append(f"{memory.origin} is another log than {report.origin}.")
        if wish.receipt is not None:
            if report.passed["receipt"] < 2 and not report.undecided:
                report.undecided.append(f"Entry {wish.receipt.seq} is not in this range.")
            return
        if self._last is None:
            report.undecided.append("There is no checkpoint, so nobody has signed any of this.")
        elif not self.keys.keys:
            report.undecided.append("No key was given, so nobody knows who signed this. Give --key or --key-file.")
