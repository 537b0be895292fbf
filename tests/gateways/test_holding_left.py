"""What a gateway held when it was killed, and what it let run too late: nothing of it runs, and it is told so."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from access.errors import TooLate
from access.events import StatementRefused
from access.sessions.holding import GRACE, NOBODY, Left, refused
from access.sessions.model import POSTGRES, HeldState
from gateways.adopting import Adopting, Way
from gateways.postgres.tape import event_of, read_back
from tests.gateways.held import Away, Client, rows, run_of
from tests.people import ADA


async def test_what_a_gateway_that_was_killed_left_waiting_is_closed(client: Client) -> None:
    running = asyncio.create_task(client.db.execute("delete from held"))
    await client.held()
    left = Left(client.scene.world.broker.grants.custody, client.scene.world.store.sessions)
    await left.close()
    assert (await client.held()).state is HeldState.WAITING  # its gateway still has time to say how it ended
    client.scene.desk.holding.hold_deadlines = lambda: None  # type: ignore[method-assign]
    client.scene.world.clock.pass_by(minutes=3)
    await left.close()
    assert (await client.held()).state is HeldState.REFUSED
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await running


async def died(client: Client, running: asyncio.Task[Any]) -> None:
    """As `kill -9` leaves it: nothing is said of the session, nor of what waits in it."""
    (live,) = client.scene.desk.lives.values()
    async with client.scene.desk.telling._one:  # what was being told is told
        client.scene.desk.lives.clear()
    live.tape.recorder.abandon()
    live.hold.relay._work.cancel()  # type: ignore[union-attr]
    await asyncio.gather(running, return_exceptions=True)


def adopting(client: Client) -> Adopting:
    world = client.scene.world
    return Adopting(world.store, world.store.sessions, world.clock, {POSTGRES: Way(read_back, event_of)})


@pytest.mark.parametrize("is_let", [False, True])
async def test_what_a_killed_gateway_held_is_refused_by_whoever_adopts_its_sessions(
    client: Client, *, is_let: bool
) -> None:
    """Also where somebody lets it run in the time between: nobody is told for long that it ran."""
    running = asyncio.create_task(client.db.execute("delete from held"))
    await client.held()
    await died(client, running)
    if is_let:
        await client.deciding.decide("PA-1-1.2", ADA, allow=True)
        assert (await client.held()).standing is HeldState.ALLOWED
        assert await client.deciding.waiting(ADA) == ()
    await adopting(client).adopt(client.scene.shelf)
    held = await client.held()
    assert (held.state, held.by) == (HeldState.REFUSED, None)
    (refused,) = await client.scene.events(StatementRefused)
    assert (refused.held, refused.why, refused.by) == ("PA-1-1.2", NOBODY, None)
    with pytest.raises(TooLate, match="already refused"):
        await client.deciding.decide("PA-1-1.2", ADA, allow=True)
    assert await run_of(client.scene, "delete from held") is None


async def test_what_is_let_run_and_not_taken_up_is_refused_a_moment_later(client: Client) -> None:
    """Its gateway was killed, and nobody has its disk."""
    running = asyncio.create_task(client.db.execute("delete from held"))
    await client.held()
    await died(client, running)
    await client.deciding.decide("PA-1-1.2", ADA, allow=True)
    with pytest.raises(TooLate, match="already allowed by ada"):
        await client.deciding.decide("PA-1-1.2", ADA, allow=False)
    left = Left(client.scene.world.broker.grants.custody, client.scene.world.store.sessions)
    await left.close()
    assert (await client.held()).standing is HeldState.ALLOWED
    client.scene.world.clock.pass_by(seconds=GRACE.total_seconds() + 1)
    await left.close()
    assert (await client.held()).state is HeldState.REFUSED


async def test_what_nobody_waits_for_any_more_is_not_run_by_a_gateway_that_was_slow(client: Client) -> None:
    """It was let run, found to be waited for by nobody, and only then did its gateway look."""
    running = asyncio.create_task(client.db.execute("delete from held"))
    held = await client.held()
    client.scene.desk.holding.sessions = Away()  # type: ignore[assignment]
    let = await client.deciding.decide("PA-1-1.2", ADA, allow=True)
    await client.scene.world.store.commit(refused(replace(let, version=2), NOBODY, client.scene.world.clock.now()))
    client.scene.desk.holding.sessions = client.scene.world.store.sessions
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=f"{held.id} was refused"):
        await running
    assert await rows(client) == 1


async def test_what_is_let_run_while_its_client_leaves_is_refused(client: Client) -> None:
    running = asyncio.create_task(client.db.execute("delete from held"))
    await client.held()
    client.scene.desk.holding.sessions = Away()  # type: ignore[assignment]
    await client.deciding.decide("PA-1-1.2", ADA, allow=True)
    client.scene.desk.holding.sessions = client.scene.world.store.sessions
    (live,) = client.scene.desk.lives.values()
    live.hold.relay.stop_waiting()  # type: ignore[union-attr]
    with pytest.raises(psycopg.errors.QueryCanceled):
        await running
    assert (await client.held()).state is HeldState.REFUSED
    assert await rows(client) == 1
