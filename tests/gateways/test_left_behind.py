"""What goes wrong: the gateway dies, the recorder fails, the log is away, the grant becomes longer."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from access.errors import AccessError, Unavailable
from access.events import QueryRun, SessionClosed, SessionOpened
from access.ports import Change
from access.requesting.extending import More
from access.sessions.ending import LOST_AFTER, Lost
from access.sessions.model import POSTGRES
from gateways.adopting import CUT_OFF, Adopting, Way
from gateways.postgres.tape import event_of, read_back
from gateways.recordings import free_shelves
from gateways.telling import GRACE
from prodaccess.parts.part import free_port
from prodaccess.parts.postgres import Postgres
from tests.gateways.scene import DATABASE, POLICY, Scene, gateway
from tests.people import ADA, LINUS
from tests.world import World


@pytest.fixture
def world(tmp_path: Path, postgres: Postgres) -> World:
    return World(tmp_path, POLICY.format(host=postgres.host, port=postgres.port))


@pytest.fixture
async def scene(tmp_path: Path, postgres: Postgres, world: World) -> AsyncIterator[Scene]:
    async with gateway(Scene(world, postgres, tmp_path / "recordings")) as made:
        yield made
    world.close()


class Away:
    """The store's way into the log, which is closed for a while."""

    def __init__(self, scene: Scene) -> None:
        self.store, self.is_away, self.refused = scene.world.store, False, 0
        scene.desk.telling.store = self  # type: ignore[assignment]

    async def commit(self, change: Change) -> object:
        if self.is_away:
            self.refused += 1
            raise Unavailable("The database does not answer.")
        return await self.store.commit(change)


async def test_a_gateway_that_died_leaves_nothing_unsaid(scene: Scene) -> None:
    ticket = await scene.ticket(*await scene.granted())
    away = Away(scene)
    async with await psycopg.AsyncConnection.connect(ticket.dsn(), autocommit=True) as db:
        await db.execute("select 'told'")
        await scene.told(QueryRun)
        away.is_away = True
        await db.execute("select 'not told'")
        running = asyncio.create_task(db.execute("select 'unanswered', pg_sleep(60)"))
        (live,) = scene.desk.lives.values()
        for _ in range(200):
            if live.hold is not None and live.hold.relay.talk.busy:  # type: ignore[attr-defined]
                break
            await asyncio.sleep(0.02)
        # As `kill -9` leaves it: what the process knew is gone, its lock is free, and the row says that it is open.
        scene.desk.lives.clear()
        live.tape.recorder.abandon()
        assert live.hold is not None
        await live.hold.cut("died")
        await asyncio.gather(running, return_exceptions=True)
    scene.world.clock.pass_by(hours=2)
    left = await scene.world.store.sessions.open_sessions(scene.shelf.name)
    assert [session.id for session in left] == ["PA-1-1"]
    adopting = Adopting(
        scene.world.store, scene.world.store.sessions, scene.world.clock, {POSTGRES: Way(read_back, event_of)}
    )
    await adopting.adopt(scene.shelf)
    await adopting.adopt(scene.shelf)  # once is enough
    told = [(event.text, event.outcome, event.late) for event in await scene.events(QueryRun)]
    assert told == [
        ("select 'told'", "ok", False),
        ("select 'not told'", "ok", True),
        ("select 'unanswered', pg_sleep(60)", "unknown", True),
    ]
    (closed,) = await scene.events(SessionClosed)
    assert (closed.why, closed.late, closed.actions) == (CUT_OFF, True, 3)


async def test_two_processes_never_share_a_shelf(scene: Scene) -> None:
    (free,) = free_shelves(scene.place, scene.shelf.key)
    assert free.path != scene.shelf.path
    name, path = free.name, free.path
    free.close()
    (again,) = free_shelves(scene.place, scene.shelf.key)  # and no further one
    assert (again.name, again.path) == (name, path)
    again.close()


async def test_a_recorder_that_fails_lets_nothing_pass(scene: Scene, postgres: Postgres) -> None:
    ticket = await scene.ticket(*await scene.granted())
    db = await psycopg.AsyncConnection.connect(ticket.dsn(), autocommit=True)
    await db.execute("select 1")
    (live,) = scene.desk.lives.values()
    os.dup2(os.open("/dev/full", os.O_WRONLY), live.tape.recorder._frames.file)
    with pytest.raises(psycopg.OperationalError, match="The recording cannot be written"):
        await db.execute("create table should_not_be_there (n int)")
    assert postgres.execute("select to_regclass('should_not_be_there')", DATABASE) == [(None,)]
    (closed,) = await scene.told(SessionClosed)
    assert closed.why.startswith("The recording cannot be written")
    await db.close()


async def test_without_room_nobody_is_let_in(scene: Scene) -> None:
    ticket = await scene.ticket(*await scene.granted())
    scene.desk.shelf = replace(scene.shelf, least=1 << 62)
    with pytest.raises(psycopg.OperationalError, match="too little room"):
        await psycopg.AsyncConnection.connect(ticket.dsn())
    assert not await scene.events(SessionOpened)


async def test_a_log_that_is_away_ends_the_session_after_a_while(scene: Scene) -> None:
    ticket = await scene.ticket(*await scene.granted())
    away = Away(scene)
    db = await psycopg.AsyncConnection.connect(ticket.dsn(), autocommit=True)
    away.is_away = True
    await db.execute("select 'kept for the log'")
    (live,) = scene.desk.lives.values()
    for _ in range(200):
        if live.behind_since is not None:
            break
        await asyncio.sleep(0.05)
    assert live.behind_since is not None
    live.behind_since -= GRACE
    with pytest.raises(psycopg.OperationalError, match="audit log has not taken"):
        await db.execute("select pg_sleep(30)")
    away.is_away = False
    (closed,) = await scene.told(SessionClosed)
    assert "select 'kept for the log'" in [event.text for event in await scene.events(QueryRun)]
    assert closed.why.startswith("The audit log has not taken")
    await db.close()


async def test_an_extended_grant_wants_a_new_connection(scene: Scene) -> None:
    grant, device = await scene.granted()
    ticket = await scene.ticket(grant, device)
    db = await psycopg.AsyncConnection.connect(ticket.dsn(), autocommit=True)
    more = await scene.world.broker.extend(1, LINUS, More(timedelta(hours=1), "still stuck", "k" * 16))
    await scene.world.broker.approve(more.id, ADA, more.digest)
    async with await psycopg.AsyncConnection.connect(ticket.dsn(), autocommit=True) as newer:
        for _ in range(100):
            if next(iter(scene.desk.lives.values())).goes_on:
                break
            await asyncio.sleep(0.05)
        scene.world.clock.pass_by(minutes=60)
        with pytest.raises(psycopg.OperationalError, match=r"Connect again\."):
            await db.execute("select pg_sleep(30)")
        assert await (await newer.execute("select 1")).fetchone() == (1,)
    await db.close()


async def test_who_may_no_longer_have_it_gets_no_further_connection(scene: Scene) -> None:
    ticket = await scene.ticket(*await scene.granted())
    async with await psycopg.AsyncConnection.connect(ticket.dsn()):
        scene.world.clock.pass_by(seconds=6)  # what was known holds for five
        scene.world.people.gone.add(LINUS.id)
        with pytest.raises(psycopg.OperationalError, match="deactivated"):
            await psycopg.AsyncConnection.connect(ticket.dsn())


async def test_who_signs_out_takes_the_passes_along(scene: Scene) -> None:
    grant, device = await scene.granted()
    ticket = await scene.ticket(grant, device)
    await scene.world.sign_ins.sign_out(device.id, LINUS)
    with pytest.raises(psycopg.OperationalError, match="signed out"):
        await psycopg.AsyncConnection.connect(ticket.dsn())


async def test_another_database_is_not_what_was_granted(scene: Scene) -> None:
    ticket = await scene.ticket(*await scene.granted())
    with pytest.raises(psycopg.OperationalError, match="PA-1 is for the database recorded"):
        await psycopg.AsyncConnection.connect(ticket.dsn(dbname="template1"))
    (closed,) = await scene.told(SessionClosed)
    assert closed.actions == 0


async def test_sessions_of_a_gateway_that_never_came_back_are_closed_with_their_grant(scene: Scene) -> None:
    ticket = await scene.ticket(*await scene.granted())
    async with await psycopg.AsyncConnection.connect(ticket.dsn()):
        live = next(iter(scene.desk.lives.values()))
        scene.desk.lives.clear()  # nobody minds it any more
        lost = Lost(scene.world.grants.custody, scene.world.store.sessions)
        await scene.world.broker.end(1, LINUS)
        await lost.close()
        assert not await scene.events(SessionClosed)
        scene.world.clock.pass_by(seconds=LOST_AFTER.total_seconds() + 1)
        await lost.close()
        (closed,) = await scene.events(SessionClosed)
        assert closed.late
        live.tape.recorder.abandon()


async def test_a_pass_is_given_for_a_proof_of_the_right_shape_alone(scene: Scene) -> None:
    _, device = await scene.granted()
    for proof in ("", "secret", "SCRAM-SHA-256$1:AAAA$BBBB:CCCC", f"md5{'0' * 32}"):
        with pytest.raises(AccessError, match="not one that this gateway understands"):
            await scene.passes.give(1, device, "postgres", proof)


async def test_a_database_that_is_not_there_is_said_and_closes_the_session(tmp_path: Path, postgres: Postgres) -> None:
    world = World(tmp_path, POLICY.format(host="127.0.0.1", port=free_port()))
    async with gateway(Scene(world, postgres, tmp_path / "recordings")) as scene:
        ticket = await scene.ticket(*await scene.granted())
        with pytest.raises(psycopg.OperationalError, match="cannot be reached from the gateway"):
            await psycopg.AsyncConnection.connect(ticket.dsn())
        (closed,) = await scene.told(SessionClosed)
        assert closed.why.startswith("the database was not reached")
    world.close()
