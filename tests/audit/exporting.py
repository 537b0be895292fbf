"""Rows to export: one plausible entry of every kind, with real bodies and leaf hashes."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, get_type_hints

from access.events import CATALOGUE, Event, RequestAsked
from access.model import Person
from audit.canonical import Writer, micros
from audit.export.rows import Row
from audit.log import ORIGIN, Entry
from audit.merkle import leaf_hash
from audit.note import Signature, note_text
from tests.people import LINUS

AT = datetime(2026, 11, 23, 14, 0, 0, 123456, tzinfo=UTC)
_WORDS: dict[str, Any] = {
    "target": "orders-db", "role": "read", "ticket": "OPS-412", "reason": "refunds stuck", "address": "10.1.2.3",
    "host": "db-3.prod", "coverage": "full", "text": "SELECT * FROM orders WHERE id = 7", "outcome": "ok",
    "touches": ("read table:public.orders", "write path:/etc/hosts"), "policy_hash": "ab" * 32,
    "rule": "orders-db/read",
}  # fmt: skip
_BY_TYPE: dict[Any, Any] = {
    str: "words", int: 3, bool: True, datetime: AT + timedelta(hours=1), timedelta: timedelta(hours=1),
    tuple[str, ...]: ("one", "two"), int | None: 4, datetime | None: AT, Person | None: LINUS,
    timedelta | None: timedelta(minutes=30),
}  # fmt: skip


def sample(cls: type[Event], **changes: Any) -> Event:
    """An event with a value in every field; those that belong to requests belong to PA-7."""
    hints = get_type_hints(cls)
    values = {f.name: _WORDS.get(f.name, _BY_TYPE[hints[f.name]]) for f in dataclasses.fields(cls)}
    return cls(**{**values, "at": AT, "ref": "PA-7", **changes})


ASKED = sample(RequestAsked)
assert isinstance(ASKED, RequestAsked)


def one_of_each() -> list[Event]:
    """In the catalogue's order: the asking comes first."""
    return [sample(cls) for cls in CATALOGUE.values()]


def entry(event: Event, seq: int = 0) -> Entry:
    writer = Writer(ORIGIN, micros(event.at), lambda _, name, text: hashlib.sha256((name + text).encode()).hexdigest())
    body = writer.body(event, seq, n=seq)
    return Entry(seq, seq, event.at, event, leaf_hash(body), body)


def rows(events: Sequence[Event], start: int = 0) -> Iterable[Row]:
    asked = ASKED if isinstance(ASKED, RequestAsked) else None
    return [Row(entry(event, start + i), asked if event.ref else None) for i, event in enumerate(events)]


def note_of(size: int, root: bytes) -> str:
    """A checkpoint with the form of a signed one; nobody here looks at the signature."""
    signature = Signature(ORIGIN, bytes(4), bytes(64))
    return f"{note_text(ORIGIN, size, root)}\n{signature}\n"
