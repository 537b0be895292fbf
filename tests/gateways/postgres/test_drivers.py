"""Drivers that people's programs use, each with what it does its own way."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest

from tests.gateways.postgres.open_door import TICKET, Way

JDBC = Path("/usr/share/java/postgresql.jar")
IS_THERE = JDBC.exists() and shutil.which("javac") is not None


async def test_asyncpg(way: Way) -> None:
    asyncpg = pytest.importorskip("asyncpg")
    db = await asyncpg.connect(host="127.0.0.1", port=way.port, user="PA-7", password=TICKET, database="postgres")
    try:
        await db.execute("create temp table a (n int, s text, j jsonb)")
        rows = [(n, f"x{n}", '{"n": 1}') for n in range(2000)]
        await db.copy_records_to_table("a", records=rows)
        await db.executemany("insert into a values ($1, $2, $3)", rows)
        assert await db.fetchval("select count(*) from a where n = any($1::int[])", [1, 2, 3]) == 6
        async with db.transaction():
            assert len([row async for row in db.cursor("select * from a", prefetch=50)]) == 4000
        prepared = await db.prepare("select $1::int + 1")
        assert [await prepared.fetchval(n) for n in range(10)] == list(range(1, 11))
        heard: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        await db.add_listener("news", lambda _db, _pid, _channel, payload: heard.set_result(payload))
        await db.execute("notify news, 'hello'")
        assert await asyncio.wait_for(heard, 30) == "hello"
        with pytest.raises(TimeoutError):  # by a cancel on a connection of its own
            await db.fetchval("select pg_sleep(60)", timeout=0.3)
        with pytest.raises(asyncpg.DivisionByZeroError):
            await db.fetchval("select 1 / $1::int", 0)
    finally:
        await db.close()
    asks = way.door.sessions[0].asks
    assert [ask.values[0] for ask in asks if ask.text == "select $1::int + 1"] == [f"\\x{n:08x}" for n in range(10)]
    assert sum(ask.text.startswith("insert into a") for ask in asks) == 2000


async def test_many_connections_of_one_tool_that_looks_around(way: Way) -> None:
    """As database browsers do it: some for the editor, some for the tree, all at once and with the same ticket."""
    questions = (
        "select * from pg_catalog.pg_settings",
        "select n.nspname, c.* from pg_class c join pg_namespace n on n.oid = c.relnamespace",
        "select * from information_schema.columns",
        "select pg_get_viewdef(oid) from pg_class where relkind = 'v' limit 9",
        "select version(), current_schemas(true)",
        "show transaction isolation level",
    )

    async def look() -> int:
        async with await psycopg.AsyncConnection.connect(way.dsn(application_name="DBeaver"), autocommit=True) as db:
            return sum([len(await (await db.execute(question)).fetchall()) for question in questions])

    found = await asyncio.gather(*(look() for _ in range(12)))
    assert len(set(found)) == 1
    assert [session.texts for session in way.door.sessions] == [list(questions)] * 12


@pytest.mark.skipif(not IS_THERE, reason="needs libpostgresql-jdbc-java and a JDK")
async def test_jdbc(way: Way) -> None:
    url = f"jdbc:postgresql://127.0.0.1:{way.port}/postgres"
    program = Path(__file__).with_name("Workload.java")
    command = ["java", "-XX:TieredStopAtLevel=1", "-cp", str(JDBC), str(program), url, "PA-7", TICKET]
    done = await asyncio.to_thread(
        subprocess.run, command, capture_output=True, text=True, timeout=100, check=False, env=_plain()
    )
    assert done.stderr == ""
    assert done.stdout.split("\n") == [
        "batch 1000", *["found 2"] * 6, "fetched 1000", "refused 23505", "copied in 2", "copied out 2", "column n",
        "column s", "column at", "key n", "cancelled 57014", "",
    ]  # fmt: skip
    asks = way.door.sessions[0].asks
    assert sum(ask.text.startswith("insert into jdbc") for ask in asks) == 1001
    found = [ask.values for ask in asks if ask.text == "select s from jdbc where n = $1"]
    assert found == [(f"\\x{n:08x}",) for n in range(6)]


def _plain() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
