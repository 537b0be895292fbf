"""The database away, full, locked or badly named; and what others on the machine can read of it."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, event

from access.errors import AccessError, Unavailable
from access.events import LogQuiet
from access.model import GrantState
from prodaccess.parts.postgres import Postgres
from store import open_store
from store.database import Database
from tests.people import LEDGER, ManualClock
from tests.world import World

clock = ManualClock()


async def test_postgresql_restarted_under_a_running_store(fresh_database: str, postgres: Postgres) -> None:
    store = open_store(fresh_database, clock, LEDGER)
    try:
        assert await store.log.head() == -1
        await asyncio.gather(*(store.log.head() for _ in range(8)))  # several connections in the pool
        await store.put_notes({"a": {"n": 1}})
        postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = "
            f"'{fresh_database.rpartition('/')[2]}'"
        )
        await store.put_notes({"a": {"n": 2}})
        assert await store.note("a") == {"n": 2}
    finally:
        store.close()


async def test_a_connection_lost_while_it_waits_for_the_logs_end(fresh_database: str, postgres: Postgres) -> None:
    store = open_store(fresh_database, clock, LEDGER)
    database = store.log.database

    def append() -> None:
        database.transact(lambda tx: LEDGER.append(tx, (LogQuiet(at=clock.now()),), clock.now()))

    def cut_a_waiting_one(tx: Connection) -> None:
        tx.exec_driver_sql("SELECT size FROM ledger_frontier FOR UPDATE")
        writing = thread.submit(append)
        waiting = "SELECT pid FROM pg_locks WHERE NOT granted"
        while not (found := tx.exec_driver_sql(waiting).scalars().all()):
            time.sleep(0.02)
        tx.exec_driver_sql("SELECT pg_terminate_backend(%(pid)s)", {"pid": found[0]})
        with pytest.raises(Unavailable, match="does not answer"):
            writing.result()

    try:
        with ThreadPoolExecutor(1) as thread:
            await asyncio.to_thread(database.transact, cut_a_waiting_one)
            await asyncio.to_thread(append)
        assert await store.log.head() == 0
    finally:
        store.close()


def test_a_database_host_that_vanishes_is_noticed_within_seconds(fresh_database: str) -> None:
    """Without keepalives a call waits for an answer for two hours, and nothing would be ended meanwhile."""
    database = Database(f"{fresh_database}?connect_timeout=7")
    try:
        told = database.transact(_parameters, write=False)
    finally:
        database.close()
    assert int(told["keepalives_idle"]) + int(told["keepalives_interval"]) * int(told["keepalives_count"]) <= 15
    assert 0 < int(told["tcp_user_timeout"]) <= 15_000  # milliseconds
    assert told["connect_timeout"] == "7"  # what the URL says goes before


def _parameters(tx: Connection) -> dict[str, str]:
    raw = tx.connection.dbapi_connection
    assert raw is not None
    found: dict[str, str] = raw.info.get_parameters()  # type: ignore[attr-defined]
    return found


async def test_a_locked_database_at_the_deadline_only_delays_the_end(world: World) -> None:
    await world.opened()
    issued = (await world.grants.collect(1, await world.device())).issued
    world.clock.pass_by(hours=1)
    other = sqlite3.connect(world.url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    await world.sweep()
    assert (await world.grant(1)).state is GrantState.ACTIVE
    with pytest.raises(Unavailable, match="try again"):
        await world.asked()
    other.execute("ROLLBACK")
    other.close()
    await world.sweep()
    assert (await world.grant(1)).state is GrantState.REVOKED
    assert not world.provider.login(**issued.secret.reveal())


async def test_a_full_disk_gives_nothing_and_forgets_nothing(world: World) -> None:
    await world.opened()
    device = await world.device()
    database = world.store._database
    room = {"pages": database.transact(lambda tx: tx.exec_driver_sql("PRAGMA page_count").scalar_one())}

    @event.listens_for(database.engine, "begin")
    def limit(connection: Connection) -> None:  # whichever of the pool's connections it is
        connection.exec_driver_sql(f"PRAGMA max_page_count = {room['pages']}")

    before = len(await world.store.log.entries(-1))
    with pytest.raises(Unavailable):
        await fill(world)
    with pytest.raises(AccessError):
        await world.grants.collect(1, device)
    assert not world.provider.live()
    room["pages"] = 1_000_000
    world.clock.pass_by(seconds=31)  # whatever was begun and could not be written is claimed for so long
    await world.sweep()
    assert (await world.grant(1)).state is GrantState.REVOKED
    assert len(await world.store.log.entries(-1)) > before


async def fill(world: World) -> None:
    """Until the pages that are there are full."""
    for _ in range(100):
        await world.asked(reason="x" * 500)
        world.clock.pass_by(hours=1)
        await world.sweeper.sweep()  # not waited for: what cannot be written is tried for ever


def test_others_on_the_machine_cannot_read_the_database(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        store = open_store(f"sqlite:///{tmp_path}/made/prodaccess.db", clock, LEDGER)
    finally:
        os.umask(before)
    asyncio.run(store.put_notes({"a": {}}))
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "made").iterdir()}
    store.close()
    assert {"prodaccess.db", "prodaccess.db-wal"} <= set(modes)
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize(
    "url",
    [
        "", "not a url hunter2", "postgresql:/bot:hunter2@x", "mysql://bot:hunter2@h/db", "sqlite://",
        "sqlite:///:memory:", "postgresql://bot:hunter2@127.0.0.1:notaport/db", "sqlite:////dev/null/x.db", "sqlite:////proc/nope/x.db",
        "postgresql://bot:hunter2@127.0.0.1:1/db", "postgresql+nosuch://bot:hunter2@127.0.0.1/db",
        "postgresql://bot:hunter2@127.0.0.1/db?nonsense=1",
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_used_is_said_in_words_without_its_password(url: str) -> None:
    with pytest.raises(AccessError) as raised:
        open_store(url, clock, LEDGER)
    assert "hunter2" not in str(raised.value)
    assert str(raised.value).endswith(".")


def test_the_url_that_most_hosts_hand_out_is_understood() -> None:
    with pytest.raises(Unavailable):
        open_store("postgres://bot:hunter2@127.0.0.1:1/db", clock, LEDGER)
