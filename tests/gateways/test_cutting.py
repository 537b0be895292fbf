"""What is over is over: at the database too, while it was being begun, and while nobody answers."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from access.errors import Unavailable
from access.events import CredentialIssued, QueryRun, SessionClosed
from access.ports import Change
from gateways.live import LEFT
from gateways.postgres import messages as m
from gateways.postgres.relay import Relay
from gateways.postgres.side import Side
from gateways.postgres.statements import FULL, OPAQUE, understand
from prodaccess.parts.postgres import Postgres
from tests.gateways.scene import POLICY, Scene, Ticket, gateway
from tests.people import ADA, LINUS
from tests.world import World


class Hanging:
    """A store that never answers a look."""

    def __init__(self, scene: Scene) -> None:
        self._store, self.asked = scene.world.store, asyncio.Event()
        scene.desk.store = self  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def grants_by_number(self, _: object) -> object:
        self.asked.set()
        return await asyncio.Event().wait()


async def connected(ticket: Ticket) -> psycopg.AsyncConnection[Any]:
    return await psycopg.AsyncConnection.connect(ticket.dsn(), autocommit=True)


async def running(postgres: Postgres, text: str) -> bool:
    find = f"SELECT 1 FROM pg_stat_activity WHERE query LIKE '%, ''{text}%' AND state = 'active'"
    return bool(await asyncio.to_thread(postgres.execute, find))


async def test_the_deadline_is_held_while_the_database_of_the_house_hangs(scene: Scene) -> None:
    ticket = await scene.ticket(*await scene.granted())
    db = await connected(ticket)
    hanging = Hanging(scene)
    await asyncio.wait_for(hanging.asked.wait(), 30)
    scene.world.clock.pass_by(minutes=60)
    with pytest.raises(psycopg.OperationalError, match=r"PA-1 has reached its end\."):
        await asyncio.wait_for(db.execute("select pg_sleep(60)"), 40)
    await db.close()


async def test_what_was_sent_ahead_is_not_run_once_the_session_is_cut(scene: Scene, postgres: Postgres) -> None:
    """A cancel stops one statement; the next one may be in the database's hands already."""
    ticket = await scene.ticket(*await scene.granted())
    db = await connected(ticket)
    ahead = b"".join(b"Q" + (len(text) + 5).to_bytes(4, "big") + text + b"\0" for text in _AHEAD)
    with open(db.fileno(), "wb", buffering=0, closefd=False) as raw:  # noqa: ASYNC230 (a socket)
        raw.write(ahead)
    while not await running(postgres, "the first"):  # noqa: ASYNC110 (another process's doing)
        await asyncio.sleep(0.05)
    session = await scene.world.store.sessions.session(1, 1)
    assert session is not None
    await scene.cutting.cut(session, ADA)
    await scene.told(SessionClosed)
    while await running(postgres, "the first"):  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    for _ in range(5):  # it would begin at once, and run for a minute
        assert not await running(postgres, "the second")
        await asyncio.sleep(0.05)
    await db.close()


_AHEAD = (b"select pg_sleep(60), 'the first of two'", b"select pg_sleep(60), 'the second of two'")


async def test_a_credential_does_not_outlive_its_grant_in_memory(scene: Scene) -> None:
    ticket = await scene.ticket(*await scene.granted())
    await (await connected(ticket)).close()
    await scene.told(SessionClosed)
    assert scene.desk.admission.held == {1}
    await scene.world.broker.end(1, LINUS)
    async with asyncio.timeout(30):
        while scene.desk.admission.held:  # noqa: ASYNC110 (the desk's doing)
            await asyncio.sleep(0.05)


async def test_a_sign_in_that_has_run_out_takes_the_passes_along(scene: Scene) -> None:
    grant, device = await scene.granted()
    ticket = await scene.ticket(grant, device)
    await (await connected(ticket)).close()
    ends = scene.world.clock.now() + timedelta(minutes=1)
    await scene.world.store.commit(Change(devices=(replace(device, expires_at=ends),)))
    scene.world.clock.pass_by(minutes=1)
    with pytest.raises(psycopg.OperationalError, match="signed out"):
        await connected(ticket)
    assert len(await scene.events(CredentialIssued)) == 1


async def test_who_was_ended_while_the_database_was_being_reached_gets_no_byte_through(scene: Scene) -> None:
    """The target lets the gateway in only after the grant is over."""
    ticket = await scene.ticket(*await scene.granted())
    began = scene.desk.begun

    def late(*given: Any) -> None:
        scene.world.clock.pass_by(minutes=60)
        began(*given)

    scene.desk.begun = late  # type: ignore[method-assign]
    with pytest.raises(psycopg.OperationalError, match=r"PA-1 has reached its end\."):
        await connected(ticket)
    (closed,) = await scene.told(SessionClosed)
    assert (closed.actions, closed.why) == (0, "PA-1 has reached its end.")


async def test_a_place_that_cannot_be_dialled_closes_the_session(tmp_path: Path, postgres: Postgres) -> None:
    world = World(tmp_path, POLICY.format(host="127.0.0.1", port="the usual one"))
    async with gateway(Scene(world, postgres, tmp_path / "recordings")) as scene:
        ticket = await scene.ticket(*await scene.granted())
        with pytest.raises(psycopg.OperationalError):
            await connected(ticket)
        (closed,) = await scene.told(SessionClosed)
        assert "port" in closed.why
    world.close()


async def test_a_cut_takes_the_connection_from_the_database_at_once() -> None:
    """Closed in order, it would go on with what it had been sent, until it next looks; the client hears why."""
    said: asyncio.Queue[object] = asyncio.Queue()

    async def far(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            said.put_nowait(await reader.read())
        except ConnectionResetError as error:
            said.put_nowait(type(error))
        writer.close()

    async def dialled() -> Side:
        _, side = await asyncio.get_running_loop().create_connection(Side, *server.sockets[0].getsockname())
        return side

    async with await asyncio.start_server(far, "127.0.0.1", 0) as server:
        client, database, ended = await dialled(), await dialled(), list[str]()
        relay = Relay(client, database, _Nothing(), ended.append)
        relay.start()
        relay.end("cut", m.error("57P01", "cut"))
        async with asyncio.timeout(30):
            heard = {await said.get(), await said.get()}
    assert heard == {ConnectionResetError, m.error("57P01", "cut")}
    assert ended == ["cut"]


class _Nothing:
    def asked(self, acts: object) -> None: ...

    def answered(self, acts: object) -> None: ...


async def test_what_the_greeting_sets_is_kept_where_it_changes_what_names_stand_for(scene: Scene) -> None:
    ticket = await scene.ticket(*await scene.granted())
    options = "-c search_path=hidden,public -c statement_timeout=9999"
    async with await psycopg.AsyncConnection.connect(ticket.dsn(options=options), autocommit=True) as db:
        await db.execute("select 1")
    closed = (await scene.told(SessionClosed))[0]
    texts = [event.text for event in await scene.events(QueryRun)]
    assert texts == ["SET search_path = hidden,public -- with the greeting", "select 1"]
    assert closed.actions == 2


def test_a_quote_that_may_or_may_not_end_its_string_leaves_nothing_certain() -> None:
    """With standard_conforming_strings off, this reads a table."""
    assert understand("select '\\'\n' , (select n from secret) --'").coverage == OPAQUE
    assert understand("select 'plain'").coverage == FULL


class Mute:
    """A store that does what it is told, and whose answer to the next commits gets lost."""

    def __init__(self, scene: Scene) -> None:
        self._store, self.left = scene.world.store, 0
        scene.desk.telling.store = self  # type: ignore[assignment]

    async def commit(self, change: Change) -> object:
        receipt = await self._store.commit(change)
        if self.left:
            self.left -= 1
            raise Unavailable("The database did not answer.")
        return receipt


async def test_a_commit_whose_answer_was_lost_is_neither_repeated_nor_somebody_elses(scene: Scene) -> None:
    ticket = await scene.ticket(*await scene.granted())
    mute = Mute(scene)
    db = await connected(ticket)
    mute.left = 1
    await db.execute("select 'one'")
    async with asyncio.timeout(30):
        while mute.left:  # noqa: ASYNC110 (the desk's doing)
            await asyncio.sleep(0.02)
    await db.execute("select 'two'")
    while len(await scene.events(QueryRun)) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    mute.left = 1
    await db.close()
    (closed,) = await scene.told(SessionClosed)
    assert [event.text for event in await scene.events(QueryRun)] == ["select 'one'", "select 'two'"]
    assert (closed.why, closed.actions) == (LEFT, 2)
    async with asyncio.timeout(30):
        while scene.desk.lives:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert len(await scene.events(SessionClosed)) == 1
