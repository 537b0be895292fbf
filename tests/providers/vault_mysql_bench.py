"""A Vault provider whose users live in a real MariaDB."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import pymysql

from access.ports import Released
from prodaccess.parts.mariadb import MariaDb
from prodaccess.parts.production_db import read_sql
from prodaccess.parts.vault_mysql_setup import ROLE, steps
from prodaccess.parts.vault_setup import MOUNT, PASSWORD_VARIABLE, Database
from providers.vault_mysql import MYSQL
from tests.fixtures_parts import VaultFixture
from tests.providers.contract import Desk
from tests.providers.database_bench import DatabaseBench


def set_up(vault: VaultFixture, server: MariaDb) -> None:
    """The database `stock`, Vault's account in it, and Vault's part."""
    server.execute(
        "CREATE DATABASE stock", "CREATE TABLE stock.items (id INT PRIMARY KEY, name TEXT)",
        "INSERT INTO stock.items VALUES (1, 'teapot')",
    )  # fmt: skip
    password = secrets.token_urlsafe(24)
    server.execute(*statements("vault_mysql_admin.sql", password))
    url = f"{{{{username}}}}:{{{{password}}}}@tcp({server.host}:{server.port})/?timeout=5s"
    for step in steps(Database(url, "bao_admin", password)):
        vault.root.write_data(step.path, data=dict(step.data))


def statements(name: str, password: str) -> list[str]:
    return [line for line in read_sql(name).replace(PASSWORD_VARIABLE, password).split(";") if line.strip()]


class VaultMySqlBench(DatabaseBench):
    engine = ("vault_mysql", MYSQL)

    def __init__(self, vault: VaultFixture, server: MariaDb, deaf: str, stack: ExitStack) -> None:
        super().__init__(vault, deaf, stack)
        self.server = server
        self.uses = {
            "role": ROLE, "host": server.host, "port": str(server.port), "dbname": "stock", "sslmode": "disable"
        }  # fmt: skip
        self.provider = self.restart()

    def refused(self) -> Desk:
        return self.desk(role="stock-admin")

    def session(self, issued: Released) -> pymysql.Connection[Any]:
        values = issued.secret.reveal()
        return self.server.connect(user=values["username"], password=values["password"], database="stock")

    async def works(self, issued: Released) -> bool:
        def reads() -> bool:
            try:
                with closing(self.session(issued)) as session, session.cursor() as cursor:
                    cursor.execute("SELECT name FROM items")
                    return cursor.fetchall() == (("teapot",),)
            except pymysql.OperationalError:
                return False

        return await asyncio.to_thread(reads)

    def users(self, desk: Desk) -> list[str]:
        rows = self.server.execute(f"SELECT user FROM mysql.user WHERE user LIKE '%pa-{desk.grant.number}\\_%'")
        return [row[0] for row in rows]


@contextmanager
def role_changed(bench: VaultMySqlBench, **changes: Any) -> Iterator[None]:
    path = f"{MOUNT}/roles/{ROLE}"
    role = bench.vault.root.read(path)["data"]
    bench.vault.root.write_data(path, data=role | changes)
    try:
        yield
    finally:
        bench.vault.root.write_data(path, data=role)
