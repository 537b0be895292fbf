"""Appending to the audit log, and reading it.

`append` runs in the caller's transaction: state and entry are durable together or not at all. The frontier row
is locked last, so the log never waits on anything while holding it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Connection, bindparam, select, update
from sqlmodel import col

from access.events import Event
from audit.canonical import decode, encode, leaf_hash, micros, moment
from audit.statement import Statement, inserting, upserting
from audit.tables import LedgerEntry, LedgerFrontier, LedgerSubject

LOG = 1
ORIGIN = "prodaccess/audit"
VERSION = 1

_THIS = col(LedgerFrontier.log_id) == LOG
_FRONTIER = Statement(
    lambda _: select(col(LedgerFrontier.size), col(LedgerFrontier.last_recorded_at)).where(_THIS).with_for_update()
)
_ADVANCE = Statement(
    lambda _: update(LedgerFrontier).where(_THIS).values(size=bindparam("size"), last_recorded_at=bindparam("at"))
)
_INSERT = inserting(LedgerEntry)
_SUBJECT = Statement(
    lambda _: select(col(LedgerSubject.count), col(LedgerSubject.last_seq)).where(
        col(LedgerSubject.log_id) == bindparam("log_id"), col(LedgerSubject.ref) == bindparam("ref")
    )
)
_SAVE_SUBJECT = upserting(LedgerSubject)


@dataclass(frozen=True, slots=True)
class Entry:
    """One audit entry as read back. `seq` starts at 0 and has no gaps; `n` counts within its request, also from 0."""

    seq: int
    n: int
    recorded_at: datetime
    event: Event
    leaf: bytes


class Feed(Protocol):
    """Reading the log from outside its transaction. A reader keeps the last `seq` it has dealt with, -1 at first."""

    async def entries(self, after: int, limit: int = 100) -> tuple[Entry, ...]:
        """In order, those with `seq > after`."""
        ...

    async def entries_of(self, ref: str) -> tuple[Entry, ...]:
        """All of one request, in order."""
        ...

    async def wait(self, after: int, timeout: float) -> bool:
        """True as soon as there is an entry with `seq > after`, False after `timeout` seconds."""
        ...

    async def head(self) -> int:
        """The last entry's `seq`, -1 when the log is empty."""
        ...


def append(tx: Connection, events: Sequence[Event], now: datetime) -> tuple[int, ...]:
    """Write the events as the log's next entries; returns their `seq`. Call it last in the transaction."""
    if not events:
        return ()
    size, last_recorded_at = _FRONTIER.run(tx, {"log_id_1": LOG}).one()
    recorded_at = max(micros(now), last_recorded_at)  # never runs backwards, whatever the clock does
    subjects = _Subjects(tx)
    rows = [_row(event, size + i, recorded_at, subjects) for i, event in enumerate(events)]
    _INSERT.run_many(tx, rows)
    subjects.write()
    _ADVANCE.run(tx, {"log_id_1": LOG, "size": size + len(rows), "at": recorded_at})
    return tuple(row["seq"] for row in rows)


def _row(event: Event, seq: int, recorded_at: int, subjects: _Subjects) -> dict[str, Any]:
    place: dict[str, Any] = {"v": VERSION, "log": ORIGIN, "seq": seq, "recorded_at": recorded_at}
    if event.ref:
        place |= subjects.next(event.ref, seq)
    body = encode(event, place)
    return {
        "log_id": LOG, "seq": seq, "recorded_at": recorded_at, "type": event.TAG, "ref": event.ref,
        "leaf": leaf_hash(body), "body": body,
    }  # fmt: skip


class _Subjects:
    """The per-request counters touched by one append. Safe under the frontier lock."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx
        self._now: dict[str, tuple[int, int]] = {}

    def next(self, ref: str, seq: int) -> dict[str, int]:
        """`n`, and `prev` unless this is the first."""
        if ref not in self._now:
            found = _SUBJECT.run(self._tx, {"log_id": LOG, "ref": ref}).one_or_none()
            self._now[ref] = (found[0], found[1]) if found else (0, -1)
        n, prev = self._now[ref]
        self._now[ref] = (n + 1, seq)
        return {"n": n, "prev": prev} if n else {"n": 0}

    def write(self) -> None:
        for ref, (count, last_seq) in self._now.items():
            _SAVE_SUBJECT.run(self._tx, {"log_id": LOG, "ref": ref, "count": count, "last_seq": last_seq})


def read(tx: Connection, after: int, limit: int) -> tuple[Entry, ...]:
    """In order, at most `limit` entries with `seq > after`."""
    where = (col(LedgerEntry.log_id) == LOG, col(LedgerEntry.seq) > after)
    return _entries(
        tx,
        select(col(LedgerEntry.seq), col(LedgerEntry.leaf), col(LedgerEntry.body))
        .where(*where)
        .order_by(col(LedgerEntry.seq))
        .limit(limit),
    )


def read_ref(tx: Connection, ref: str) -> tuple[Entry, ...]:
    """All entries of one request, in order."""
    where = (col(LedgerEntry.log_id) == LOG, col(LedgerEntry.ref) == ref)
    return _entries(
        tx,
        select(col(LedgerEntry.seq), col(LedgerEntry.leaf), col(LedgerEntry.body))
        .where(*where)
        .order_by(col(LedgerEntry.seq)),
    )


def head(tx: Connection) -> int:
    """The last entry's `seq`, -1 when the log is empty."""
    size: int = tx.execute(select(col(LedgerFrontier.size)).where(col(LedgerFrontier.log_id) == LOG)).scalar_one()
    return size - 1


def _entries(tx: Connection, query: Any) -> tuple[Entry, ...]:
    return tuple(_entry(row.seq, row.leaf, row.body) for row in tx.execute(query).all())


def _entry(seq: int, leaf: bytes, body: bytes) -> Entry:
    fields, event = decode(bytes(body))
    return Entry(seq, fields.get("n", 0), moment(fields["recorded_at"]), event, bytes(leaf))
