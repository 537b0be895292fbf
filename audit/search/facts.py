"""What search takes out of an entry, whatever kind of event it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

import msgspec
from sqlalchemy import Connection, select
from sqlmodel import col

from access.events import Erased, Event
from access.model import Person
from audit.canonical import micros
from audit.log import Entry
from audit.tables import LOG, LedgerEntry


class Reader(Protocol):
    """The ledger, as search reads it (`audit.log.Ledger`)."""

    def read(self, tx: Connection, after: int, limit: int) -> Sequence[Entry]:
        """In order, at most `limit` entries with `seq > after`. ValueError: one is of a kind that is not known."""
        ...

    def read_some(self, tx: Connection, seqs: Sequence[int]) -> Sequence[Entry]:
        """Those with these `seq`, in order. ValueError: as above."""
        ...


@dataclass(frozen=True, slots=True)
class Facts:
    """One entry as plain values. `at` in microseconds; `data` as in the event, or in the body."""

    seq: int
    at: int
    type: str
    ref: str
    by: Person | None
    data: Mapping[str, Any]

    def text(self, name: str) -> str:
        """A field that holds text, "" where there is none."""
        value = self.data.get(name)
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> tuple[str, ...]:
        value = self.data.get(name)
        return tuple(v for v in value if isinstance(v, str)) if isinstance(value, tuple | list) else ()

    def micros(self, name: str) -> int | None:
        value = self.data.get(name)
        return micros(value) if isinstance(value, datetime) else None

    @property
    def erased(self) -> bool:
        return any(isinstance(value, Erased) for value in self.data.values())


def facts_of(seq: int, event: Event) -> Facts:
    data = {name: getattr(event, name) for name in type(event).__slots__}  # its own fields, without the envelope's
    return Facts(seq, micros(event.at), event.TAG, event.ref, event.by, data)


def read_facts(tx: Connection, ledger: Reader, after: int, limit: int) -> list[Facts]:
    """In order, at most `limit` entries with `seq > after`; one of an unknown kind by its plain fields alone."""
    try:
        return [facts_of(entry.seq, entry.event) for entry in ledger.read(tx, after, limit)]
    except ValueError:
        return [_one(tx, ledger, seq, body) for seq, body in _bodies(tx, after, limit)]


def read_some_facts(tx: Connection, ledger: Reader, seqs: Sequence[int]) -> list[Facts]:
    """Those with these `seq`, in order; one of an unknown kind as above."""
    try:
        return [facts_of(entry.seq, entry.event) for entry in ledger.read_some(tx, seqs)]
    except ValueError:
        return [facts for seq in sorted(seqs) for facts in read_facts(tx, ledger, seq - 1, 1)]


def _one(tx: Connection, ledger: Reader, seq: int, body: bytes) -> Facts:
    try:
        (entry,) = ledger.read(tx, seq - 1, 1)
    except ValueError:
        return _plain(seq, body)
    return facts_of(seq, entry.event)


def _plain(seq: int, body: bytes) -> Facts:
    fields = msgspec.json.decode(body)
    by = Person(**fields["by"]) if "by" in fields else None
    return Facts(seq, fields["occurred_at"], fields["type"], fields.get("ref", ""), by, fields["data"])


def _bodies(tx: Connection, after: int, limit: int) -> list[tuple[int, bytes]]:
    query = select(col(LedgerEntry.seq), col(LedgerEntry.body)).where(
        col(LedgerEntry.log_id) == LOG, col(LedgerEntry.seq) > after
    )
    return [(row[0], bytes(row[1])) for row in tx.execute(query.order_by(col(LedgerEntry.seq)).limit(limit))]
