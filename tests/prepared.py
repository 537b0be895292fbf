"""A store on a file whose tables are there already: making them for each test was a seventh of the suite's time."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from access.ports import Clock
from audit.log import Ledger
from store import SqlStore, open_store
from store.database import Database
from store.migrate import migrate

_PREFIX = "sqlite:///"
#: seconds: a machine that tests, or its disk, may stand still for longer than people should be let wait for a database
PATIENT = 30.0


def open_prepared(url: str, clock: Clock, ledger: Ledger, *, patience: float = PATIENT) -> SqlStore:
    """As `open_store`, and by itself more patient."""
    prepare(url)
    return open_store(url, clock, ledger, patience=patience)


def prepare(url: str) -> None:
    """A new SQLite file in a directory begins as a copy of one that was migrated here; all else is left as it is."""
    path = Path(url.removeprefix(_PREFIX))
    if url.startswith(_PREFIX) and path.parent.is_dir() and not path.exists():
        path.write_bytes(_migrated())


@cache
def _migrated() -> bytes:
    with TemporaryDirectory() as place:
        file = Path(place) / "a.db"
        migrate_all(f"{_PREFIX}{file}")
        return file.read_bytes()


def migrate_all(url: str) -> None:
    """Make all tables in an empty database."""
    database = Database(url)
    try:
        migrate(database)
    finally:
        database.close()
