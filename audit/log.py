"""Appending to the audit log, and reading it.

`append` runs in the caller's transaction: state and entry are durable together or not at all. The frontier row
is locked last, so the log never waits on anything while holding it; and as everybody who appends must take it,
`seq` has no gaps and no two entries stand in one place, however many processes write.

What an entry says about its place (`n`, `prev`, that time does not run back) is taken from the entries themselves:
the frontier's time and the counts per request are for readers, and an altered one gets into no entry.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from sqlalchemy import Connection, select
from sqlmodel import col

from access.errors import Unavailable
from access.events import ApprovalGiven, CredentialIntended, Event, RequestApproved
from audit.appending import Batch, Place
from audit.canonical import commitments, event_of, fields_of, micros, moment
from audit.flow import flowing
from audit.payloads import OpenedText, PayloadKey, SealedText
from audit.tables import LOG, LedgerEntry, LedgerFrontier, LedgerPayload

ORIGIN = "prodaccess/audit"
BEHIND = timedelta(minutes=5)  # with a clock that is further behind the last entry, nothing is given
AHEAD = timedelta(days=5 * 365)  # and with one that is further ahead, nothing is written: it could never be taken back
_GIVING = (ApprovalGiven, RequestApproved, CredentialIntended)
_AT_ONCE = 500  # parameters of one IN list


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

    async def last_of(
        self, ref: str, kinds: Collection[str], limit: int, before: int | None = None
    ) -> tuple[Entry, ...]:
        """The newest entries of these types of one request, in order; those with `seq < before`, where that is said."""
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
        batch = Batch(self.origin, self.payload_key, events)
        with flowing(tx) as line:
            place = Place(line, batch.refs)

            def when() -> int:
                place.look()
                if place.last is not None:
                    _check_clock(now, moment(place.last), events)
                return max(micros(now), place.last or 0)  # never runs backwards, whatever the clock does

            batch.write(line, place, when)
        return tuple(range(place.size, place.size + len(events)))

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

    def read_last_of(
        self, tx: Connection, ref: str, kinds: Collection[str], limit: int, before: int | None = None
    ) -> tuple[Entry, ...]:
        """As `Feed.last_of` has them."""
        query = _select().where(col(LedgerEntry.ref) == ref, col(LedgerEntry.type).in_(kinds))
        if before is not None:
            query = query.where(col(LedgerEntry.seq) < before)
        newest = query.order_by(None).order_by(col(LedgerEntry.seq).desc()).limit(limit)
        return self._entries(tx, newest)[::-1]

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
