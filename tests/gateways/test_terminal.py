"""`connect`, `sessions`, `replay` and `kill`, by the real command, through the real api, the gateway and its TLS."""

from __future__ import annotations

import asyncio
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from access.events import AuditSearched, PassGiven, SessionCut
from prodaccess.parts.postgres import Postgres
from tests.api.serving import serving
from tests.cli.shell import Shell, finished
from tests.gateways.scene import POLICY, Scene, gateway
from tests.people import ADA, GRACE, MARGARET
from tests.world import World


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory that lives in memory."""
    made = Path(tempfile.mkdtemp(prefix="prodaccess-test-", dir="/dev/shm"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
async def shell(tmp_path: Path, memory: Path, postgres: Postgres) -> AsyncIterator[Shell]:
    world = World(tmp_path, POLICY.format(host=postgres.host, port=postgres.port))
    async with gateway(Scene(world, postgres, tmp_path / "recordings"), tls=True), serving(world) as api:
        made = Shell(api, tmp_path, memory)
        await made.sign_in()
        yield made
    world.close()


#: what takes everything from libpq's variables; the packaged psql knows no TLS
_CLIENT = """
import sys, psycopg
with psycopg.connect("", autocommit=True) as db:
    for text in sys.argv[1:]:
        try:
            print(db.execute(text).fetchone()[0])
        except psycopg.Error as error:
            sys.exit(str(error))
"""
CLIENT = (sys.executable, "-c", _CLIENT)


async def test_from_the_ask_to_the_replay(shell: Shell) -> None:
    """The password is made here, TLS is checked, and what was done can be looked at by those who may."""
    asked, request = await shell.asking(
        "orders-db", "1h", "OPS-1", "refunds stuck", "--", *CLIENT, "select 6 * 7", "select 1/0"
    )
    await shell.api.world.broker.approve(request.id, ADA, request.digest)
    ran = await finished(asked)
    assert ran.out == "42\n", ran.err
    assert "division by zero" in ran.err
    (given,) = [e.event for e in await shell.api.world.store.log.entries_of("PA-1", {PassGiven.TAG})]
    assert given.name.startswith("PA-1.")  # type: ignore[attr-defined]
    while (await shell.api.world.store.sessions.tally(1))[0]:  # noqa: ASYNC110 (the gateway's doing)
        await asyncio.sleep(0.05)
    listed = (await shell.run("sessions", "PA-1", "--json")).json
    assert [(session["id"], session["client"], session["actions"]) for session in listed] == [("PA-1-1", "PA-1", 2)]
    shown = await shell.run("replay", "PA-1-1")
    assert shown.code == 0, shown.err
    assert "select 6 * 7" in shown.out
    assert "error 22012" in shown.out
    assert "2 statements, 1 failed." in shown.out
    only = await shell.run("replay", "PA-1-1", "--only", "errors", "--full")
    assert "select 6 * 7" not in only.out
    assert "select 1/0" in only.out
    looks = [e.event for e in await shell.api.world.store.log.entries(-1, 500) if isinstance(e.event, AuditSearched)]
    assert [look.query for look in looks] == ["replay session:PA-1-1"] * 2


async def test_what_a_graphical_tool_needs_and_the_other_way_is_named(shell: Shell) -> None:
    await shell.api.world.opened(approver=ADA)
    url = (await shell.run("connect", "PA-1", "--show", "--format", "url")).out.strip()
    async with await psycopg.AsyncConnection.connect(url) as db:
        assert await (await db.execute("select 1")).fetchone() == (1,)
    wrong = url.replace("sslmode=verify-full", "sslmode=disable")
    with pytest.raises(psycopg.OperationalError, match="wants TLS"):
        await psycopg.AsyncConnection.connect(wrong)
    refused = await shell.run("run", "PA-1", "--", "true")
    assert (refused.code, "prodaccess connect PA-1" in refused.err) == (1, True)
    await shell.api.world.opened(approver=ADA, role="write")
    refused = await shell.run("connect", "PA-2", "--", "true")
    assert (refused.code, "prodaccess run PA-2" in refused.err) == (1, True)


async def test_somebody_else_neither_sees_nor_ends_it_and_an_admin_does(
    shell: Shell, tmp_path_factory: pytest.TempPathFactory, memory: Path
) -> None:
    await shell.api.world.opened(approver=ADA)
    working = await shell.start("connect", "PA-1", "--", *CLIENT, "select pg_sleep(60)")
    while not await shell.api.world.store.sessions.sessions_of(1):  # noqa: ASYNC110 (another process's doing)
        await asyncio.sleep(0.05)
    (memory / "other").mkdir(mode=0o700)
    other = Shell(shell.api, tmp_path_factory.mktemp("other"), memory / "other")
    await other.sign_in(GRACE)
    for words in (("replay", "PA-1-1"), ("kill", "PA-1-1")):
        assert (await other.run(*words)).code == 2, words
    assert (await other.run("sessions")).out == "There are none.\n"
    await other.sign_in(MARGARET)
    assert "PA-1-1" in (await other.run("sessions")).out
    assert (await other.run("kill", "PA-1-1")).out == "PA-1-1 of linus at orders-db is being ended.\n"
    ended = await asyncio.wait_for(finished(working), 20)
    assert "margaret has ended this session." in ended.err
    (cut,) = [e.event for e in await shell.api.world.store.log.entries_of("PA-1", {SessionCut.TAG})]
    assert cut.by == MARGARET
