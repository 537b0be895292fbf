"""A log to search, on SQLite and on a real PostgreSQL server."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audit.search.book import Book


@pytest.fixture(params=["sqlite", "postgresql"])
def book(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Book]:
    sqlite = request.param == "sqlite"
    opened = Book(f"sqlite:///{tmp_path}/prodaccess.db" if sqlite else request.getfixturevalue("fresh_database"))
    yield opened
    opened.close()
