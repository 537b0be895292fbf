"""`watch`, and which sessions are listed, by the real command."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator

import pytest

from tests.api.serving import Api, serving
from tests.cli.shell import Shell, finished
from tests.recorded import closes, opens, ran, runs, with_gateway
from tests.world import World


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    async with serving(with_gateway(world)) as served:
        await world.opened()
        yield served


async def test_it_prints_what_happens_and_ends_with_the_session(shell: Shell) -> None:
    world = shell.api.world
    await shell.sign_in()
    session = await opens(world, client="psql\x1b[31m")
    await runs(world, ran(world, "drop table \x1b[2Jx", flags=("ddl",), rows=3, lasted=1200, outcome="42501"))
    process = await shell.start("watch", "pa-1-1")
    assert process.stdout is not None
    first = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
    assert "PA-1-1" in first
    assert "1.2 ms" in first
    assert "error 42501" in first
    assert "⚠ ddl: drop table \\x1b[2Jx" in first
    await closes(world, session, "the client\u202e closed it")
    ended = await finished(process)
    assert ended.code == 0, ended.err
    assert "closed: the client\\u{202e} closed it" in ended.out
    assert "Open: PA-1-1 (linus at orders-db). Ctrl-C ends the watch." in ended.err
    assert "PA-1-1 is over." in ended.err


async def test_for_programs_each_line_is_json_and_interrupting_it_is_quiet(shell: Shell) -> None:
    world = shell.api.world
    await shell.sign_in()
    process = await shell.start("watch", "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    assert b"No session is open." in await asyncio.wait_for(process.stderr.readline(), 20)
    await opens(world)
    await runs(world, ran(world, "select 1", "read table:orders"))
    lines = [json.loads(await asyncio.wait_for(process.stdout.readline(), 20)) for _ in range(2)]
    assert [fact["kind"] for fact in lines] == ["session.opened", "db.query"]
    assert lines[1]["facts"]["text"] == "select 1"
    process.send_signal(signal.SIGINT)
    ended = await finished(process)
    assert (ended.code, ended.out, ended.err) == (130, "", "")


async def test_sessions_are_listed_by_person_target_and_whether_they_are_open(shell: Shell) -> None:
    world = shell.api.world
    await shell.sign_in()
    await closes(world, await opens(world))
    await opens(world, 2)

    async def listed(*words: str) -> list[str]:
        return [session["id"] for session in (await shell.run("sessions", "PA-1", "--json", *words)).json]

    assert await listed("--of", "LINUS", "--target", "orders-db") == ["PA-1-1", "PA-1-2"]
    assert await listed("--open", "--target", "ORDERS-DB") == ["PA-1-2"]
