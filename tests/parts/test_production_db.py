"""The production database: the same on every run, readable by one group, writable by another."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from prodaccess.parts.postgres import Postgres
from prodaccess.parts.production_db import ProductionDb, create_production_db

DIGEST = "SELECT count(*), md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {} AS t"
TABLES = ("customers", "customer_identities", "orders", "order_lines", "payments", "refunds")


@pytest.fixture
def as_group(postgres: Postgres, production_db: ProductionDb) -> Iterator[psycopg.Connection]:
    """A connection that can take on a group's rights and leaves nothing behind."""
    with psycopg.connect(postgres.url(production_db.dbname)) as connection:
        yield connection
        connection.rollback()


def test_it_is_the_same_on_every_run(postgres: Postgres, production_db: ProductionDb) -> None:
    with Postgres() as other:
        again = create_production_db(other)
        for table in TABLES:
            query = DIGEST.format(table)
            assert postgres.execute(query, production_db.dbname) == other.execute(query, again.dbname)


def test_it_holds_the_story(postgres: Postgres, production_db: ProductionDb) -> None:
    rows = postgres.execute("SELECT status, count(*) FROM refunds GROUP BY 1 ORDER BY 1", production_db.dbname)
    assert rows == [("sent", 44), ("settled", 214), ("stuck", 26)]
    ((earliest,),) = postgres.execute(
        "SELECT min(requested_at) >= '2026-11-21 09:40+00' FROM refunds WHERE status = 'stuck'", production_db.dbname
    )
    assert earliest is True


def test_readers_read_and_do_not_write(as_group: psycopg.Connection) -> None:
    as_group.execute("SET ROLE app_readonly")
    assert as_group.execute("SELECT count(*) FROM customer_identities").fetchone() == (1000,)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_group.execute("UPDATE refunds SET status = 'sent'")


def test_writers_write_but_not_personal_data_and_no_tables(as_group: psycopg.Connection) -> None:
    as_group.execute("SET ROLE app_readwrite")
    assert as_group.execute("UPDATE refunds SET status = 'sent' WHERE status = 'stuck'").rowcount == 26
    for forbidden in ("UPDATE customer_identities SET iban = ''", "CREATE TABLE x ()", "DROP TABLE refunds"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege), as_group.transaction():
            as_group.execute(forbidden)


def test_vaults_account_is_no_superuser_and_reads_nothing(postgres: Postgres, production_db: ProductionDb) -> None:
    url = postgres.url(production_db.dbname)
    url = url.replace(f"{postgres.superuser}:{postgres.password}", f"bao_admin:{production_db.admin_password}")
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)
        assert connection.execute("SHOW lock_timeout").fetchone() == ("3s",)
        assert production_db.admin_password not in repr(production_db)
    with psycopg.connect(url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("CREATE ROLE x SUPERUSER")


def test_a_stranger_cannot_connect(postgres: Postgres, production_db: ProductionDb) -> None:
    postgres.execute("CREATE ROLE stranger LOGIN PASSWORD 'stranger'")
    for dbname in (production_db.dbname, "postgres"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(f"postgresql://stranger:stranger@{postgres.host}:{postgres.port}/{dbname}")
    postgres.execute("DROP ROLE stranger")
