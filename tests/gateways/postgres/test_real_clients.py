"""Real clients and a real server on both sides of the gateway: the same comes out, and all of it is on the tape."""

from __future__ import annotations

import asyncio
import os
import subprocess
from typing import Any

import psycopg
import pytest

from gateways.postgres.acts import Answered, Asked
from prodaccess.parts.postgres import Postgres
from tests.gateways.postgres.open_door import Way, direct_dsn


async def test_a_driver_works_and_everything_is_on_the_tape(way: Way) -> None:
    async with await psycopg.AsyncConnection.connect(way.dsn()) as db:
        found = await (await db.execute("select %s::int + 1, %s::text", (41, "x'y"))).fetchall()
        assert found == [(42, "x'y")]
        with pytest.raises(psycopg.errors.UndefinedTable):
            await db.execute("select * from nowhere")
    texts = way.session.texts
    assert "select $1::int + 1, $2::text" in texts
    assert "select * from nowhere" in texts
    asked = next(act for act in way.session.acts if isinstance(act, Asked) and "int + 1" in act.text)
    assert asked.values[1] == "x'y"
    codes = [act.code for act in way.session.acts if isinstance(act, Answered) and act.code]
    assert codes == ["42P01"]


async def test_a_wrong_ticket_and_a_wrong_name_are_told_apart_by_nobody(way: Way) -> None:
    said = []
    for wrong in ({"password": "guess"}, {"user": "PA-8"}):
        with pytest.raises(psycopg.OperationalError) as refused:
            await psycopg.AsyncConnection.connect(way.dsn(**wrong))
        said.append(str(refused.value).replace("PA-8", "PA-7"))
    assert said[0] == said[1]
    assert "No pass of that name lets you in (PA-7)." in said[0]
    assert not way.door.sessions


async def test_an_unknown_database_is_said_in_the_servers_words(way: Way) -> None:
    with pytest.raises(psycopg.OperationalError, match='database "nowhere" does not exist'):
        await psycopg.AsyncConnection.connect(way.dsn(dbname="nowhere"))
    assert way.session.why.startswith("the database was not reached")


async def test_copy_both_ways(way: Way) -> None:
    async with await psycopg.AsyncConnection.connect(way.dsn()) as db:
        await db.execute("create temp table t (n int, s text)")
        async with db.cursor().copy("copy t from stdin") as copy:
            for n in range(5000):
                await copy.write_row((n, "x" * 50))
        rows = 0
        async with db.cursor().copy("copy t to stdout") as copy:
            async for _ in copy.rows():
                rows += 1
        assert rows == 5000
    told = {act.tag: act for act in way.session.acts if isinstance(act, Answered) and act.tag.startswith("COPY")}
    assert told["COPY 5000"].bytes_out > 5000 * 50
    assert max(act.bytes_in for act in way.session.acts if isinstance(act, Answered)) > 5000 * 50


async def _pipelined(db: psycopg.AsyncConnection[Any], *texts: str) -> None:
    async with db.pipeline():
        for text in texts:
            await db.execute(text)


async def test_pipelines_and_prepared_statements(way: Way) -> None:
    async with await psycopg.AsyncConnection.connect(way.dsn(), autocommit=True) as db:
        async with db.pipeline():
            cursors = [await db.execute("select %s::int", (n,), prepare=True) for n in range(20)]
        assert [(await cursor.fetchone()) for cursor in cursors] == [(n,) for n in range(20)]
        with pytest.raises(psycopg.errors.DivisionByZero):
            await _pipelined(db, "select 1", "select 1/0", "select 2")
        assert await (await db.execute("select 3")).fetchone() == (3,)
    by_number = {act.n: act for act in way.session.acts if isinstance(act, Answered)}
    ends = {act.text: by_number[act.n] for act in way.session.acts if isinstance(act, Asked)}
    assert ends["select 1/0"].code == "22012"
    assert ends["select 2"].skipped
    assert ends["select 3"].rows == 1


async def test_a_statement_can_be_cancelled_by_its_client(way: Way) -> None:
    async with await psycopg.AsyncConnection.connect(way.dsn()) as db:
        running = asyncio.create_task(db.execute("select pg_sleep(30)"))
        await asyncio.sleep(0.3)
        await db.cancel_safe(timeout=5)
        with pytest.raises(psycopg.errors.QueryCanceled):
            await running


async def test_a_notification_names_the_backend_that_the_client_knows(way: Way) -> None:
    async with await psycopg.AsyncConnection.connect(way.dsn(), autocommit=True) as db:
        await db.execute("listen news")
        await db.execute("notify news, 'hello'")
        async for notice in db.notifies(timeout=5, stop_after=1):
            assert (notice.payload, notice.pid) == ("hello", db.info.backend_pid)


async def test_a_cut_stops_what_runs_and_says_why(way: Way, postgres: Postgres) -> None:
    db = await psycopg.AsyncConnection.connect(way.dsn())
    running = asyncio.create_task(db.execute("select pg_sleep(30), 'cut-me'"))
    await asyncio.sleep(0.3)
    assert way.session.hold is not None
    await way.session.hold.cut("PA-7 has ended.")
    with pytest.raises(psycopg.OperationalError, match=r"PA-7 has ended\."):
        await running
    await db.close()
    async with await psycopg.AsyncConnection.connect(direct_dsn(postgres)) as direct:
        for _ in range(50):
            query = "select count(*) from pg_stat_activity where query like '%cut-me%' and pid <> pg_backend_pid()"
            found = await (await direct.execute(query)).fetchone()
            if found == (0,):
                break
            await asyncio.sleep(0.02)
        assert found == (0,)
    assert way.session.why == "PA-7 has ended."


async def test_a_notice_reaches_the_client_between_two_answers(way: Way) -> None:
    async with await psycopg.AsyncConnection.connect(way.dsn(), autocommit=True) as db:
        heard: list[str | None] = []
        db.add_notice_handler(lambda notice: heard.append(notice.message_primary))
        assert way.session.hold is not None
        way.session.hold.tell("PA-7 ends in 5 minutes.")
        await db.execute("select 1")
        assert heard == ["PA-7 ends in 5 minutes."]


async def test_psql_says_the_same_through_the_gateway_and_without(way: Way, postgres: Postgres) -> None:
    psql = postgres.psql
    script = (
        "\\set ON_ERROR_STOP off\n\\x auto\ncreate temp table t as select generate_series(1, 1000) n;\n"
        "select count(*), sum(n) from t;\nselect 1/0;\nbegin; savepoint a; select boom; rollback to a; commit;\n"
        "copy t to stdout;\n\\copy t from /dev/null\nselect 'ü€', null;\ndo $$ begin raise notice 'heard'; end $$;\n"
    )

    async def run(dsn: str) -> str:
        done = await asyncio.to_thread(
            subprocess.run, [psql, "-X", dsn], input=script, capture_output=True, text=True, timeout=60,
            env={**os.environ, "PGOPTIONS": "-c search_path=public"}, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr

    through, direct = await run(way.dsn()), await run(direct_dsn(postgres))
    assert through == direct
    assert "heard" in through
    assert "select 1/0;" in way.session.texts
