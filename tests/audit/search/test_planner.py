"""PostgreSQL must not walk the table for a word: planners that are told to sort and limit do, for seconds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, text

from audit.search.newest import Wanted, newest
from tests.audit.search.book import Book

ENTRIES = 150_000
FILL = """
INSERT INTO search_entry (seq, at, type, ref, actor_id, actor, target, role, ticket, session, host, op, coverage, text,
  words)
SELECT n, n, 'db.query', '', '', '', '', '', '', '', '', '', '', 'x', array_to_tsvector(array_remove(ARRAY[
  'common', 'own' || n, '#' || n / 32768, 'filler' || n % 1000,
  CASE WHEN n % 50 = 0 THEN 'frequent' END,
  CASE WHEN n % 400 = 0 THEN 'middling' END,
  CASE WHEN n < 20000 AND n % 10 = 0 THEN 'bygone' END,
  CASE WHEN n % 60000 = 7 THEN 'rare' END], NULL))
FROM generate_series(0, :last) AS n
"""
READ = text(
    "SELECT coalesce(sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)), 0)"
    r" FROM pg_stat_xact_user_tables WHERE relname LIKE 'search\_entry%'"
)


@pytest.fixture(params=["with statistics", "without"])
def book(request: pytest.FixtureRequest, fresh_database: str) -> Iterator[Book]:
    opened = Book(fresh_database)
    opened.run(lambda tx: tx.execute(text(FILL), {"last": ENTRIES - 1}))
    if request.param == "with statistics":
        opened.sql("ANALYZE search_entry")
    yield opened
    opened.close()


def answer(tx: Connection, *words: str, exclude: tuple[str, ...] = ()) -> tuple[list[int], int]:
    """The newest 50, and how many rows were read for them."""
    wanted = Wanted(tuple((word,) for word in words), exclude, 0, ENTRIES)
    before = tx.execute(READ).scalar_one()
    found = newest(tx, wanted, 50)
    return found, tx.execute(READ).scalar_one() - before


# words, the last of the fifty that are found, and how many rows may be read for it
ASKED = (
    (("rare",), 7, 5_000),
    (("nowhere",), None, 5_000),
    (("middling",), 149_600 - 49 * 400, 5_000),
    (("frequent",), 149_950 - 49 * 50, 9_000),
    (("common",), 149_950, 5_000),
    (("common", "rare"), 7, 5_000),
    (("frequent", "middling"), 149_600 - 49 * 400, 5_000),
    (("bygone",), 19_990 - 49 * 10, 7_000),  # nothing for long, then very many: all of one window's are gathered
    (("own77777",), 77_777, 5_000),
)


def test_few_rows_are_read_whatever_the_word(book: Book) -> None:
    for words, oldest, most_read in ASKED:
        found, read = book.run(lambda tx, words=words: answer(tx, *words))  # type: ignore[misc]
        assert found == sorted(found, reverse=True)
        assert (words, found[-1] if found else None) == (words, oldest)
        assert read <= most_read, (words, read)
    # the measure is worth something: what is asked without an index reads everything
    assert book.run(walk) >= ENTRIES


def walk(tx: Connection) -> int:
    before = tx.execute(READ).scalar_one()
    tx.execute(text("SELECT seq FROM search_entry WHERE text = 'nowhere' ORDER BY seq DESC LIMIT 50")).all()
    return int(tx.execute(READ).scalar_one() - before)
