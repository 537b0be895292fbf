"""Statements of one transaction whose answers nobody waits for until they are needed.

PostgreSQL is another process, a way there and back away: what depends on no answer is sent at once (libpq's pipeline
mode), and while it is carried out the next is made here. SQLite works in this thread, and there is nothing to send.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError

from audit.statement import Runner


@contextmanager
def flowing(tx: Connection) -> Iterator[Runner]:
    """Runs statements of this transaction in order. All of them have been carried out when it ends.

    What a statement raises may come at a later one, or at the end; always as SQLAlchemy's DBAPIError.
    """
    if tx.dialect.name == "sqlite":
        yield tx
        return
    connection: Any = tx.connection.driver_connection
    driver = tx.dialect.loaded_dbapi
    try:
        with connection.pipeline():
            yield _Piped(tx.dialect, connection)
    except driver.Error as error:
        raise DBAPIError.instance(None, None, error, driver.Error, hide_parameters=True) from error


class _Piped:
    """A connection of SQLAlchemy's, as far as `audit.statement` needs one."""

    def __init__(self, dialect: Dialect, connection: Any) -> None:
        self.dialect = dialect
        self._connection = connection

    def exec_driver_sql(self, statement: str, parameters: Any = None) -> _Answer:
        cursor = self._connection.cursor(binary=True)
        cursor.execute(statement, parameters)
        return _Answer(cursor)


class _Answer:
    """Is waited for when it is asked for."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def all(self) -> Sequence[Any]:
        rows: list[Any] = self._cursor.fetchall()
        return rows

    def one_or_none(self) -> Any:
        return self._cursor.fetchone()

    def scalar_one(self) -> Any:
        return self._cursor.fetchone()[0]
