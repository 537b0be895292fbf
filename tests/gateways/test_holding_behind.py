"""What a client sends on behind a statement that waits: held back, in order, and no way around the waiting."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from access.events import StatementRefused
from gateways.postgres.holding import MOST_BEHIND
from tests.gateways.held import Client, rows, until
from tests.people import ADA

COUNT, PAD = 200, "x" * 8_000  # together more than a megabyte


async def sends(client: Client) -> None:
    async with client.db.pipeline():
        await client.db.execute("delete from held")
        for n in range(COUNT):
            await client.db.execute(f"insert into held values ({n}) /* {PAD} */")


async def waits(client: Client) -> tuple[asyncio.Task[None], Any]:
    """The task that sends, and the relay, once that reads no more of it."""
    running = asyncio.create_task(sends(client))
    await client.held()
    (live,) = client.scene.desk.lives.values()
    relay: Any = live.hold.relay  # type: ignore[union-attr]
    assert await until(lambda: _true(lambda: len(relay._behind) > MOST_BEHIND))
    await asyncio.sleep(0.2)
    assert len(relay._behind) < MOST_BEHIND + (512 << 10), "no more is read than what a read or two bring"
    assert not running.done()
    return running, relay


async def _true(look: Callable[[], bool]) -> bool | None:
    return look() or None


async def test_all_of_it_runs_in_order_once_it_is_let(client: Client) -> None:
    running, _ = await waits(client)
    await client.deciding.decide("PA-1-1.2", ADA, allow=True)
    await running
    found = await (await client.db.execute("select array_agg(n order by ctid) from held")).fetchone()
    assert found == (list(range(COUNT)),)


async def test_a_cancel_reaches_it_past_all_that(client: Client) -> None:
    running, _ = await waits(client)
    await client.db.cancel_safe()
    with pytest.raises(psycopg.errors.QueryCanceled):
        await running
    assert (await client.scene.events(StatementRefused))[-1].why == "canceling statement due to user request"
    assert await rows(client) == 1  # as after any error, the rest of its batch is skipped


async def test_a_client_that_leaves_behind_it_is_noticed(client: Client) -> None:
    running, relay = await waits(client)
    client.db.pgconn.finish()
    await asyncio.gather(running, return_exceptions=True)
    refused = await client.scene.told(StatementRefused)
    assert refused[-1].why == "Its session has ended."
    assert await until(lambda: _true(lambda: relay._over))
