"""SQLite and PostgreSQL alike: databases that can be copied, and the owner, who may do anything to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import psycopg
from sqlalchemy import Connection, create_engine, make_url, text

from prodaccess.parts.postgres import Postgres

_GUARDED = (
    "ledger_entry", "ledger_tile", "ledger_checkpoint", "ledger_anchor", "ledger_payload", "policy_bundle",
)  # fmt: skip
_OF_THE_LOG = (
    "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
    " AND relnamespace = current_schema()::regnamespace AND relname ~ '^(ledger|search|policy)_'"
)
_numbers = count(1)


class Engine(Protocol):
    """Where logs are kept."""

    name: str

    def fresh(self) -> str:
        """The URL of a database that does not exist yet, or is empty."""
        ...

    def copy(self, url: str) -> str:
        """The URL of a copy. Nobody may be connected."""
        ...

    def trial(self, url: str) -> str:
        """The URL of a copy of the log and what is derived from it, to be done with before the next one."""
        ...


class Sqlite:
    """Files in a directory."""

    name = "sqlite"

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def fresh(self) -> str:
        return f"sqlite:///{self._directory}/{next(_numbers)}.db"

    def copy(self, url: str) -> str:
        made = self.fresh()
        with closing(sqlite3.connect(_path(url))) as old, closing(sqlite3.connect(_path(made))) as new:
            old.backup(new)
        return made

    trial = copy


class Postgresql:
    """Databases of one cluster."""

    name = "postgresql"

    def __init__(self, server: Postgres) -> None:
        self._server = server
        self._trial = ""

    def fresh(self) -> str:
        name = f"proving_{next(_numbers)}"
        self._server.execute(f"CREATE DATABASE {name}")
        return self._server.url(name)

    def copy(self, url: str) -> str:
        name = f"proving_{next(_numbers)}"
        self._server.execute(f"CREATE DATABASE {name} TEMPLATE {make_url(url).database}")
        return self._server.url(name)

    def trial(self, url: str) -> str:
        """A new database each time would take longer than everything that is then done to it."""
        self._trial = self._trial or self.copy(url)
        with psycopg.connect(url) as source, psycopg.connect(self._trial) as target:
            _refill(source, target)
        return self._trial


def _refill(source: psycopg.Connection, target: psycopg.Connection) -> None:
    tables = [row[0] for row in source.execute(_OF_THE_LOG)]
    target.execute("SET session_replication_role = replica")  # no triggers
    target.execute(f"TRUNCATE {', '.join(tables)}".encode())
    for table in tables:
        with (
            source.cursor().copy(f"COPY (SELECT * FROM {table}) TO STDOUT".encode()) as rows,
            target.cursor().copy(f"COPY {table} FROM STDIN".encode()) as into,
        ):
            for each in rows:
                into.write(each)


class Owner:
    """Whoever owns the database: no trigger stops them. Statements are the same on both engines."""

    def __init__(self, tx: Connection) -> None:
        self._tx = tx

    def run(self, statement: str, **parameters: Any) -> None:
        """Fails when nothing was changed: then it was no attack."""
        assert self._tx.execute(text(statement), parameters).rowcount > 0, statement

    def clear(self, statement: str, **parameters: Any) -> None:
        """Whether there was anything or not."""
        self._tx.execute(text(statement), parameters)

    def rows(self, query: str, **parameters: Any) -> list[Any]:
        return list(self._tx.execute(text(query), parameters).all())


@contextmanager
def owner(url: str) -> Iterator[Owner]:
    """All that is done is committed at the end, and the triggers stand as before: nothing is to be seen."""
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    try:
        with engine.begin() as tx:
            put_back = _disarm(tx)
            yield Owner(tx)
            for statement in put_back:
                tx.exec_driver_sql(statement)
    finally:
        engine.dispose()


def _disarm(tx: Connection) -> list[str]:
    """Take the triggers away; answers what puts them back."""
    if tx.dialect.name == "postgresql":
        for table in _GUARDED:
            tx.exec_driver_sql(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        return [f"ALTER TABLE {table} ENABLE TRIGGER ALL" for table in _GUARDED]
    triggers = tx.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
    for name, _ in triggers:
        tx.exec_driver_sql(f"DROP TRIGGER {name}")
    return [sql for _, sql in triggers]


def _path(url: str) -> str:
    return url.removeprefix("sqlite:///")
