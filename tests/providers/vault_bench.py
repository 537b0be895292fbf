"""A Vault provider with its real Vault and database, and the ways to make them fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from typing import Any

import psycopg

from access.ports import Released
from prodaccess.parts.postgres import Postgres
from prodaccess.parts.production_db import ProductionDb
from tests.fixtures_parts import VaultFixture
from tests.providers.contract import Desk, make_grant
from tests.providers.database_bench import DatabaseBench


class VaultBench(DatabaseBench):
    def __init__(self, vault: VaultFixture, postgres: Postgres, deaf: str, stack: ExitStack) -> None:
        super().__init__(vault, deaf, stack)
        self.postgres = postgres
        self.uses = {
            "role": "orders-read", "host": postgres.host, "port": str(postgres.port), "dbname": "orders",
            "sslmode": "disable",
        }  # fmt: skip
        self.provider = self.restart()

    def refused(self) -> Desk:
        return self.desk(role="orders-admin")

    def login(self, issued: Released) -> psycopg.Connection[Any]:
        values = issued.secret.reveal()
        place: dict[str, Any] = {key: self.uses[key] for key in ("host", "port", "dbname")}
        return psycopg.connect(user=values["username"], password=values["password"], autocommit=True, **place)

    async def works(self, issued: Released) -> bool:
        try:
            with self.login(issued) as connection:
                connection.execute("SELECT count(*) FROM orders")
        except psycopg.OperationalError:
            return False
        return True


class Wire:
    """A way to Vault that can lose the answers while the requests arrive, and Vault does not notice."""

    def __init__(self, host: str, port: int) -> None:
        self.swallows = False
        self._vault = (host, port)

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, requests = await asyncio.open_connection(*self._vault)
        there = asyncio.create_task(self._pump(reader, requests))
        try:
            await self._pump(answers, writer)
        finally:
            there.cancel()
            writer.close()
            requests.close()

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        to_vault = sink.get_extra_info("peername")[1] == self._vault[1]
        with suppress(OSError):
            while data := await source.read(65536):
                if to_vault or not self.swallows:
                    sink.write(data)
                    await sink.drain()


@asynccontextmanager
async def lossy(bench: VaultBench) -> AsyncIterator[tuple[Desk, Wire]]:
    """A grant whose provider reaches Vault over a `Wire`."""
    host, _, port = bench.vault.address.removeprefix("http://").partition(":")
    wire = Wire(host, int(port))
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(wire.carry(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    provider = bench.provider_with(address=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", timeout=0.7)
    try:
        yield Desk(provider, make_grant(bench.clock, bench.uses), bench.clock), wire
    finally:
        provider.close()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(true: Callable[[], bool]) -> bool:
    for _ in range(50):
        if true():
            return True
        await asyncio.sleep(0.1)
    return False


def users_of(bench: VaultBench, desk: Desk) -> list[Any]:
    return bench.postgres.execute(f"SELECT rolname FROM pg_roles WHERE rolname LIKE '%-pa-{desk.grant.number}\\_%'")


@contextmanager
def slowed(bench: VaultBench, seconds: float) -> Iterator[None]:
    """Making a user takes this long."""
    path = "pa-db/roles/orders-read"
    role = bench.vault.root.read(path)["data"]
    slow = [*role["creation_statements"], f"SELECT pg_sleep({seconds})"]
    bench.vault.root.write_data(path, data=role | {"creation_statements": slow})
    try:
        yield
    finally:
        bench.vault.root.write_data(path, data=role)


@contextmanager
def vault_locked_out(bench: VaultBench, db: ProductionDb) -> Iterator[None]:
    """Vault's own account in the database has another password, and its connections are cut."""
    bench.postgres.execute(f"ALTER ROLE {db.admin_user} PASSWORD 'changed elsewhere'")
    bench.postgres.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename='{db.admin_user}'")
    try:
        yield
    finally:
        bench.postgres.execute(f"ALTER ROLE {db.admin_user} PASSWORD '{db.admin_password}'")


@contextmanager
def bot_role(bench: VaultBench, **changes: str) -> Iterator[None]:
    path = "auth/approle/role/prodaccess"
    role = bench.vault.root.read(path)["data"]
    bench.vault.root.write_data(path, data=changes)
    try:
        yield
    finally:
        bench.vault.root.write_data(path, data={key: role[key] for key in changes})


def end_the_bots_tokens(bench: VaultBench) -> None:
    root = bench.vault.root
    for accessor in root.list("auth/token/accessors")["data"]["keys"]:
        if root.auth.token.lookup_accessor(accessor)["data"]["path"] == "auth/approle/login":
            root.auth.token.revoke_accessor(accessor)
