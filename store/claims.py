"""Several processes on one PostgreSQL: which of them are there, whose turn it is, and claims of those that are gone.

Each holds an advisory lock of its own on a connection of its own, and asks four times a second who else holds one. A
process that ends loses its lock at once, whatever killed it. One that is frozen keeps it; but its connection says since
when it has been silent, and whoever sees that first closes all connections of that process. Past a pooler that hands on
connections between transactions none of this works: then claims run out by themselves.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col

from access.errors import AccessError, Unavailable
from access.retry import CLAIM
from audit.log import head
from store.database import Database
from store.tables import AccessGrant

log = logging.getLogger(__name__)

SILENCE = 10  # seconds
_LIGHTS, _TURN = (
    0x70726F66,
    0x70726F67,
)  # classes of advisory locks: a process' own, and the one that is whose turn it is
_ALONE, _PATIENCE = 0x70726F68, 20  # another class; seconds
_CLAIM = int(CLAIM.total_seconds() * 1_000_000)
#: so that the server, too, notices within seconds that our machine is gone
_WATCHED = (
    "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;"
    " SET tcp_user_timeout = 10000"
)
_OURS = (
    "l.locktype = 'advisory' AND l.objsubid = 2 AND l.granted"
    " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_LIVING = (
    "SELECT l.objid, coalesce(extract(epoch FROM clock_timestamp() - a.state_change), 0)"  # noqa: S608 (our own words)
    f" FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid) WHERE {_OURS} AND l.classid = {_LIGHTS}"
)
#: all connections of whoever is silent: what waits in one for a lock that another holds would get it, and keep it
_PUT_OUT = (
    "SELECT l.objid, count(pg_terminate_backend(every.pid)) FROM pg_locks l JOIN pg_stat_activity a USING (pid)"  # noqa: S608 (the same)
    " JOIN pg_stat_activity every ON every.pid = a.pid"
    "  OR every.datid = a.datid AND every.application_name = 'prodaccess ' || l.objid"
    f" WHERE {_OURS} AND l.classid = {_LIGHTS} AND a.pid <> pg_backend_pid()"
    f" AND clock_timestamp() - a.state_change > interval '{SILENCE} seconds' GROUP BY l.objid"
)


def abandoned(tx: Connection, living: Collection[int], now: int) -> tuple[int, ...]:
    """Grants whose end is claimed by a process that is not among these. `now` in µs."""
    table = AccessGrant
    query = select(col(table.number)).where(  # by the index of what is due: a claim is due when it runs out
        col(table.due_at) > now - _CLAIM, col(table.due_at) <= now + 2 * _CLAIM, col(table.claim).is_not(None),
        col(table.claim).not_in(tuple(living)),
    )  # fmt: skip
    return tuple(tx.execute(query.order_by(col(table.due_at))).scalars())


@dataclass(frozen=True, slots=True)
class Seen:
    """What one look has found."""

    living: frozenset[int]
    silent: frozenset[int]  # of those, whoever has not been heard for a moment
    ours: bool  # the turn
    head: int  # the log's last entry


class Pooled(AccessError):
    """A pooler gives us another connection for each transaction, so no lock is ours."""


class Beacon:
    """This process among the others. Blocking, and to be used by one thread at a time. Raises Unavailable, Pooled."""

    def __init__(self, database: Database, *, takes_turns: bool = True) -> None:
        self.me = database.me
        self._database = database
        self._connection: Connection | None = None
        self._takes_turns, self._has_turn = takes_turns, False
        self._pid = 0  # of the server's process that our connection is to

    def look(self) -> Seen:
        """Be seen, and see the others."""
        try:
            tx = self._connected()
            silence = {int(who): float(since) for who, since in tx.exec_driver_sql(_LIVING)}
            if self.me not in silence or _pid(tx) != self._pid:
                self.close()
                raise Pooled(
                    "PRODACCESS_DATABASE_URL leads through a pooler that shares connections. Connect past it, or let"
                    " it keep one connection for each client (session mode)."
                )
            if max(silence.values()) > SILENCE:
                self._put_out(tx)
            self._has_turn = self._has_turn or (self._takes_turns and _try_lock(tx, _TURN, 1))
            quiet = frozenset(who for who, since in silence.items() if since > SILENCE / 5)
            return Seen(frozenset(silence), quiet, self._has_turn, head(tx))
        except SQLAlchemyError as error:
            self.close()
            raise Unavailable("The database does not answer.") from error

    def close(self) -> None:
        """Be gone, for all others."""
        connection, self._connection, self._has_turn = self._connection, None, False
        if connection is not None:
            with suppress(SQLAlchemyError):
                connection.close()

    def _connected(self) -> Connection:
        if self._connection is None:
            connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            connection.detach()  # it must not go back to the pool with its locks
            self._connection = connection
            connection.exec_driver_sql(_WATCHED)
            self._pid = _pid(connection)
            if not _try_lock(connection, _LIGHTS, self.me):  # our last connection is not gone yet
                self.close()
                raise Unavailable("The database still holds our last connection.")
        return self._connection

    def _put_out(self, tx: Connection) -> None:
        """Their locks are free at once; what they had begun is taken up by others, and they notice when they wake."""
        for who, ended in tx.exec_driver_sql(_PUT_OUT):
            log.warning(
                "a process is silent; its connections are closed",
                extra={"action": "beacon", "who": who, "count": ended},
            )


def _pid(tx: Connection) -> int:
    return int(tx.exec_driver_sql("SELECT pg_backend_pid()").scalar_one())


def _try_lock(tx: Connection, kind: int, number: int) -> bool:
    return bool(tx.exec_driver_sql(f"SELECT pg_try_advisory_lock({kind}, {number})").scalar_one())


class Alone:
    """What only one process does at a time, by name, each for as long as its connection is open."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def take(self, name: str) -> Connection:
        """Blocking; close it to let the next one. Raises SQLAlchemyError, also after `_PATIENCE` seconds."""
        connection = self._database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()
        try:
            connection.exec_driver_sql(f"SET lock_timeout = '{_PATIENCE}s'")
            connection.exec_driver_sql(f"SELECT pg_advisory_lock({_ALONE}, hashtext(%(name)s))", {"name": name})
        except SQLAlchemyError:
            connection.close()
            raise
        return connection
