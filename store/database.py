"""The database itself: how it is opened, and the one way a transaction runs.

SQLite: WAL, `synchronous=FULL` (NORMAL may lose the last commits at power loss), one process (a lock file held
for life, freed by the kernel even on `kill -9`), one writer thread. PostgreSQL: a small pool for each of several
processes, and one connection that holds a lock for life which all of them share, so that none migrates under another.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Generic, NamedTuple, TypeVar

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError

from access.errors import AccessError, Stale, Unavailable

log = logging.getLogger(__name__)
_LIKE = (
    "The database's URL is not understood. It looks like sqlite:///var/prodaccess.db or postgresql://user@host/name."
)
#: libpq's own watch over a connection: by default a vanished server is waited for two hours. Seconds; the last, ms
_WATCHED = {
    "connect_timeout": 5, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}  # fmt: skip
_PRAGMAS = (
    "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=5000",
    "recursive_triggers=ON",  # else INSERT OR REPLACE would delete without the triggers' knowing
    "secure_delete=ON",  # a destroyed key is overwritten, not merely unlinked
)  # fmt: skip
PATIENCE = 2.0  # seconds, for whoever waits: a database that stands still must not hold up every answer
_SERVING = 0x70726F65  # the advisory lock's number
#: seconds that a process may stand still in a transaction: one that is frozen must not keep its locks from all others
_STANDSTILL = 10
#: a server may be set to answer before it has written; what it forgets then is access that was given and handed out
_DURABLE = "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
_TRIES = 30
_Result = TypeVar("_Result")


class _Way(NamedTuple):
    """How a transaction begins on SQLite, and whether it is but one statement."""

    sqlite: str
    is_one: bool = False


# IMMEDIATE takes the write lock at once: a transaction that read first could not upgrade later
_WRITING, _READING, _ASKING = _Way("BEGIN IMMEDIATE"), _Way("BEGIN"), _Way("", is_one=True)


class DatabaseLocked(AccessError):
    """A second process on one database."""


class BadDatabase(AccessError):
    """A URL that names no database that we can use. The sentence does not repeat it: it may hold a password."""


class _TooLate(Exception):
    """Whoever asked was told that it failed, so it is rolled back."""


class _Call(Generic[_Result]):
    """One function of a connection, and whether somebody still waits for what it does."""

    def __init__(self, work: Callable[[Connection], _Result]) -> None:
        self._work = work
        self.is_late = False

    def __call__(self, tx: Connection) -> _Result:
        result = self._work(tx)
        if self.is_late:
            raise _TooLate
        return result


class Database:
    """Runs functions of a connection, each in one transaction on a worker thread."""

    def __init__(self, url: str, *, alone: bool = True, patience: float = PATIENCE) -> None:
        """`alone` takes SQLite's lock file, and is what serves; a verb that works beside a server does without.

        `patience` is how many seconds a call takes at the most that does not say it itself.
        """
        self._patience = patience
        parsed = _read_url(url)
        self.is_sqlite = parsed.get_backend_name() == "sqlite"
        self.me = secrets.randbelow(2**31 - 1) + 1  # this process, to others on the same database
        self._lock = _lock_beside(Path(parsed.database)) if alone and self.is_sqlite and parsed.database else None
        if not alone and self.is_sqlite and not Path(parsed.database or "").exists():
            raise BadDatabase(f"There is no database at {parsed.database}. The first `prodaccess serve` makes it.")
        arguments = (
            {} if self.is_sqlite else {name: value for name, value in _WATCHED.items() if name not in parsed.query}
        )
        # hide_parameters: an error's text must not quote what was bound (token hashes, reasons)
        self.engine = create_engine(
            parsed, hide_parameters=True, pool_pre_ping=not self.is_sqlite, connect_args=arguments
        )
        if self.is_sqlite:
            _prepare_sqlite(self.engine)
        else:
            _prepare_postgresql(self.engine, self.called if alone else "")
        self._held: Connection | None = None
        self._readers = ThreadPoolExecutor(4, thread_name_prefix="store-read")
        self._writers = ThreadPoolExecutor(1 if self.is_sqlite else 8, thread_name_prefix="store-write")

    @property
    def called(self) -> str:
        """How the database server calls every connection of ours."""
        return f"prodaccess {self.me}"

    def be_alone(self) -> None:
        """Nobody else from now on (SQLite's file is held already). Raises DatabaseLocked, Unavailable."""
        self._hold("", "This database is in use by a running prodaccess. Stop every `serve` and `revoker` first.")

    def be_one_of_many(self) -> None:
        """Nobody alone from now on; on SQLite there is only us. Raises DatabaseLocked, Unavailable."""
        self._hold("_shared", "This database is being migrated, or held by an older prodaccess that serves alone.")

    def _hold(self, how: str, refusal: str) -> None:
        if self.is_sqlite:
            return
        try:
            connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            for _ in range(_TRIES):  # the connection of one that was just killed takes a moment to go
                if connection.exec_driver_sql(f"SELECT pg_try_advisory_lock{how}({_SERVING})").scalar_one():
                    self._held = connection
                    return
                time.sleep(0.1)
        except DBAPIError as error:
            raise Unavailable("The database does not answer.") from error
        connection.close()
        raise DatabaseLocked(refusal)

    async def read(self, work: Callable[[Connection], _Result], *, patience: float | None = None) -> _Result:
        """Run `work`, on PostgreSQL each statement on what stands by then. Raises Unavailable, also after `patience`
        seconds.
        """
        return await self._run(self._readers, _Call(work), patience, _READING)

    async def ask(self, work: Callable[[Connection], _Result], *, patience: float | None = None) -> _Result:
        """`read` for a single statement, which needs no transaction around it: two ways there and back less."""
        return await self._run(self._readers, _Call(work), patience, _ASKING)

    async def write(self, work: Callable[[Connection], _Result], *, patience: float | None = None) -> _Result:
        """Run `work` and commit, or roll back whatever it raises. Raises Unavailable, Stale.

        After `patience` seconds it is Unavailable too, and rolled back; only a commit that is under way may yet hold.
        """
        return await self._run(self._writers, _Call(work), patience, _WRITING)

    async def _run(self, pool: ThreadPoolExecutor, call: _Call[_Result], given: float | None, how: _Way) -> _Result:
        patience = self._patience if given is None else given
        try:
            async with asyncio.timeout(patience):  # a call that still waits for a thread is not made at all
                return await asyncio.get_running_loop().run_in_executor(pool, self._transact, call, how)
        except TimeoutError:
            call.is_late = True
            log.warning("database is too slow", extra={"action": "database", "seconds": patience})
            raise Unavailable(f"The database did not answer within {patience:g} seconds; try again shortly.") from None

    def transact(self, work: Callable[[Connection], _Result], write: bool = True) -> _Result:  # noqa: FBT001, FBT002
        """The synchronous form, for start-up and migrations."""
        return self._transact(work, _WRITING if write else _READING)

    def _transact(self, work: Callable[[Connection], _Result], how: _Way) -> _Result:
        options: dict[str, Any] = {"prodaccess_begin": how.sqlite}
        if how.is_one and not self.is_sqlite:
            options["isolation_level"] = "AUTOCOMMIT"
        try:
            with self.engine.connect().execution_options(**options) as connection, connection.begin():
                return work(connection)
        except _TooLate:
            raise Unavailable("The database answered too late. Nothing was changed.") from None
        except IntegrityError as error:
            raise Stale("Somebody else wrote this first.") from error
        except DBAPIError as error:
            log.warning("database does not answer", extra={"action": "database", "kind": type(error).__name__})
            raise Unavailable("The database does not answer. Nothing was changed; try again shortly.") from error

    def close(self) -> None:
        self._readers.shutdown()
        self._writers.shutdown()
        if self._held is not None:
            self._held.close()
        self.engine.dispose()
        if self._lock is not None:
            self._lock.close()


def _read_url(url: str) -> URL:
    try:
        parsed = make_url(url.replace("postgres://", "postgresql://", 1))
        backend = parsed.get_backend_name()
    except (ArgumentError, ValueError):
        raise BadDatabase(_LIKE) from None
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise BadDatabase(_LIKE)
    return parsed


def _lock_beside(path: Path) -> IO[str]:
    """Makes the database too, so that it is ours alone from the first: it holds what can end access, and reasons."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = path.with_name(path.name + ".lock")
        for file in (path, lock):
            file.touch(mode=0o600)
        handle = lock.open("w")
    except OSError as error:
        raise BadDatabase(f"{path} cannot be opened for writing ({error.strerror}).") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise DatabaseLocked(
            f"{path} is in use by another prodaccess. SQLite serves one process; PostgreSQL takes several."
        ) from None
    return handle


def _prepare_postgresql(engine: Engine, called: str) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: Any) -> None:
        connection.execute(_DURABLE)
        if called:
            connection.execute(f"SET idle_in_transaction_session_timeout = '{_STANDSTILL}s'")
            connection.execute(f"SET application_name = '{called}'")
        connection.commit()


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, see below
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        if begin := connection.get_execution_options().get("prodaccess_begin", _WRITING.sqlite):
            connection.exec_driver_sql(begin)
