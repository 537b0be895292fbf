"""A policy that is loaded while sessions run: what it holds waits in them from then on, or they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest

from access.events import SessionClosed
from access.sessions.model import HeldState
from prodaccess.parts.postgres import Postgres
from prodaccess.policies.file import parse_policy
from tests.gateways.held import HOLDING, Client, holding, rows
from tests.gateways.scene import POLICY, Scene, standing
from tests.people import ADA

FEWER = HOLDING.replace("[ddl, write-without-where, opaque]", "[ddl]")


@pytest.fixture
async def fewer(tmp_path: Path, postgres: Postgres) -> AsyncIterator[Client]:
    """Of one under a policy that holds less."""
    async with standing(FEWER, postgres, tmp_path) as made, holding(made) as found:
        yield found


async def load(scene: Scene, policy: str) -> None:
    """And wait until the desk has seen it."""
    scene.world.policies.policy = loaded = parse_policy(policy.format(host=scene.far.host, port=scene.far.port), "new")
    while any(live._policy is not loaded for live in scene.desk.lives.values()):  # noqa: ASYNC110 (an attribute)
        await asyncio.sleep(0.02)


async def test_what_is_held_from_now_on_waits_in_a_session_that_runs(fewer: Client) -> None:
    await fewer.db.execute("insert into held values (2)")
    assert (await fewer.db.execute("delete from held")).rowcount == 2
    await load(fewer.scene, HOLDING)
    running = asyncio.create_task(fewer.db.execute("delete from held"))
    held = await fewer.held()
    assert held.state is HeldState.WAITING
    await fewer.deciding.decide(held.id, ADA, allow=False)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await running


@pytest.mark.parametrize("later", [FEWER, POLICY, POLICY.replace("      read:", "      other:")])
async def test_what_it_holds_no_more_is_held_to_the_end_of_the_session(client: Client, later: str) -> None:
    await load(client.scene, later)
    running = asyncio.create_task(client.db.execute("delete from held"))
    held = await client.held()
    await client.deciding.decide(held.id, ADA, allow=False) if later is FEWER else await client.db.cancel_safe()
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.QueryCanceled)):
        await running
    assert await rows(client) == 1


async def test_a_session_that_can_hold_nothing_ends_when_something_is_to_be_held(scene: Scene) -> None:
    ticket = await scene.ticket(*await scene.granted())
    async with await psycopg.AsyncConnection.connect(ticket.dsn(), autocommit=True) as db:
        await db.execute("select 1")
        await load(scene, POLICY.replace("max: 4h", "max: 3h"))
        await db.execute("select 2")
        await load(scene, HOLDING)
        with pytest.raises(psycopg.OperationalError, match=r"writes without a condition.* waits for approval now"):
            await db.execute("select pg_sleep(30)")
    (closed,) = await scene.told(SessionClosed)
    assert closed.why.endswith("Connect again.")
    async with await psycopg.AsyncConnection.connect(ticket.dsn(), autocommit=True) as again:
        await again.execute("select 1")
        assert all(live.watch.hold for live in scene.desk.lives.values())
