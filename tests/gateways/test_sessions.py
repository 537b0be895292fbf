"""A session from its pass to its last entry: real clients, a real server, the real store."""

from __future__ import annotations

import asyncio
import time

import psycopg
import pytest

from access.errors import Refused
from access.events import (
    CredentialIssued,
    GrantEnded,
    QueryRun,
    SessionClosed,
    SessionOpened,
    SessionRecorded,
)
from tests.gateways.scene import Scene
from tests.people import ADA


async def test_a_pass_lets_tools_in_and_all_they_do_is_in_the_log(scene: Scene) -> None:
    grant, device = await scene.granted()
    ticket = await scene.ticket(grant, device)
    async with (
        await psycopg.AsyncConnection.connect(ticket.dsn(application_name="dbeaver")) as one,
        await psycopg.AsyncConnection.connect(ticket.dsn()) as two,
    ):
        name = await (await one.execute("select current_user, current_setting('application_name')")).fetchone()
        await two.execute("select %s::text", ("x'y",))
        with pytest.raises(psycopg.errors.UndefinedTable):
            await two.execute("select * from public.nowhere")
    assert name is not None
    await scene.told(SessionClosed)
    opened = await scene.events(SessionOpened)
    assert [event.session for event in opened] == ["PA-1-1", "PA-1-2"]
    assert opened[0].client == "dbeaver"
    assert name == (opened[0].public_id, "PA-1-1 dbeaver")
    assert len(await scene.events(CredentialIssued)) == 1  # both connections use it
    queries = {event.text: event for event in await scene.told(QueryRun)}
    assert queries["select $1::text"].values == '["x\'y"]'
    assert queries["select $1::text"].rows == 1
    assert queries["select * from public.nowhere"].outcome == "42P01"
    assert queries["select * from public.nowhere"].touches == ("read table:public.nowhere",)


async def test_the_recording_is_bound_to_the_log(scene: Scene) -> None:
    ticket = await scene.ticket(*await scene.granted())
    async with await psycopg.AsyncConnection.connect(ticket.dsn()) as db:
        await db.execute("select 1")
        await scene.told(SessionRecorded)
    (closed,) = await scene.told(SessionClosed)
    (session,) = await scene.world.store.sessions.sessions_of(1)
    hashes = [found.hex() for found in scene.shelf.read(session).hashes()]
    assert closed.recording == hashes[-1]
    assert closed.actions == len(await scene.events(QueryRun))
    assert all(event.recording in hashes for event in await scene.events(SessionRecorded))
    assert b"select 1" not in scene.shelf.file(session).read_bytes()


async def test_nobody_gets_a_credential_for_what_is_used_through_a_gateway(scene: Scene) -> None:
    _, device = await scene.granted()
    with pytest.raises(Refused, match="prodaccess connect PA-1"):
        await scene.world.grants.collect(1, device)
    grant, device = await scene.granted(role="write")
    with pytest.raises(Refused, match="prodaccess run PA-2"):
        await scene.ticket(grant, device)


async def test_a_grant_that_ends_cuts_its_sessions_before_its_credential_is_revoked(scene: Scene) -> None:
    ticket = await scene.ticket(*await scene.granted())
    db = await psycopg.AsyncConnection.connect(ticket.dsn())
    since = time.monotonic()
    ended = asyncio.create_task(scene.world.broker.end(1, ADA))
    with pytest.raises(psycopg.OperationalError, match=r"PA-1 has ended\."):
        await db.execute("select pg_sleep(30)")
    assert time.monotonic() - since < 10
    await ended
    await db.close()
    tags = await scene.world.tags("PA-1")
    assert tags.index("grant.ending") < tags.index("session.closed") < tags.index("grant.ended")
    (over,) = await scene.told(GrantEnded)
    assert over.credentials == 1
    with pytest.raises(psycopg.OperationalError):
        await psycopg.AsyncConnection.connect(ticket.dsn())


async def test_the_deadline_is_held_by_the_clock_alone(scene: Scene) -> None:
    ticket = await scene.ticket(*await scene.granted())
    db = await psycopg.AsyncConnection.connect(ticket.dsn())
    heard: list[str | None] = []
    db.add_notice_handler(lambda notice: heard.append(notice.message_primary))
    scene.world.clock.pass_by(minutes=57)
    for _ in range(100):
        await db.execute("select 1")
        if heard:
            break
        await asyncio.sleep(0.05)
    assert heard == ["PA-1 ends at 15:00 UTC, in 3 minutes. More time: prodaccess extend PA-1 30m"]
    scene.world.clock.pass_by(minutes=3)  # nobody sweeps here
    with pytest.raises(psycopg.OperationalError, match=r"PA-1 has reached its end\."):
        await db.execute("select pg_sleep(30)")
    (closed,) = await scene.told(SessionClosed)
    assert closed.why == "PA-1 has reached its end."
    await db.close()


async def test_a_cut_ends_one_session_and_its_pass(scene: Scene) -> None:
    grant, device = await scene.granted()
    one, other = await scene.ticket(grant, device), await scene.ticket(grant, device)
    db = await psycopg.AsyncConnection.connect(one.dsn())
    kept = await psycopg.AsyncConnection.connect(other.dsn())
    session = await scene.world.store.sessions.session(1, 1)
    assert session is not None
    await scene.cutting.cut(session, ADA)
    with pytest.raises(psycopg.OperationalError, match="ada has ended this session"):
        await db.execute("select pg_sleep(30)")
    with pytest.raises(psycopg.OperationalError, match="No pass of that name"):
        await psycopg.AsyncConnection.connect(one.dsn())
    assert await (await kept.execute("select 1")).fetchone() == (1,)
    await kept.close()
    await db.close()
