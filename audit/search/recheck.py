"""Deriving every projection again and comparing it with what is stored: for `verify --deep`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection, func, select, text, tuple_
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel

from audit.search import index
from audit.search.common import bits_of
from audit.search.facts import Reader, read_facts
from audit.search.index import COLUMNS
from audit.search.projector import BATCH, credential_rows, indexed_to, touch_rows
from audit.search.rows import Row, Subjects, row_of
from audit.search.tables import BLOCK, ZONE

_AT_ONCE = 200  # touches of one look-up
_SEEN = "CREATE VIRTUAL TABLE temp.search_words_seen USING fts5vocab(main, search_words, instance)"


def recheck(tx: Connection, ledger: Reader) -> str | None:
    """The first difference between the projections and the ledger, as a sentence; None when there is none.

    It quotes nobody's words: the report goes to whoever verifies. Needs the key of the private texts; reads only.
    Entries behind the index are not looked at. Holds all requests in memory.
    """
    return next(_differences(tx, ledger), None)


def _differences(tx: Connection, ledger: Reader) -> Iterator[str]:
    last, seq, touches, issued = indexed_to(tx), -1, 0, 0
    subjects, zones, words, blocks = Subjects(), dict[int, list[int]](), _Heap(), _Blocks()
    while seq < last:
        facts = read_facts(tx, ledger, seq, min(BATCH, last - seq))
        if not facts:
            yield f"search_progress says {last}, but the ledger ends at {seq}"
            return
        rows = [row_of(f, subjects) for f in facts]
        yield from _entries(tx, rows)
        for row in rows:
            words.add(row.seq, index.tokens(tx.dialect.name, row.seq, row.words))
            blocks.add(row.seq, row.words)
        expected = [touch for row in rows for touch in touch_rows(row)]
        yield from _touches(tx, expected)
        credentials = credential_rows(rows)
        yield from _credentials(tx, rows, credentials)
        for row in rows:
            zones.setdefault(row.seq // ZONE, []).append(row.at)
        zones = {zone: [min(times), max(times)] for zone, times in zones.items()}
        seq, touches, issued = facts[-1].seq, touches + len(expected), issued + len(credentials)
    yield from _totals(tx, {"search_entry": last + 1, "search_touch": touches, "search_credential": issued})
    yield from _subjects(tx, subjects, zones)
    yield from _index(tx, words)
    yield from _common(tx, blocks)


def _entries(tx: Connection, rows: Sequence[Row]) -> Iterator[str]:
    query = text(
        f"SELECT {', '.join(COLUMNS)}, {index.words_column(tx)} AS words FROM search_entry"  # noqa: S608
        " WHERE seq >= :first AND seq <= :last"
    )
    stored = {r["seq"]: dict(r) for r in tx.execute(query, {"first": rows[0].seq, "last": rows[-1].seq}).mappings()}
    for row in rows:
        found = stored.get(row.seq)
        if found is None:
            yield f"search_entry has no {row.seq}"
            continue
        for name in COLUMNS:
            if found[name] != getattr(row, name):
                told = f"{name} is {found[name]!r}, and by the ledger {getattr(row, name)!r}"
                yield f"search_entry {row.seq}: {'its text is not as in the ledger' if name == 'text' else told}"
        if index.unpacked(tx, found["words"]) != index.tokens(tx.dialect.name, row.seq, row.words):
            yield f"search_entry {row.seq}: its words differ from the ledger's"


def _touches(tx: Connection, expected: Sequence[dict[str, Any]]) -> Iterator[str]:
    table = SQLModel.metadata.tables["search_touch"]
    keys = ("object", "target", "seq", "op")
    key = tuple_(*(table.c[name] for name in keys))
    for i in range(0, len(expected), _AT_ONCE):
        part = expected[i : i + _AT_ONCE]
        query = select(table).where(key.in_([tuple(touch[name] for name in keys) for touch in part]))
        stored = {tuple(r[name] for name in keys): dict(r) for r in tx.execute(query).mappings()}
        for touch in part:
            if stored.get(tuple(touch[name] for name in keys)) != touch:
                yield f"search_touch of entry {touch['seq']}: {touch['op']} {touch['object']} is not as in the ledger"


def _credentials(tx: Connection, rows: Sequence[Row], expected: Sequence[dict[str, Any]]) -> Iterator[str]:
    table = SQLModel.metadata.tables["search_credential"]
    query = select(table).where(table.c.seq >= rows[0].seq, table.c.seq <= rows[-1].seq)
    stored, derived = {r["seq"]: dict(r) for r in tx.execute(query).mappings()}, {one["seq"]: one for one in expected}
    for seq in sorted({*stored, *derived}):
        if stored.get(seq) != derived.get(seq):
            yield f"search_credential {seq} is not as in the ledger"


def _totals(tx: Connection, expected: dict[str, int]) -> Iterator[str]:
    for name, count in expected.items():
        found = tx.execute(select(func.count()).select_from(SQLModel.metadata.tables[name])).scalar_one()
        if found != count:
            yield f"{name} has {found} rows, and by the ledger {count}"


def _subjects(tx: Connection, subjects: Subjects, zones: dict[int, list[int]]) -> Iterator[str]:
    yield from _same(tx, "search_grant", "ref", {ref: asdict(grant) for ref, grant in subjects.grants.items()})
    yield from _same(tx, "search_session", "session", {name: asdict(s) for name, s in subjects.sessions.items()})
    derived = {zone: {"zone": zone, "first_at": first, "last_at": last} for zone, (first, last) in zones.items()}
    yield from _same(tx, "search_zone", "zone", derived)


def _same(tx: Connection, name: str, key: str, derived: dict[Any, dict[str, Any]]) -> Iterator[str]:
    table = SQLModel.metadata.tables[name]
    stored = {row[key]: dict(row) for row in tx.execute(select(table)).mappings()}
    for which in sorted({*stored, *derived}):
        if stored.get(which) != derived.get(which):
            yield f"{name} {which} is {stored.get(which)}, and by the ledger {derived.get(which)}"


def _index(tx: Connection, expected: _Heap) -> Iterator[str]:
    """SQLite's own check of it has to write; so it is read through, word by word."""
    if tx.dialect.name != "sqlite":
        return
    found, wrong = _Heap(), "search_words, the index of search_entry's words, does not match them"
    try:
        tx.exec_driver_sql(_SEEN)
        for seq, word in tx.exec_driver_sql("SELECT doc, term FROM temp.search_words_seen"):
            found.add(seq, (word,))
        tx.exec_driver_sql("DROP TABLE temp.search_words_seen")
    except DBAPIError:
        yield wrong
        return
    if found.sum != expected.sum:
        yield wrong


def _common(tx: Connection, expected: _Blocks) -> Iterator[str]:
    found, table = _Blocks(), SQLModel.metadata.tables["search_common"].c
    for word, block, bits in tx.execute(select(table.word, table.block, table.bits)):
        found.heap.add(block, (f"{word} {bits.hex()}",))
    if found.heap.sum != expected.heap.sum:
        yield "search_common, where common words stand, does not match the ledger"


class _Blocks:
    """The common words of whole blocks, as a heap; entries come in the log's order."""

    def __init__(self) -> None:
        self.heap = _Heap()
        self._entries: list[tuple[int, frozenset[str]]] = []

    def add(self, seq: int, words: frozenset[str]) -> None:
        self._entries.append((seq, words))
        if (seq + 1) % BLOCK:
            return
        for word, bits in bits_of(self._entries).items():
            self.heap.add(seq // BLOCK, (f"{word} {bits.hex()}",))
        self._entries.clear()


class _Heap:
    """Which words stand at which entries, in any order, as one number: equal only where all of them are."""

    def __init__(self) -> None:
        self.sum = 0

    def add(self, seq: int, words: Iterable[str]) -> None:
        for word in words:
            self.sum += int.from_bytes(blake2b(b"%d %b" % (seq, word.encode()), digest_size=32).digest())
