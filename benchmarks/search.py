"""Searching a year of production: a million entries by default, on SQLite and on PostgreSQL.

PostgreSQL has the settings of a server for that much (`SERVER`), and its tables are vacuumed and analysed once loaded;
SQLite is as the store opens it. Floor: reading one row of an answer by its primary key, in a transaction of its own as
every question has, in turn with the questions. `python -m benchmarks.search --events 10000000 --engine sqlite` for
other sizes and one engine: ten million take some twenty minutes and thirty gigabytes in the directory for temporary
files (`TMPDIR`).
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from random import Random

from sqlalchemy import Connection, text

from audit.search.access import who_had_access
from audit.search.find import find, who_touched
from audit.search.index import COLUMNS
from audit.search.query import Query, parse_query
from benchmarks.figures import Figure, Result, median, percentile
from benchmarks.search_events import PEOPLE, START, TABLES, YEAR, Year
from benchmarks.search_load import load
from prodaccess.parts.postgres import Postgres
from store.database import Database
from store.migrate import migrate

EVENTS, ROUNDS, AIM = 1_000_000, 60, 50  # AIM in milliseconds
NOW = START + YEAR
#: for ten million entries, on a machine with eight gigabytes; the parts' own settings are for tests
SERVER = {
    "shared_buffers": "1GB", "effective_cache_size": "4GB", "work_mem": "16MB", "random_page_cost": "1.1",
    "max_wal_size": "8GB",
}  # fmt: skip
Question = Callable[[Connection], object]
_ROW = text(f"SELECT {', '.join(COLUMNS)} FROM search_entry WHERE seq = :seq")


def measure(events: int = EVENTS, engines: tuple[str, ...] = ("sqlite", "postgresql")) -> Result:
    year = Year(events)
    return Result("search", tuple(figure for engine in engines for figure in _on(engine, year)))


def _on(engine: str, year: Year) -> list[Figure]:
    with _database(engine) as database:
        began = time.perf_counter()
        load(database, year)
        rate = year.events / (time.perf_counter() - began)
        floor, times = _ask(database, year)
        size = _size(database) / year.events
    figures = [
        Figure(f"{engine} · entries taken in", rate, "/s"),
        Figure(f"{engine} · stored per entry", size, "bytes"),
    ]
    for name, taken in times.items():
        figures.append(Figure(f"{engine} · {name}, p50", median(taken), "ms", round(floor, 3)))
        figures.append(Figure(f"{engine} · {name}, p95", percentile(taken, 95), "ms", None, AIM))
    return figures


@contextmanager
def _database(engine: str) -> Iterator[Database]:
    with tempfile.TemporaryDirectory(prefix="prodaccess-search-") as directory:
        if engine == "sqlite":
            yield from _opened(f"sqlite:///{Path(directory)}/search.db")
        else:
            with Postgres(settings=SERVER) as server:
                yield from _opened(server.url())


def _opened(url: str) -> Iterator[Database]:
    database = Database(url)
    try:
        migrate(database)
        yield database
    finally:
        database.close()


def _size(database: Database) -> int:
    """Bytes, everything derived."""
    if database.is_sqlite:
        pages = database.transact(lambda tx: tx.exec_driver_sql("PRAGMA page_count").scalar_one())
        return int(pages) * 4096
    size = text("SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relname LIKE 'search%' AND relkind = 'r'")
    return int(database.transact(lambda tx: tx.execute(size).scalar_one()))


# Asking


def _ask(database: Database, year: Year) -> tuple[float, dict[str, list[float]]]:
    """The floor's median, and of every family of questions its times, in milliseconds."""
    random = Random(7)
    families = _families(year, random)
    floors: list[float] = []
    times: dict[str, list[float]] = {name: [] for name in families}
    for _ in range(ROUNDS):
        for name, family in families.items():
            floors.append(_took(database, partial(_one_row, seq=random.randrange(year.events))))
            times[name].append(_took(database, family()))
    return median(floors), times


def _took(database: Database, question: Question) -> float:
    began = time.perf_counter()
    database.transact(question, write=False)
    return (time.perf_counter() - began) * 1_000


def _one_row(tx: Connection, seq: int) -> object:
    return tx.execute(_ROW, {"seq": seq}).one()


@dataclass(frozen=True)
class _Search:
    """A family of questions; `write` makes up the next one's text."""

    year: Year
    write: Callable[[], str]
    limit: int = 50
    ask: Callable[[Connection, Year, Query, int], object] = find

    def __call__(self) -> Question:
        query = parse_query(self.write(), NOW)
        return lambda tx: self.ask(tx, self.year, query, self.limit)


def _families(year: Year, random: Random) -> dict[str, Callable[[], Question]]:
    rare, some = year.hex_words(random), random.choice

    def number(count: int) -> int:
        return random.randrange(count)

    def table() -> str:
        return year.table(number(TABLES))

    def within(days: int) -> str:
        start = START + timedelta(days=number(365 - days))
        return f"after:{start.date()} before:{(start + timedelta(days=days)).date()}"

    def holders() -> Question:
        target, at = f"target-{number(40)}", START + YEAR * random.random()
        return lambda tx: who_had_access(tx, year, target, at)

    texts: dict[str, Callable[[], str]] = {
        "everything under a ticket": lambda: f"ticket:OPS-{number(year.grants // 2)}",
        "everything under /etc": lambda: "path:/etc/**",
        "a rare word": lambda: next(rare),
        "a word that is not there": lambda: f"nothing{number(10**6)}",
        "a middling word": lambda: f'"{table()}"',
        "a common word": lambda: some(("select", "status", "grep", "update")),
        "a common and a middling word": lambda: f'select "{table()}"',
        "a common and a rare word": lambda: f"grep {next(rare)}",
        "two common words, never together": lambda: some(("kubectl select", "journalctl delete")),
        "a common phrase": lambda: some(('"order by id"', '"insert into"', '"manual correction"')),
        "a rare phrase": lambda: f'"from {table()} where status"',
        "a common word in 7 days": lambda: f"select {within(7)}",
        "a word left out": lambda: "select -status -count",
        "a person and a common word": lambda: f"actor:person{number(PEOPLE):04} select",
    }
    return {
        "table X in 7 days": _Search(year, lambda: f"table:{table()} {within(7)}", 100),
        "files read under /etc by one grant": _Search(
            year, lambda: f"ref:PA-{number(year.grants)} path:/etc/** op:read"
        ),
        "one person in 7 days": _Search(year, lambda: f"actor:person{number(PEOPLE):04} {within(7)}", 100),
        **{name: _Search(year, write) for name, write in texts.items()},
        "who touched table X in 30 days": _Search(year, lambda: f"table:{table()} {within(30)}", 50, who_touched),
        "who touched table X, ever": _Search(year, lambda: f"table:{table()}", 50, who_touched),
        "who touched anything under /etc, ever": _Search(year, lambda: "path:/etc/**", 50, who_touched),
        "who touched table X, one person, ever": _Search(
            year, lambda: f"table:{table()} actor:person{number(PEOPLE):04}", 50, who_touched
        ),
        "who had access at a time": holders,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.search",
        description="Load a made-up year of production, search it, and print what it took.",
        epilog="Ten million: `--events 10000000 --engine sqlite`, then postgresql. Each takes some twenty minutes on"
        " two cores and thirty gigabytes in the directory for temporary files (TMPDIR), which are given back.",
    )
    parser.add_argument("--events", type=int, default=EVENTS, help=f"how many ({EVENTS:,})")
    parser.add_argument(
        "--engine", choices=("sqlite", "postgresql"), action="append", help="only this one; may be repeated"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    options = parser.parse_args()
    result = measure(options.events, tuple(options.engine or ("sqlite", "postgresql")))
    print(result.as_json() if options.json else result.as_table())


if __name__ == "__main__":
    main()
