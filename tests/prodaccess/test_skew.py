"""A machine whose clock is wrong does not end grants of a shared database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from prodaccess.skew import ClocksDiffer, must_agree
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
