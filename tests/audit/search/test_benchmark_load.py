"""The benchmark has a fast way of its own to load, which must leave what the projector would have left."""

from __future__ import annotations

from dataclasses import asdict

import pytest
from sqlalchemy import Connection

from audit.canonical import micros
from audit.search.find import find
from audit.search.index import COLUMNS, packed
from audit.search.projector import rebuild, touch_rows, write_rows
from audit.search.query import parse_query
from audit.search.tables import BLOCK, SearchGrant, SearchSession
from audit.statement import inserting
from benchmarks.search_events import ROUND, START, YEAR, Year
from benchmarks.search_load import entry_again, load, rows_of, touch_again
from tests.audit.search.book import Book

TABLES = (
    "search_entry", "search_touch", "search_credential", "search_zone", "search_common", "search_grant",
    "search_session",
)  # fmt: skip
QUERIES = (
    "select",
    "ticket:OPS-40",
    "path:/etc/** op:read",
    '"order by" -update',
    "select -status",
    "kubectl grep",
    "type:session.*",
)


def contents(book: Book, year: Year) -> list[object]:
    tables = [sorted(map(repr, book.sql(f"SELECT * FROM {name}"))) for name in TABLES]
    queries = [parse_query(text, START + YEAR) for text in QUERIES]
    return [*tables, *(book.run(lambda tx, q=query: find(tx, year, q).hits) for query in queries)]  # type: ignore[misc]


def project_slowly(tx: Connection, year: Year) -> None:
    rebuild(tx)
    write_rows(tx, rows_of(year, range(year.events)))
    numbers = range(year.grants)
    inserting(SearchGrant).run_many(tx, [asdict(year.grant(n)) for n in numbers])
    inserting(SearchSession).run_many(tx, [asdict(year.session(n)) for n in numbers if year.has_session(n)])
    tx.exec_driver_sql(f"UPDATE search_progress SET seq = {year.events - 1}")


def test_what_is_loaded_is_what_is_projected(book: Book) -> None:
    year = Year(BLOCK + 1_000)
    load(book.database, year)
    loaded = contents(book, year)
    assert all(loaded)
    book.run(lambda tx: project_slowly(tx, year))
    assert contents(book, year) == loaded


@pytest.mark.parametrize("place", [0, 40_000, ROUND - 1_500])
def test_a_later_round_is_the_first_one_told_again(place: int) -> None:
    year, rounds, count = Year(10 * ROUND), 3, 1_500
    first = rows_of(year, range(place, place + count))
    later = rows_of(year, range(place + rounds * ROUND, place + rounds * ROUND + count))
    for old, new in zip(first, later, strict=True):
        fields = [getattr(old, name) for name in COLUMNS]
        told = entry_again((*fields, packed(old.words)), rounds, micros(year.at(new.seq)))
        assert told[:-1] == tuple(getattr(new, name) for name in COLUMNS)
        assert packed(told[-1].split(" ")[1:-1]) == packed(new.words)
        touches = {touch_again(tuple(touch.values()), rounds, year) for touch in touch_rows(old)}
        assert touches == {tuple(touch.values()) for touch in touch_rows(new)}
