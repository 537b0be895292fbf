"""`prodaccess audit export`: a piece of the log as a file, with its proof, and an entry that says so."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from access.errors import BadInput, Unavailable
from access.events import AuditExported, RequestAsked
from access.model import parse_ref
from access.model import ref as as_ref
from audit.checkpoint import Checkpoint
from audit.export.bundle import write_bundle
from audit.export.files import Export, draft, prove, write
from audit.export.rows import ExportError, Row, Subjects, Written
from audit.export.tiles import write_tiles
from audit.log import Entry, head
from audit.tree import SqlTiles, Tree
from prodaccess.auditing.bundle import BundleWish, Piece, contents, gather
from prodaccess.auditing.desk import in_transaction, operator, write_down
from prodaccess.clock import wall_time
from store.log import SqlLog

_AT_ONCE = 500
_PATIENCE = 3.0  # seconds for a running server to sign what was just written


@dataclass(frozen=True, slots=True)
class Wish:
    """As it was typed. `first` and `last` are entry numbers or days in UTC; both belong to the piece."""

    form: str
    out: str
    first: str = ""
    last: str = ""
    ref: str = ""
    bundle: BundleWish = field(default_factory=BundleWish)


@dataclass(frozen=True, slots=True)
class Exported:
    """`proof` is the file beside it, empty where the form carries its own."""

    file: str
    proof: str
    form: str
    first: int
    last: int
    sha256: str
    entry: int  # of the log, saying so

    def as_dict(self) -> dict[str, str | int]:
        return asdict(self)

    def __str__(self) -> str:
        proven = f"\n{self.proof}: the proof" if self.proof else ""
        return (
            f"{self.file}: entries {self.first} to {self.last} as {self.form}{proven}\n"
            f"SHA-256 {self.sha256}\nEntry {self.entry} of the log says who exported it."
        )


def export(log: SqlLog, wish: Wish) -> Exported:
    """The file takes its name only after the log's own entry stands. Raises BadInput, ExportError, Unavailable."""
    span = _span(log, wish)
    signed = _covering(log, span.stop - 1)
    path = Path(wish.out).absolute()
    if wish.form == "tiles":
        return _as_tiles(log, wish, signed, path)
    if wish.form == "bundle":
        return _as_bundle(log, wish, asyncio.run(gather(log, span, signed)), path)
    wanted = Export(wish.form, span.start, log.ledger.origin)
    with draft(path) as out:
        written = write(wanted, _rows(log, span), out)
        beside = in_transaction(log, lambda tx: prove(path, wanted, written, Tree(SqlTiles(tx)), signed.note))
        with _gone_on_failure(beside):
            entry = _say(log, wish.form, written)
    return Exported(str(path), str(beside), wish.form, span.start, span.stop - 1, written.sha256, entry)


def _as_bundle(log: SqlLog, wish: Wish, piece: Piece, path: Path) -> Exported:
    """A bundle has its proof in it."""
    part = path.with_name(f"{path.name}.part")
    if path.exists():
        raise ExportError(f"{path} exists. Choose another name, or remove it first.")
    with _private(), _gone_on_failure(part):
        part.unlink(missing_ok=True)
        written = in_transaction(log, lambda tx: write_bundle(part, contents(log, tx, piece, wish.bundle)))
        entry = _say(log, wish.form, written)
        part.rename(path)
    return Exported(str(path), "", wish.form, written.start, written.end - 1, written.sha256, entry)


def _as_tiles(log: SqlLog, wish: Wish, signed: Checkpoint, path: Path) -> Exported:
    """The checkpoint in it is its proof. Entries hold no private words, so anybody may mirror it."""
    if wish.first or wish.last or wish.ref:
        raise BadInput("Tiles are the whole log: leave out --from, --to and --ref.")

    def bodies(start: int, end: int) -> tuple[bytes, ...]:
        return tuple(entry.body for entry in _read(log, start, end - start))

    in_transaction(log, lambda tx: write_tiles(path, signed, SqlTiles(tx), bodies))
    digest = hashlib.sha256(signed.note.encode()).hexdigest()
    entry = _say(log, wish.form, Written(0, signed.size, 0, digest))
    return Exported(str(path), "", wish.form, 0, signed.size - 1, digest, entry)


@contextmanager
def _private() -> Iterator[None]:
    """What is made here is for its owner alone: people's words are in it."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def _gone_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _say(log: SqlLog, form: str, written: Written) -> int:
    first, last = written.start, written.end - 1
    event = AuditExported(
        at=wall_time(), first=first, last=last, form=form, sha256=written.sha256, operator=operator()
    )  # fmt: skip
    return write_down(log, event)


def _rows(log: SqlLog, span: range) -> Iterator[Row]:
    def asked(ref: str) -> RequestAsked | None:
        entries = in_transaction(log, lambda tx: log.ledger.read_ref(tx, ref))
        return next((entry.event for entry in entries if isinstance(entry.event, RequestAsked)), None)

    subjects = Subjects(asked)
    for start in range(span.start, span.stop, _AT_ONCE):
        count = min(_AT_ONCE, span.stop - start)
        yield from map(subjects.row, _read(log, start, count))


def _read(log: SqlLog, start: int, count: int) -> tuple[Entry, ...]:
    return in_transaction(log, lambda tx: log.ledger.read(tx, start - 1, count))


# From where to where


def _span(log: SqlLog, wish: Wish) -> range:
    """Raises BadInput. What is not limited ends with what is signed."""
    newest = asyncio.run(log.last_checkpoint())
    if newest is None:
        raise BadInput("Nothing is signed yet, so nothing can be proven. A running `serve` signs within a second.")
    if wish.ref:
        return _span_of(log, as_ref(parse_ref(wish.ref)))
    start = _first(log, wish.first) if wish.first else 0
    end = _end(log, wish.last, newest.size) if wish.last else newest.size
    if start >= end:
        raise BadInput(f"There is nothing from {wish.first or 'the beginning'} to {wish.last or 'the end'}.")
    return range(start, end)


def _span_of(log: SqlLog, ref: str) -> range:
    entries = in_transaction(log, lambda tx: log.ledger.read_ref(tx, ref))
    if not entries:
        raise BadInput(f"The log has no {ref}.")
    return range(entries[0].seq, entries[-1].seq + 1)


def _first(log: SqlLog, typed: str) -> int:
    return _number(log, typed) if typed.isdigit() else _recorded_from(log, _day(typed))


def _end(log: SqlLog, typed: str, signed: int) -> int:
    """One after the last; of a day that is not over, what is signed of it."""
    if typed.isdigit():
        return _number(log, typed) + 1
    return min(_recorded_from(log, _day(typed) + timedelta(days=1)), signed)


def _number(log: SqlLog, typed: str) -> int:
    last = in_transaction(log, head)
    if not typed.isascii() or int(typed) > last:
        raise BadInput(f"There is no entry {typed}: the log's last is {last}.")
    return int(typed)


def _day(typed: str) -> datetime:
    try:
        day = date.fromisoformat(typed)
    except ValueError:
        raise BadInput(f"“{typed[:40]}” is no entry's number and no day: they look like 812 and 2026-11-23.") from None
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _recorded_from(log: SqlLog, when: datetime) -> int:
    """The first entry recorded then or later; `recorded_at` never decreases, so the halves can be told apart."""
    low, high = 0, in_transaction(log, head) + 1
    while low < high:
        middle = (low + high) // 2
        (entry,) = _read(log, middle, 1)
        low, high = (middle + 1, high) if entry.recorded_at < when else (low, middle)
    return low


def _covering(log: SqlLog, last: int) -> Checkpoint:
    """The smallest signed checkpoint that holds the piece; a running server is given a moment to make it."""
    until = time.monotonic() + _PATIENCE
    while (found := asyncio.run(log.checkpoint_covering(last))) is None:
        if time.monotonic() > until:
            raise Unavailable(f"Entry {last} is not signed yet. A running `serve` signs within a second.")
        time.sleep(0.1)
    return found
