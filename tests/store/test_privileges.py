"""The privilege wall, on a real PostgreSQL: a whole grant's life goes through, and the log stays as it is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import DBAPIError, ProgrammingError

from access.afterwards.erasing import Erasing
from access.model import GrantState
from audit.search.projector import project
from prodaccess.migrating import main as migrate_verb
from prodaccess.parts.postgres import Postgres
from store.database import Database
from store.privileges import GRANTS, INSERT_ONLY, NoWall, allowed, grant_to, no_wall, too_much
from tests.people import MARGARET
from tests.world import World

ROLE = "prodaccess_app"
PASSWORD = "of-the-test"


class WalledWorld(World):
    """The world on PostgreSQL, as a role that owns nothing."""

    def __init__(self, directory: Path, url: str) -> None:
        self._walled = url
        super().__init__(directory)

    def _build(self) -> None:
        self.url = self._walled
        super()._build()


@pytest.fixture
def role(postgres: Postgres) -> str:
    if not postgres.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{ROLE}'"):
        postgres.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")
    return ROLE


@pytest.fixture
def walled(fresh_database: str, role: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of the server's role, after `prodaccess migrate --database-role` by the owner."""
    monkeypatch.setenv("PRODACCESS_DATABASE_URL", fresh_database)
    assert migrate_verb(role) == 0
    url = make_url(fresh_database).set(username=role, password=PASSWORD)
    return url.render_as_string(hide_password=False)


@pytest.fixture
def world(walled: str, tmp_path: Path) -> Iterator[WalledWorld]:
    made = WalledWorld(tmp_path, walled)
    yield made
    made.close()


async def test_a_grant_from_the_asking_to_the_end_and_its_erasure(world: WalledWorld) -> None:
    device = await world.device()
    grant = await world.opened()
    await world.grants.collect(grant.number, device)
    world.clock.pass_by(hours=2)
    await world.sweep()
    assert (await world.grant(grant.number)).state is GrantState.REVOKED
    await world.store.put_notes({"thread:cursor": {"seq": 3}})
    indexed = await world.store.log.database.write(lambda tx: project(tx, world.store.log.ledger))
    assert indexed.seq == await world.store.log.head()
    erased = await Erasing(world.store, world.people, world.policies, world.clock).erase("PA-1", "a test", MARGARET)
    assert erased
    (asked, *_) = await world.store.log.entries_of("PA-1")
    assert asked.event.reason == "(erased)"  # type: ignore[attr-defined]


@pytest.mark.parametrize("table", INSERT_ONLY)
async def test_nothing_of_the_log_can_be_changed_or_taken_away(world: WalledWorld, walled: str, table: str) -> None:
    await world.opened()
    changes = {
        "ledger_entry": "UPDATE ledger_entry SET body = body", "ledger_tile": "UPDATE ledger_tile SET root = root",
        "ledger_checkpoint": "UPDATE ledger_checkpoint SET note = note",
        "ledger_anchor": "UPDATE ledger_anchor SET proof = proof",
        "policy_bundle": "UPDATE policy_bundle SET content = content",
    }  # fmt: skip
    attempts = [
        changes[table], f"DELETE FROM {table}", f"TRUNCATE {table}", f"TRUNCATE {table} CASCADE",
        f"ALTER TABLE {table} DISABLE TRIGGER ALL", f"ALTER TABLE {table} DISABLE TRIGGER {table}_rows",
        f"DROP TRIGGER {table}_rows ON {table}", f"DROP TABLE {table}", f"ALTER TABLE {table} RENAME TO gone",
        f"CREATE TRIGGER mine BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION ledger_insert_only()",
        f"CREATE RULE mine AS ON INSERT TO {table} DO INSTEAD NOTHING",
    ]  # fmt: skip
    for attempt in attempts:
        _is_refused(walled, attempt)


@pytest.mark.parametrize(
    "attempt",
    [
        "SET session_replication_role = replica",
        "CREATE OR REPLACE FUNCTION ledger_insert_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "DROP FUNCTION ledger_insert_only() CASCADE",
        "CREATE TABLE mine (a int)",
        "DELETE FROM ledger_frontier",
        "INSERT INTO ledger_frontier VALUES (2, 0, 0)",
        "DELETE FROM ledger_payload",
        "UPDATE ledger_payload SET ciphertext = ciphertext",
        "UPDATE alembic_version SET version_num = 'x'",
        "SET ROLE postgres",
    ],
)
async def test_nor_what_holds_it(walled: str, attempt: str) -> None:
    _is_refused(walled, attempt)


def _is_refused(url: str, attempt: str) -> None:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    try:
        with pytest.raises(ProgrammingError, match=r"denied|must be owner|InsufficientPrivilege"), engine.begin() as tx:
            tx.exec_driver_sql(attempt)
    finally:
        engine.dispose()


def _gives_itself_everything(url: str) -> None:
    """PostgreSQL answers that with a warning, and gives nothing."""
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as tx:
        tx.exec_driver_sql(f"GRANT ALL ON ledger_entry, ledger_tile TO {ROLE}")
    engine.dispose()


async def test_every_table_has_its_row(walled: str, fresh_database: str) -> None:
    database = Database(fresh_database, alone=False)
    tables = database.transact(
        lambda tx: tx.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars().all()
    )
    database.close()
    assert [table for table in tables if not allowed(table)] == []
    assert {name for name in GRANTS if "*" not in name} <= set(tables)


async def test_who_is_not_held_back_is_told(walled: str, fresh_database: str, role: str, postgres: Postgres) -> None:
    database = Database(fresh_database, alone=False)
    try:
        assert database.transact(lambda tx: no_wall(tx, role)) == ""
        _gives_itself_everything(walled)
        assert database.transact(lambda tx: too_much(tx, role)) == ()
        assert "superuser" in database.transact(lambda tx: no_wall(tx, "postgres"))
        assert "CREATE ROLE nobody_here" in database.transact(lambda tx: no_wall(tx, "nobody_here"))
        with pytest.raises(NoWall):
            database.transact(lambda tx: grant_to(tx, "postgres"))
        database.transact(lambda tx: tx.exec_driver_sql(f"GRANT DELETE ON ledger_entry TO {role}"))
        assert database.transact(lambda tx: too_much(tx, role)) == ("DELETE on ledger_entry",)
        database.transact(lambda tx: grant_to(tx, role))  # again: what was too much is taken
        assert database.transact(lambda tx: too_much(tx, role)) == ()
        database.transact(lambda tx: tx.exec_driver_sql(f"ALTER TABLE ledger_tile OWNER TO {role}"))
        assert "owns ledger_tile" in database.transact(lambda tx: no_wall(tx, role))
    finally:
        database.close()


def test_sqlite_has_no_roles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PRODACCESS_DATABASE_URL", f"sqlite:///{tmp_path}/a.db")
    assert migrate_verb("app") == 2
    assert "SQLite has no roles" in capsys.readouterr().err
    assert migrate_verb(None) == 0
    assert migrate_verb(None) == 0, "again"


def test_a_database_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PRODACCESS_DATABASE_URL", "postgresql://app:hunter2@127.0.0.1:1/x")
    assert migrate_verb(None) == 2
    shown = capsys.readouterr().err
    assert "does not answer" in shown
    assert "hunter2" not in shown
    assert DBAPIError.__name__ not in shown
