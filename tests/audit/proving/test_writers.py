"""Many processes append to one log, and are killed while they do: nothing promised is lost, and nothing forks."""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path

import pytest

from tests.audit.proving.book import Book, Writers, audit, make_log

SOAK = bool(os.environ.get("SOAK"))
PROCESSES, APPENDS = 8, 500
KILLS = 50 if SOAK else 5
BUSY = "The database does not answer. Nothing was changed; try again shortly."


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    there = f"sqlite:///{tmp_path}/log.db" if request.param == "sqlite" else request.getfixturevalue("fresh_database")
    make_log(there)
    return str(there)


def refusals_are_honest(url: str, book: Book) -> bool:
    """SQLite's lock has no queue: of eight that write without a pause one may wait for too long. It is told so, tries
    again, and nothing of the refused try is in the log: the caller counts. On PostgreSQL whoever waits has a place.
    """
    return not book.refused or (url.startswith("sqlite") and set(book.refused) == {BUSY})


async def test_eight_processes(url: str, tmp_path: Path) -> None:
    book = Book()
    each = APPENDS if SOAK or not url.startswith("sqlite") else 100  # on SQLite they mostly wait for one another
    with Writers(url, PROCESSES, each) as writers:
        book.read_all(writers.lines)
    assert refusals_are_honest(url, book), book.refused
    assert sorted(book.acknowledged) == list(range(PROCESSES * each))
    assert await audit(url, book, tmp_path) == PROCESSES * each


async def test_killed_in_the_midst_of_writing(url: str, tmp_path: Path) -> None:
    book, chance = Book(), random.Random(7)
    for _ in range(KILLS):
        with Writers(url, 4, 0) as writers:
            book.read(writers.lines.readline())
            await asyncio.sleep(chance.uniform(0, 0.2))
            writers.kill()
            book.read_all(writers.lines)
    assert refusals_are_honest(url, book), book.refused
    assert len(book.acknowledged) >= KILLS
    assert await audit(url, book, tmp_path) >= len(book.acknowledged)
