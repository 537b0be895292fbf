"""A machine whose clock is wrong does not end grants of a shared database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from prodaccess.clock import SystemClock
from prodaccess.skew import ClocksDiffer, ahead_of, follow, must_agree
from store.database import Database


@pytest.fixture
def postgresql(fresh_database: str) -> Iterator[Database]:
    database = Database(fresh_database)
    yield database
    database.close()


@pytest.mark.parametrize(("ahead", "words"), [(5, "seconds ahead of the database server's"), (-3600, "seconds behind")])
def test_a_clock_that_differs_is_refused(postgresql: Database, ahead: float, words: str) -> None:
    with pytest.raises(ClocksDiffer, match=words):
        must_agree(postgresql, datetime.now(UTC) + timedelta(seconds=ahead))


def test_one_that_agrees_is_not(postgresql: Database) -> None:
    must_agree(postgresql, datetime.now(UTC) + timedelta(seconds=0.5))


def test_sqlite_has_no_other_clock(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/one.db")
    must_agree(database, datetime.now(UTC) + timedelta(days=1))
    database.close()


def test_the_database_servers_clock_is_followed(postgresql: Database) -> None:
    """A machine that is a second ahead ends nothing a second early."""
    clock = SystemClock(lambda: datetime.now(UTC) + timedelta(seconds=1))
    assert ahead_of(postgresql, clock.now) > timedelta(seconds=0.5)
    clock.correct(ahead_of(postgresql, clock.now))
    assert abs(ahead_of(postgresql, clock.now)) < timedelta(seconds=0.5)
    first = clock.now()
    assert clock.now() >= first


def test_a_clock_of_ones_own_is_left_alone(tmp_path: Path) -> None:
    database, clock = Database(f"sqlite:///{tmp_path}/one.db"), SystemClock()
    follow(database, clock)
    assert clock._ahead == timedelta(0)
    database.close()
