"""Loading the made-up year as the projector would have written it, but fast.

The rows are the projector's, from its own functions, made in a process on each core. PostgreSQL takes them by COPY,
SQLite without a journal, and what can be built at the end is built there. Only for a database that is thrown away.
"""

from __future__ import annotations

import gc
import marshal
import multiprocessing
import os
import sqlite3
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, text

from access.events import CredentialIssued
from audit.canonical import micros
from audit.search import index
from audit.search.common import bits_of
from audit.search.facts import facts_of
from audit.search.projector import VERSION, touch_rows
from audit.search.rows import Row, Subjects, row_of
from audit.search.tables import BLOCK, ZONE, SearchGrant, SearchSession
from audit.statement import Statement, inserting
from benchmarks.search_events import CYCLE, PER_GRANT, REACH, ROUND, Year, number_of, ref_of, ticket_of, word_of
from store.database import Database

CHUNK = 16 * ZONE  # entries that are made at once
_AHEAD = 3  # chunks per process that are made but not yet written, some 20 MB each
_BATCH = 10_000
_GRANTS, _SESSIONS = inserting(SearchGrant), inserting(SearchSession)
#: what a chunk holds, each table's columns in the order of its lines
_TABLES = {
    "search_entry": (*index.COLUMNS, "words"),
    "search_touch": ("object", "target", "seq", "op", "at", "actor_id", "actor"),
    "search_credential": ("seq", "at", "ref", "about"),
    "search_zone": ("zone", "first_at", "last_at"),
    "search_common": ("word", "block", "bits"),
}
_columns = attrgetter(*index.COLUMNS)
Lines = list[tuple[Any, ...]]


def load(database: Database, year: Year) -> None:
    """All of the year, into empty projections."""
    with tempfile.TemporaryDirectory(prefix="prodaccess-search-") as directory:
        chunks = _Chunks(year, "sqlite" if database.is_sqlite else "postgresql", Path(directory)).made()
        _into_sqlite(database, chunks) if database.is_sqlite else _into_postgresql(database, chunks, year)
    numbers = range(year.grants)
    _insert(database, _GRANTS, [asdict(year.grant(n)) for n in numbers])
    _insert(database, _SESSIONS, [asdict(year.session(n)) for n in numbers if year.has_session(n)])
    database.transact(partial(_finish, year=year))
    if not database.is_sqlite:
        with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")  # autovacuum would have come by in a year


def _insert(database: Database, statement: Statement, rows: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(rows), _BATCH):
        database.transact(partial(statement.run_many, rows=rows[start : start + _BATCH]))


def _finish(tx: Connection, year: Year) -> None:
    done = text("UPDATE search_progress SET version = :version, seq = :seq")
    tx.execute(done, {"version": VERSION, "seq": year.events - 1})
    tx.execute(text("UPDATE ledger_frontier SET size = :size"), {"size": year.events})


# Making the rows


def rows_of(year: Year, seqs: range) -> list[Row]:
    """The projector's, for neighbouring places in the log."""
    near = range(max(0, seqs[0] // PER_GRANT - REACH), seqs[-1] // PER_GRANT + 1)
    sessions = (year.session(n) for n in near if year.has_session(n))
    subjects = Subjects({ref_of(n): year.grant(n) for n in near}, {one.session: one for one in sessions})
    return [row_of(facts_of(seq, year.event(seq)), subjects) for seq in seqs]


@dataclass(frozen=True)
class _Chunks:
    """Of a year, for one engine. `directory` keeps those of the first round, from which the others are told."""

    year: Year
    dialect: str
    directory: Path

    def made(self) -> Iterator[bytes]:
        """Marshalled lines of `_TABLES`, in order, made in processes of their own."""
        fork, cores = multiprocessing.get_context("fork"), os.cpu_count() or 1
        with ProcessPoolExecutor(cores, fork, initializer=gc.disable) as pool:
            waiting = deque[Future[bytes]]()
            for number in range(-(-self.year.events // CHUNK)):
                waiting.append(pool.submit(self._chunk, number))
                if len(waiting) >= cores * _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _chunk(self, number: int) -> bytes:
        start = number * CHUNK
        seqs = range(start, min(self.year.events, start + CHUNK))
        entries, touches = self._first(number) if number < ROUND // CHUNK else self._again(seqs)
        words = [entry[-1].split(" ")[1:-1] for entry in entries]
        lines = [
            (*entry[:-1], index.stored(self.dialect, entry[0], its)) for entry, its in zip(entries, words, strict=True)
        ]
        tables = (lines, touches, _credentials(entries, words), _zones(entries), _common(seqs, words))
        return marshal.dumps(tables if self.dialect == "sqlite" else tuple(_copied(table) for table in tables))

    def _first(self, number: int) -> tuple[Lines, Lines]:
        start = number * CHUNK
        rows = rows_of(self.year, range(start, min(self.year.events, start + CHUNK)))
        entries = [(*_columns(row), index.packed(row.words)) for row in rows]
        touches = [tuple(touch.values()) for row in rows for touch in touch_rows(row)]
        kept = self.directory / f"{number}.tmp"
        kept.write_bytes(marshal.dumps((entries, touches)))
        kept.rename(kept.with_suffix(""))
        return entries, touches

    def _again(self, seqs: range) -> tuple[Lines, Lines]:
        """The same chunk of the first round, told anew: its rows differ in what `Year` counts on."""
        entries, touches = marshal.loads((self.directory / str(seqs.start % ROUND // CHUNK)).read_bytes())
        rounds = seqs.start // ROUND
        return (
            [entry_again(entry, rounds, micros(self.year.at(seq))) for entry, seq in zip(entries, seqs, strict=False)],
            [touch for old in touches if (touch := touch_again(old, rounds, self.year))[2] < seqs.stop],
        )


def entry_again(entry: tuple[Any, ...], rounds: int, at: int) -> tuple[Any, ...]:
    seq, _, kind, ref, actor_id, actor, target, role, ticket, session, host, op, coverage, said, words = entry
    grant, place = int(ref[3:]), seq + rounds * ROUND
    later = grant + rounds * CYCLE
    old, new, old_word, new_word = number_of(grant), number_of(later), word_of(seq), word_of(place)
    named, ticketed = ref_of(later), ticket_of(later)
    for was, now in (
        (old_word, new_word), (old, new), (f" r={ref.lower()} ", f" r={named.lower()} "),
        (f" k={ticket.lower()} ", f" k={ticketed.lower()} "),
    ):  # fmt: skip
        words = words.replace(was, now)
    return (
        place, at, kind, named, actor_id, actor, target, role, ticketed, session.replace(old, new), host, op, coverage,
        said.replace(old_word, new_word), words,
    )  # fmt: skip


def touch_again(touch: tuple[Any, ...], rounds: int, year: Year) -> tuple[Any, ...]:
    thing, target, seq, op, _, actor_id, actor = touch
    place = seq + rounds * ROUND
    return thing.replace(word_of(seq), word_of(place)), target, place, op, micros(year.at(place)), actor_id, actor


def _credentials(entries: Lines, words: Sequence[list[str]]) -> Lines:
    return [
        (entry[0], entry[1], entry[3], index.packed(index.terms_of(its)))
        for entry, its in zip(entries, words, strict=True)
        if entry[2] == CredentialIssued.TAG
    ]


def _zones(entries: Lines) -> Lines:
    """Times never decrease."""
    return [(entries[i][0] // ZONE, entries[i][1], entries[i : i + ZONE][-1][1]) for i in range(0, len(entries), ZONE)]


def _common(seqs: range, words: Sequence[list[str]]) -> Lines:
    return [
        (word, seqs[i] // BLOCK, bits)
        for i in range(0, len(seqs) - BLOCK + 1, BLOCK)
        for word, bits in bits_of(zip(seqs[i : i + BLOCK], words[i : i + BLOCK], strict=True)).items()
    ]


def _copied(lines: Lines) -> bytes:
    """In COPY's text format."""
    rows = "\n".join("\t".join(map(_field, line)) for line in lines) + "\n" * bool(lines)
    if rows.count("\n") != len(lines):
        raise ValueError("The made-up year holds a line's end, which COPY would need escaped.")
    return rows.encode()


def _field(value: object) -> str:
    return f"\\\\x{value.hex()}" if isinstance(value, bytes) else str(value)


# SQLite


def _into_sqlite(database: Database, chunks: Iterator[bytes]) -> None:
    path = Path(str(database.engine.url.database))
    database.engine.dispose()  # alone from here on, which lets the journal be switched off
    with tempfile.TemporaryDirectory(dir=path.parent) as directory, closing(sqlite3.connect(path)) as raw:
        raw.isolation_level = None
        for setting in ("journal_mode=OFF", "synchronous=OFF", "cache_size=-500000", "temp_store=FILE"):
            raw.execute(f"PRAGMA {setting}")
        raw.execute("ATTACH ? AS aside", (f"{directory}/touches.db",))
        raw.execute("PRAGMA aside.journal_mode=OFF")
        raw.execute(f"CREATE TABLE aside.touch ({', '.join(_TABLES['search_touch'])})")
        for chunk in chunks:
            raw.execute("BEGIN")
            for name, lines in zip(_TABLES, marshal.loads(chunk), strict=True):
                into, places = "aside.touch" if name == "search_touch" else name, ", ".join("?" * len(_TABLES[name]))
                raw.executemany(f"INSERT INTO {into} VALUES ({places})", lines)
            raw.execute("COMMIT")
        raw.execute("INSERT INTO search_touch SELECT * FROM aside.touch ORDER BY object, target, seq, op")
        _index_words(raw)
        raw.execute("PRAGMA journal_mode=WAL")


def _index_words(raw: sqlite3.Connection) -> None:
    """In few large pieces, merged once; then the index's own settings are back to what they were."""
    settings = (("automerge", 0, 4), ("crisismerge", 1_000, 16), ("hashsize", 256 << 20, 1 << 20))
    for name, value, _ in settings:
        raw.execute("INSERT INTO search_words (search_words, rank) VALUES (?, ?)", (name, value))
    raw.execute("INSERT INTO search_words (search_words) VALUES ('rebuild')")
    raw.execute("INSERT INTO search_words (search_words) VALUES ('optimize')")
    for name, _, usual in settings:
        raw.execute("INSERT INTO search_words (search_words, rank) VALUES (?, ?)", (name, usual))


# PostgreSQL


def _into_postgresql(database: Database, chunks: Iterator[bytes], year: Year) -> None:
    database.transact(lambda tx: index.make_room(tx, 0, year.events - 1))
    again = database.transact(_drop_indexes)
    for chunk in chunks:
        database.transact(partial(_take_into_postgresql, chunk=chunk))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("SET maintenance_work_mem = '1GB'")
        for statement in again:
            connection.exec_driver_sql(statement)


def _drop_indexes(tx: Connection) -> tuple[str, ...]:
    """Those of words and of touches; returns what makes them again."""
    words = tx.exec_driver_sql("SELECT pg_get_indexdef('search_entry_words'::regclass)").scalar_one()
    key = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'search_touch_pkey'"
    touch = tx.exec_driver_sql(key).scalar_one()
    tx.exec_driver_sql("DROP INDEX search_entry_words")
    tx.exec_driver_sql("ALTER TABLE search_touch DROP CONSTRAINT search_touch_pkey")
    return (
        str(words).replace(" ON ONLY ", " ON "),
        f"ALTER TABLE search_touch ADD CONSTRAINT search_touch_pkey {touch}",
    )


def _take_into_postgresql(tx: Connection, chunk: bytes) -> None:
    raw: Any = tx.connection.driver_connection
    for (name, columns), lines in zip(_TABLES.items(), marshal.loads(chunk), strict=True):
        with raw.cursor() as cursor, cursor.copy(f"COPY {name} ({', '.join(columns)}) FROM STDIN") as copy:
            copy.write(lines)
