"""What is over is over: at the database too, while it was being begun, and while nobody answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from access.events import CredentialIssued, SessionClosed
from prodaccess.parts.postgres import Postgres
from tests.gateways.scene import POLICY, Scene, Ticket, gateway
from tests.people import ADA, LINUS
from tests.world import World


@pytest.fixture
async def scene(tmp_path: Path, postgres: Postgres) -> AsyncIterator[Scene]:
    world = World(tmp_path, POLICY.format(host=postgres.host, port=postgres.port))
    async with gateway(Scene(world, postgres, tmp_path / "recordings")) as made:
        yield made
    world.close()


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


def running(postgres: Postgres, text: str) -> int:
    with psycopg.connect(postgres.dsn) as db:
        find = (
            "select count(*) from pg_stat_activity where query like %s and state = 'active' and pid <> pg_backend_pid()"
        )
        found = db.execute(find, (f"%{text}%",)).fetchone()
    assert found is not None
    return int(found[0])


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
    while not await asyncio.to_thread(running, postgres, "the first of two"):
        await asyncio.sleep(0.05)
    session = await scene.world.store.sessions.session(1, 1)
    assert session is not None
    await scene.cutting.cut(session, ADA)
    await scene.told(SessionClosed)
    while await asyncio.to_thread(running, postgres, "the first of two"):
        await asyncio.sleep(0.05)
    for _ in range(5):  # it would begin at once, and run for a minute
        assert not await asyncio.to_thread(running, postgres, "the second of two")
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
    scene.world.clock.pass_by(seconds=(device.expires_at - scene.world.clock.now()).total_seconds())
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
