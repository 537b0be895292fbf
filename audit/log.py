"""Appending to the audit log, and reading it.

`append` runs in the caller's transaction: state and entry are durable together or not at all. The frontier row
is locked last, so the log never waits on anything while holding it; and as everybody who appends must take it,
`seq` has no gaps and no two entries stand in one place, however many processes write.

What an entry says about its place (`n`, `prev`, that time does not run back) is taken from the entries themselves:
the frontier's time and the counts per request are for readers, and an altered one gets into no entry.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import msgspec
from sqlalchemy import Connection, bindparam, join, select, text, true, update
from sqlmodel import col

from access.errors import Unavailable
from access.events import ApprovalGiven, CredentialIntended, Event, RequestApproved
from audit.canonical import Seal, Writer, commitments, event_of, fields_of, micros, moment
from audit.merkle import leaf_hash
from audit.payloads import OpenedText, PayloadKey, SealedText
from audit.statement import Statement, inserting
from audit.tables import LedgerEntry, LedgerFrontier, LedgerPayload, LedgerTile
from audit.tree import SqlTiles, full_tiles

LOG = 1
ORIGIN = "prodaccess/audit"
LONGEST_BODY = 65_535  # bytes: the length that a C2SP entry bundle can state
BEHIND = timedelta(minutes=5)  # with a clock that is further behind the last entry, nothing is given
AHEAD = timedelta(days=5 * 365)  # and with one that is further ahead, nothing is written: it could never be taken back
_GIVING = (ApprovalGiven, RequestApproved, CredentialIntended)
_AT_ONCE = 500  # parameters of one IN list

_FRONTIER = Statement(
    lambda _: select(col(LedgerFrontier.size)).where(col(LedgerFrontier.log_id) == bindparam("log")).with_for_update()
)
_ADVANCE = Statement(
    lambda _: (
        update(LedgerFrontier)
        .where(col(LedgerFrontier.log_id) == bindparam("log"))
        .values(size=bindparam("size"), last_recorded_at=bindparam("at"))
    )
)
_OF = (
    select(col(LedgerEntry.seq), col(LedgerEntry.body))
    .where(col(LedgerEntry.ref) == bindparam("ref"))
    .order_by(col(LedgerEntry.seq).desc())
    .limit(1)
)
_LAST_OF = Statement(lambda _: _OF)


def _last(_: str) -> Any:
    """The log's last entry's time, and the last entry of a request, at once. No row: the log is empty."""
    of, at = _OF.subquery(), col(LedgerEntry.recorded_at)
    last = (col(LedgerEntry.log_id) == bindparam("log"), col(LedgerEntry.seq) == bindparam("seq"))
    return select(at, of.c.seq, of.c.body).select_from(join(LedgerEntry, of, true(), isouter=True)).where(*last)


def _last_of_many(dialect: str) -> Any:
    """The last entry of each of these requests: as one value, and answered in one on SQLite, where rows cost waits."""
    which = "= ANY(CAST(:refs AS text[]))" if dialect != "sqlite" else "IN (SELECT value FROM json_each(:refs))"
    last = f"SELECT max(seq) AS seq FROM ledger_entry WHERE ref {which} GROUP BY ref"  # noqa: S608 (our own words)
    found = f"({last}) l CROSS JOIN ledger_entry e WHERE e.log_id = :log AND e.seq = l.seq"
    if dialect != "sqlite":
        return text(f"SELECT ref, e.seq, body FROM {found}")  # noqa: S608 (the same)
    return text(f"SELECT json_group_array(json_array(ref, e.seq, CAST(body AS TEXT))) FROM {found}")  # noqa: S608


_LAST = Statement(_last)
_LAST_OF_MANY = Statement(_last_of_many)
_LEAF = 5  # the column's place in a row
_FEW = 3  # requests in one append, up to which each is looked up by itself
_INSERT, _INSERT_TILE, _INSERT_PAYLOAD = (inserting(m) for m in (LedgerEntry, LedgerTile, LedgerPayload))


class _Counted(msgspec.Struct):
    """What an entry says about its place among those of its request, of whatever kind it is."""

    n: int


_counted = msgspec.json.Decoder(_Counted)


class TooLong(ValueError):
    """An event that does not fit into one entry: a fault of whoever made it."""


class ClockAstray(Unavailable):
    """This machine's time cannot be true beside the log's last entry; the sentence says so."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One audit entry as read back. `seq` starts at 0 and has no gaps; `n` counts within its request, also from 0."""

    seq: int
    n: int
    recorded_at: datetime
    event: Event
    leaf: bytes
    body: bytes


class Feed(Protocol):
    """Reading the log from outside its transaction. A reader keeps the last `seq` it has dealt with, -1 at first."""

    async def entries(self, after: int, limit: int = 100) -> tuple[Entry, ...]:
        """In order, those with `seq > after`."""
        ...

    async def entries_of(
        self, ref: str, kinds: Collection[str] | None = None, after: int = -1, limit: int | None = None
    ) -> tuple[Entry, ...]:
        """One request's, in order: all of them, or those of these types, with `seq > after`, at most `limit`."""
        ...

    async def wait(self, after: int, timeout: float) -> bool:
        """True as soon as there is an entry with `seq > after`, False after `timeout` seconds."""
        ...

    async def head(self) -> int:
        """The last entry's `seq`, -1 when the log is empty."""
        ...


class Receipts(Protocol):
    """Proof, for somebody outside, that an entry stands in the log."""

    async def receipt(self, seq: int) -> str:
        """A line to keep (`audit.receipt`); signed now if it has not been. Raises Unavailable."""
        ...


@dataclass(frozen=True)
class Ledger:
    """One log's name and the key of its private texts. `origin` stands in every entry and every checkpoint."""

    origin: str
    payload_key: PayloadKey | None  # without it nothing private can be written, and what is private reads as erased

    def append(self, tx: Connection, events: Sequence[Event], now: datetime) -> tuple[int, ...]:
        """Write the events as the log's next entries; returns their `seq`. Call it last in the transaction.

        Raises ClockAstray. A clock that is behind stops what gives access, never what takes it away.
        """
        if not events:
            return ()
        size = _FRONTIER.run(tx, {"log": LOG}).scalar_one()
        batch = _Batch(tx, self, size)
        last = batch.look_back(next((event.ref for event in events if event.ref), ""))
        if last is not None:
            _check_clock(now, moment(last), events)
        recorded_at = max(micros(now), last or 0)  # never runs backwards, whatever the clock does
        leaves = batch.write(events, recorded_at)
        _ADVANCE.run(tx, {"log": LOG, "size": size + len(leaves), "at": recorded_at})
        return tuple(range(size, size + len(leaves)))

    # Reading

    def read(self, tx: Connection, after: int, limit: int) -> tuple[Entry, ...]:
        """In order, at most `limit` entries with `seq > after`."""
        return self._entries(tx, _select().where(col(LedgerEntry.seq) > after).limit(limit))

    def read_ref(
        self, tx: Connection, ref: str, kinds: Collection[str] | None = None, after: int = -1, limit: int | None = None
    ) -> tuple[Entry, ...]:
        """One request's entries, as `Feed.entries_of` has them."""
        query = _select().where(col(LedgerEntry.ref) == ref)
        if kinds is not None:
            query = query.where(col(LedgerEntry.type).in_(kinds))
        if after >= 0:
            query = query.where(col(LedgerEntry.seq) > after)
        return self._entries(tx, query.limit(limit))

    def read_some(self, tx: Connection, seqs: Sequence[int]) -> tuple[Entry, ...]:
        """Those that exist of the entries with these `seq`, in the log's order."""
        parts = [seqs[i : i + _AT_ONCE] for i in range(0, len(seqs), _AT_ONCE)]
        found = [e for part in parts for e in self._entries(tx, _select().where(col(LedgerEntry.seq).in_(part)))]
        return tuple(sorted(found, key=lambda entry: entry.seq))

    def texts(self, tx: Connection, seqs: Sequence[int]) -> dict[str, OpenedText]:
        """The private texts of these entries that can be opened, by their commitment in hex."""
        found: dict[str, OpenedText] = {}
        if self.payload_key is None:
            return found
        for i in range(0, len(seqs), _AT_ONCE):
            query = select(col(LedgerPayload.commitment), col(LedgerPayload.ciphertext), col(LedgerPayload.seed)).where(
                col(LedgerPayload.seq).in_(seqs[i : i + _AT_ONCE])
            )
            for commitment, ciphertext, seed in tx.execute(query):
                opened = self.payload_key.open(SealedText(bytes(commitment), bytes(ciphertext), seed))
                if opened is not None:
                    found[bytes(commitment).hex()] = opened
        return found

    def _entries(self, tx: Connection, query: Any) -> tuple[Entry, ...]:
        read = [(row.seq, bytes(row.leaf), bytes(row.body)) for row in tx.execute(query).all()]
        fields = [fields_of(body) for _, _, body in read]
        private = [f["seq"] for f in fields if commitments(f)]
        texts = {commitment: opened.text for commitment, opened in self.texts(tx, private).items()}
        return tuple(
            Entry(seq, f.get("n", 0), moment(f["recorded_at"]), event_of(f, texts), leaf, body)
            for (seq, leaf, body), f in zip(read, fields, strict=True)
        )


def _select() -> Any:
    columns = (col(LedgerEntry.seq), col(LedgerEntry.leaf), col(LedgerEntry.body))
    return select(*columns).where(col(LedgerEntry.log_id) == LOG).order_by(col(LedgerEntry.seq))


def head(tx: Connection) -> int:
    """The last entry's `seq`, -1 when the log is empty."""
    size: int = tx.execute(select(col(LedgerFrontier.size)).where(col(LedgerFrontier.log_id) == LOG)).scalar_one()
    return size - 1


def _check_clock(now: datetime, last: datetime, events: Sequence[Event]) -> None:
    if now - last > AHEAD:
        raise ClockAstray(
            f"This machine's clock says {now:%Y-%m-%d}, years after the audit log's last entry of {last:%Y-%m-%d}. "
            "Nothing is written until it is set right. A log that really rested so long is closed: begin a new one."
        )
    if last - now > BEHIND and any(isinstance(event, _GIVING) for event in events):
        raise ClockAstray(
            f"This machine's clock says {now:%Y-%m-%d %H:%M} UTC, and the audit log's last entry is of "
            f"{last:%Y-%m-%d %H:%M}. No access is given until the clock is set right."
        )


_Next = tuple[int, int | None]  # what a request's next entry says of its place: n and prev
_FIRST: _Next = (0, None)


class _Batch:
    """The rows of one append, and the per-request counters they touch. Safe under the frontier lock."""

    def __init__(self, tx: Connection, ledger: Ledger, size: int) -> None:
        self._tx = tx
        self._ledger = ledger
        self._size = size
        self._subjects: dict[str, _Next] = {}
        self._payloads: list[tuple[Any, ...]] = []

    def look_back(self, ref: str) -> int | None:
        """The last entry's recorded_at, None in an empty log. The last of the request is read with it."""
        found = _LAST.run(self._tx, {"log": LOG, "seq": self._size - 1, "ref": ref}).one_or_none()
        if found is None:
            return None
        recorded_at, *of_request = found
        if ref:
            self._subjects[ref] = _next(*of_request)
        return int(recorded_at)

    def write(self, events: Sequence[Event], recorded_at: int) -> list[bytes]:
        """Returns the leaf hashes."""
        rows = self._rows(events, recorded_at)
        leaves = [row[_LEAF] for row in rows]
        _INSERT.run_rows(self._tx, rows)
        if self._payloads:
            _INSERT_PAYLOAD.run_rows(self._tx, self._payloads)
        for tile in full_tiles(self._size, leaves, SqlTiles(self._tx)):
            _INSERT_TILE.run_rows(self._tx, ((LOG, tile.level, tile.index, tile.root, tile.hashes),))
        return leaves

    def _rows(self, events: Sequence[Event], recorded_at: int) -> list[tuple[Any, ...]]:
        self._read_ahead({event.ref for event in events if event.ref} - self._subjects.keys())
        rows, write = [], Writer(self._ledger.origin, recorded_at, self._sealing(len(events))).body
        for seq, event in enumerate(events, self._size):
            if ref := event.ref:
                n, prev = self._subjects.get(ref) or self._read(ref)
                self._subjects[ref] = n + 1, seq
                body = write(event, seq, n, prev)
            else:
                body = write(event, seq)
            if len(body) > LONGEST_BODY:
                raise TooLong(f"{event.TAG} makes an entry of {len(body)} bytes, and {LONGEST_BODY} is the most")
            rows.append((LOG, seq, recorded_at, event.TAG, ref, leaf_hash(body), body))
        return rows

    def _read_ahead(self, refs: Collection[str]) -> None:
        """The last entries of many requests by one query: one each would cost more than all the writing."""
        if len(refs) <= _FEW:
            return
        self._subjects |= dict.fromkeys(refs, _FIRST)
        for ref, seq, body in self._last_of_many(list(refs)):
            self._subjects[ref] = _next(seq, body)

    def _last_of_many(self, refs: list[str]) -> Iterable[tuple[str, int, bytes | str]]:
        if self._tx.dialect.name != "sqlite":
            return tuple(_LAST_OF_MANY.run(self._tx, {"log": LOG, "refs": refs}))
        found: str = _LAST_OF_MANY.run(self._tx, {"log": LOG, "refs": json.dumps(refs)}).scalar_one()
        return msgspec.json.decode(found, type=list[tuple[str, int, str]])

    def _read(self, ref: str) -> _Next:
        found = _LAST_OF.run(self._tx, {"ref": ref}).one_or_none()
        return _next(*found) if found else _FIRST

    def _sealing(self, count: int) -> Seal:
        key, payloads = self._ledger.payload_key, self._payloads
        sealed = None if key is None else key.sealing(count)

        def seal(seq: int, field: str, text: str) -> str:
            if sealed is None:
                raise ValueError("private text cannot be written without the payload key")
            commitment, ciphertext, own = sealed(text)
            payloads.append((commitment, seq, field, ciphertext, own, None))
            return commitment.hex()

        return seal


def _next(seq: int | None, body: bytes | str | None) -> _Next:
    return _FIRST if seq is None or body is None else (_counted.decode(body).n + 1, seq)
