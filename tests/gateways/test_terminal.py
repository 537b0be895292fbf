"""`connect`, `sessions`, `replay` and `kill`, by the real command, through the real api, the gateway and its TLS."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from access.events import AuditSearched, PassGiven, SessionCut
from audit.payloads import KEY, PayloadKey
from prodaccess.gateways.passes import PassAuthority
from prodaccess.parts.postgres import Postgres
from tests.api.serving import serving
from tests.cli.shell import Shell, finished
from tests.gateways.scene import POLICY, Scene, gateway
from tests.people import ADA, GRACE, MARGARET
from tests.world import World


@pytest.fixture
async def shell(tmp_path: Path, memory: Path, postgres: Postgres) -> AsyncIterator[Shell]:
    world = World(tmp_path, POLICY.format(host=postgres.host, port=postgres.port))
    scene = Scene(world, postgres, tmp_path / "recordings", unbound=False)
    async with gateway(scene, tls=True), serving(world) as api:
        made = Shell(api, tmp_path, memory)
        await made.sign_in()
        yield made
    world.close()


#: what takes everything from libpq's variables
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
    """It leads through the command, for as long as that runs."""
    await shell.api.world.opened(approver=ADA)
    showing = await shell.start("connect", "PA-1", "--show", "--format", "url")
    assert showing.stdout is not None
    url = (await asyncio.wait_for(showing.stdout.readline(), 60)).decode().strip()
    async with await psycopg.AsyncConnection.connect(url) as db:
        assert await (await db.execute("select 1")).fetchone() == (1,)
    showing.terminate()
    assert (await finished(showing)).code == 128 + signal.SIGTERM
    with pytest.raises(psycopg.OperationalError, match="refused"):
        await psycopg.AsyncConnection.connect(url)
    assert "pass.ended" in await shell.api.world.tags("PA-1")
    unbound = await shell.run("connect", "PA-1", "--unbound", "--show")
    assert (unbound.code, "bound to a key" in unbound.err) == (1, True)
    refused = await shell.run("run", "PA-1", "--", "true")
    assert (refused.code, "prodaccess connect PA-1" in refused.err) == (1, True)
    await shell.api.world.opened(approver=ADA, role="write")
    refused = await shell.run("connect", "PA-2", "--", "true")
    assert (refused.code, "prodaccess run PA-2" in refused.err) == (1, True)


async def test_nobody_else_on_this_machine_reaches_the_gateway_with_it(shell: Shell) -> None:
    """The socket's directory is its owner's alone, and gone with the tool; no file has the key or the password."""
    await shell.api.world.opened(approver=ADA)
    looks = """
import os, socket, stat
place = os.environ["PGHOST"]
at = f"{place}/.s.PGSQL.5432"
print(place, *(oct(stat.S_IMODE(os.stat(one).st_mode)) for one in (place, at)), os.listdir(place))
print(open(os.environ["PGPASSFILE"]).read().split()[0].split(":")[-1])
if os.getuid() == 0:
    os.setuid(65534)
    try:
        socket.socket(socket.AF_UNIX).connect(at)
    except PermissionError:
        print("refused")
"""
    ran = await shell.run("connect", "PA-1", "--", sys.executable, "-c", looks)
    assert ran.code == 0, ran.err
    first, password, *others = ran.out.splitlines()
    place, *modes = first.split(" ", 3)
    assert others == (["refused"] if os.getuid() == 0 else [])
    assert modes == ["0o700", "0o600", "['.s.PGSQL.5432']"]
    assert not Path(place).exists()  # noqa: ASYNC240 (it is in memory)
    kept = "".join(path.read_text() for path in shell.runtime.rglob("*") if path.is_file())
    assert len(password) == 43
    assert password not in kept
    assert (await shell.api.world.tags("PA-1"))[-2:] == ["pass.given", "pass.ended"]


async def test_drivers_that_know_no_libpq_and_those_that_know_no_socket(shell: Shell, postgres: Postgres) -> None:
    pytest.importorskip("asyncpg")
    await shell.api.world.opened(approver=ADA)
    asks = (
        "import asyncio, asyncpg, os\n"
        "async def ask():\n"
        "    db = await asyncpg.connect()\n"
        "    print(os.environ['PGHOST'][:1], await db.fetchval('select 6 * 7'))\n"
        "    await asyncio.wait_for(db.close(), 4)\n"  # the gateway's goodbye arrives, too
        "asyncio.run(ask())"
    )
    ran = await shell.run("connect", "PA-1", "--", sys.executable, "-c", asks)
    assert (ran.code, ran.out) == (0, "/ 42\n"), ran.err
    words = ("-XAt", "-c", "\\echo :HOST", "-c", "select 40 + 2; select 1/0")
    psql = await shell.run("connect", "PA-1", "--tcp", "--", str(postgres.psql), *words)
    assert (psql.code, psql.out) == (1, "127.0.0.1\n42\n"), psql.err
    assert "division by zero" in psql.err


async def test_a_gateway_that_is_another_one_is_named_before_anything_is_started(shell: Shell) -> None:
    await shell.api.world.opened(approver=ADA)
    gateways = shell.api.world.gateways
    assert gateways is not None
    place = gateways.places["postgres"]
    gateways.places["postgres"] = replace(place, certificate=PassAuthority(PayloadKey(bytes(KEY))).certificate)
    ran = await shell.run("connect", "PA-1", "--", "echo", "started")
    gateways.places["postgres"] = replace(place, port=1)
    away = await shell.run("connect", "PA-1", "--", "echo", "started")
    assert (ran.code, ran.out, away.code, away.out) == (1, "", 5, "")
    assert "is not the one that the server told of" in ran.err
    assert "does not answer" in away.err


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
    assert (await other.run("sessions")).out.startswith("No recorded connection is open.")
    await other.sign_in(MARGARET)
    assert "PA-1-1" in (await other.run("sessions")).out
    assert (await other.run("kill", "PA-1-1")).out == "PA-1-1 of linus at orders-db is being ended.\n"
    ended = await asyncio.wait_for(finished(working), 20)
    assert "margaret has ended this session." in ended.err
    (cut,) = [e.event for e in await shell.api.world.store.log.entries_of("PA-1", {SessionCut.TAG})]
    assert cut.by == MARGARET
