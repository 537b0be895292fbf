"""A server and a gateway as processes of their own on one PostgreSQL, logins from a real Vault, the real command."""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from access.events import CredentialIssued, GrantEnded, QueryRun, SessionClosed
from access.signin import SignIns
from audit.log import ORIGIN, Ledger
from audit.payloads import KEY, PayloadKey
from gateways.adopting import CUT_OFF
from gateways.live import LEFT
from prodaccess.clock import SystemClock
from prodaccess.gateways.tls import server_tls
from prodaccess.parts.part import free_port
from prodaccess.parts.postgres import Postgres
from prodaccess.settings import Settings
from store import SqlStore, open_store
from tests.fixtures_parts import VaultFixture
from tests.people import LINUS, Directory
from tests.prodaccess.test_server import asked_and_approved, running

pytestmark = pytest.mark.skipif(
    "PROVE_GATEWAY" not in os.environ, reason="make prove-gateway: two processes and a Vault"
)
POLICY = """
version: 1
people: {{ada: [U0ADA], linus: U0LINUS}}
targets:
  orders-db:
    roles:
      read:
        provider: vault
        gateway: postgres
        uses: {{role: orders-read, host: {host}, port: "{port}", dbname: orders, sslmode: disable}}
        who: [linus]
        approvers: [ada]
        max: 1h
"""


@asynccontextmanager
async def command(environment: Mapping[str, str], *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "prodaccess", *words, env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()


async def said(environment: Mapping[str, str], *words: str) -> str:
    async with command(environment, *words) as process:
        out, err = await asyncio.wait_for(process.communicate(), 60)
        return (out + err).decode()


async def ready(port: int) -> None:
    for _ in range(600):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise AssertionError("the gateway does not listen")


async def told(store: SqlStore, kind: type, count: int = 1) -> list[QueryRun | SessionClosed]:
    for _ in range(400):
        found = [e.event for e in await store.log.entries_of("PA-1") if isinstance(e.event, kind)]
        if len(found) >= count:
            return found  # type: ignore[return-value]
        await asyncio.sleep(0.05)
    raise AssertionError(f"{kind} is not in the log")


def of_both(vault: VaultFixture, port: int, directory: Path) -> dict[str, str]:
    """The settings that the server and its gateway have in common."""
    values = {f"PRODACCESS_GATEWAY_{name}": "" for name in ("CERT", "KEY", "CA")}
    server_tls(Settings(values | {"PRODACCESS_RECORDINGS": str(directory / "shown")}, {}), "127.0.0.1")
    shown = str(directory / "shown" / "gateway.pem")  # both know it, and it makes passes bound to keys
    return {
        "VAULT_ADDR": vault.address, "VAULT_ROLE_ID": vault.access.role_id, "VAULT_SECRET_ID": vault.access.secret_id,
        "PRODACCESS_VAULT_MOUNT": vault.access.mount, "PRODACCESS_VAULT_TOKEN_ROLE": vault.access.token_role,
        "PRODACCESS_GATEWAY_POSTGRES_ADDRESS": f"127.0.0.1:{port}", "PRODACCESS_GATEWAY_CERT": shown,
        "PRODACCESS_GATEWAY_CA": shown,
    }  # fmt: skip


@dataclass(frozen=True)
class House:
    """A running server with a grant, PA-1, and what a gateway and an engineer's terminal have in their environment."""

    store: SqlStore
    own: dict[str, str]
    home: dict[str, str]
    port: int


@asynccontextmanager
async def house(database: str, directory: Path, postgres: Postgres, vault: VaultFixture) -> AsyncIterator[House]:
    port = free_port()
    policy = POLICY.format(host=postgres.host, port=postgres.port)
    (directory / "policy.yml").write_text(policy)
    settings = of_both(vault, port, directory)
    async with running("socket", directory, database, policy, **settings) as (slack, server):
        store = open_store(database, SystemClock(), Ledger(ORIGIN, PayloadKey(bytes(KEY))))
        own = {
            **settings, "SLACK_BOT_TOKEN": slack.world.app.bot_token, "SLACK_API_URL": slack.api_url,
            "PRODACCESS_SLACK_TEAMS": "T0ACME", "PRODACCESS_DATABASE_URL": database,
            "PRODACCESS_AUDIT_PAYLOAD_KEY": base64.b64encode(bytes(KEY)).decode(),
            "PRODACCESS_POLICY": str(directory / "policy.yml"), "PRODACCESS_GATEWAY_POSTGRES": f"127.0.0.1:{port}",
            "PRODACCESS_RECORDINGS": str(directory / "recordings"),
        }  # fmt: skip
        home = {"HOME": str(directory), "XDG_RUNTIME_DIR": "", "PRODACCESS_STATE_DIR": str(directory / "state")}
        code = await SignIns(store, Directory(), SystemClock()).start(LINUS)
        assert "igned in" in await said(home, "login", code, "--server", server.url, "--insecure-storage")
        await asked_and_approved(slack, lasting="1h")
        yield House(store, own, home, port)
        store.close()


async def test_one_process_gives_passes_another_lets_in_and_neither_death_nor_end_leaves_anything(
    fresh_database: str, tmp_path: Path, postgres: Postgres, vault: VaultFixture
) -> None:
    psql = str(postgres.psql)
    async with house(fresh_database, tmp_path, postgres, vault) as made:
        store, own, home, port = made.store, made.own, made.home, made.port
        async with command(own, "gateway") as gateway:
            await ready(port)
            out = await said(home, "connect", "PA-1", "--", psql, "-XAtc", "select count(*) from orders")
            assert out.splitlines()[0].isdecimal(), out
            async with command(home, "connect", "PA-1", "--", psql, "-XAtc", "select 'dies', pg_sleep(60)") as working:
                await busy(postgres, "dies")
                gateway.send_signal(signal.SIGKILL)
                await asyncio.wait_for(working.communicate(), 30)
        async with command(own, "gateway"):
            closed = await told(store, SessionClosed, 2)
            assert [(event.session, event.why) for event in closed] == [("PA-1-1", LEFT), ("PA-1-2", CUT_OFF)]
            left = [event for event in await told(store, QueryRun, 2) if isinstance(event, QueryRun) and event.late]
            assert [(event.text, event.outcome) for event in left] == [("select 'dies', pg_sleep(60)", "unknown")]
            await ready(port)
            async with command(home, "connect", "PA-1", "--", psql, "-XAtc", "select 'ends', pg_sleep(60)") as working:
                await busy(postgres, "ends")
                since = time.monotonic()
                assert "ended" in await said(home, "end", "PA-1")
                _, err = await asyncio.wait_for(working.communicate(), 30)
                assert b"PA-1 has ended." in err
                assert time.monotonic() - since < 30
            (over,) = await told(store, GrantEnded)
            issued = await told(store, CredentialIssued, 2)
            assert len(issued) == 2  # one for each process
            assert over.credentials == 2  # type: ignore[union-attr]
        users = ", ".join(f"'{event.public_id}'" for event in issued)  # type: ignore[union-attr]
        assert postgres.execute(f"select count(*) from pg_roles where rolname in ({users})") == [(0,)]


async def test_two_processes_share_a_port_and_both_let_in(
    fresh_database: str, tmp_path: Path, postgres: Postgres, vault: VaultFixture
) -> None:
    look = [str(postgres.psql), "-XAtc", "select count(*) from orders"]
    async with house(fresh_database, tmp_path, postgres, vault) as made:
        own = {**made.own, "PRODACCESS_GATEWAY_SHARED": "yes"}
        async with command(own, "gateway") as first, command(own, "gateway") as second:
            await ready(made.port)
            count = 0
            while len({e.public_id for e in await told(made.store, CredentialIssued, min(count, 1))}) < 2:  # type: ignore[union-attr]
                assert count < 40, "one process has taken them all"
                out = await said(made.home, "connect", "PA-1", "--", *look)
                assert out.splitlines()[0].isdecimal(), out
                count += 1
            assert (first.returncode, second.returncode) == (None, None)
        closed = await told(made.store, SessionClosed, count)
        assert len(closed) == count


async def busy(postgres: Postgres, word: str) -> None:
    query = (
        f"select count(*) from pg_stat_activity where query like '%''{word}'', pg_sleep%' and pid <> pg_backend_pid()"
    )
    for _ in range(400):
        if await asyncio.to_thread(postgres.execute, query) == [(1,)]:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"nothing with {word} runs")
