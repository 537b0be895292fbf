"""`held` and `decide`, by the real command, through the real api and the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from access.events import AuditSearched
from prodaccess.parts.postgres import Postgres
from tests.api.serving import serving
from tests.cli.shell import Shell
from tests.gateways.held import HOLDING
from tests.gateways.scene import Scene, standing
from tests.people import ADA


@pytest.fixture
async def scene(tmp_path: Path, postgres: Postgres) -> AsyncIterator[Scene]:
    async with standing(HOLDING, postgres, tmp_path) as made:
        yield made


async def test_an_approver_reads_what_waits_and_decides_it(scene: Scene, tmp_path: Path, memory: Path) -> None:
    async with serving(scene.world) as api:
        ticket = await scene.ticket(*await scene.granted())
        db = await psycopg.AsyncConnection.connect(ticket.dsn(), autocommit=True)
        running = asyncio.create_task(db.execute("create temp table t as\n select 'x\x1b[31m' as n"))
        while not await scene.world.store.sessions.waiting():  # noqa: ASYNC110 (rows)
            await asyncio.sleep(0.02)
        shell = Shell(api, tmp_path, memory)
        await shell.sign_in(ADA)
        assert "PA-1-1.1" in (await shell.run("held")).out
        said = await shell.run("held", "pa-1-1.1")
        assert "PA-1-1.1 of linus: waits until" in said.out
        assert "held for ddl" in said.out
        assert "\n   select 'x\\x1b[31m' as n\n" in said.out.replace("\\u001b", "\\x1b")
        assert "\x1b" not in said.out
        decided = await shell.run("decide", "PA-1-1.1", "allow", "--json")
        assert decided.json["state"] == "allowed"
        assert decided.json["by"] == "ada"
        assert (await running).rowcount == 1
        again = await shell.run("decide", "PA-1-1.1", "refuse")
        assert again.code != 0
        assert "already allowed by ada" in again.err
        assert (await shell.run("decide", "PA-7", "allow")).code == 2
        await db.close()
    looks = [e.event for e in await scene.world.store.log.entries(-1, 500) if isinstance(e.event, AuditSearched)]
    assert [look.query for look in looks] == ["held session:PA-1-1.1"]
