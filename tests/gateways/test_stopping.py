"""A statement is stopped whichever gateway is asked for it, behind a load balancer for instance."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from struct import pack

import psycopg
import pytest

from access.events import QueryRun
from access.sessions.model import Stop
from prodaccess.parts.postgres import Postgres
from tests.gateways.scene import POLICY, Scene, gateway
from tests.world import World


@pytest.fixture
async def two(tmp_path: Path, postgres: Postgres) -> AsyncIterator[tuple[Scene, Scene]]:
    """Two gateways over one store."""
    world = World(tmp_path, POLICY.format(host=postgres.host, port=postgres.port))
    one, other = (Scene(world, postgres, tmp_path / name) for name in ("one", "other"))
    async with gateway(one), gateway(other):
        yield one, other
    world.close()


async def balanced(*ports: int) -> asyncio.Server:
    """Hands each new connection to the next of these ports."""
    left = list(ports)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", left.pop(0))
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))

    return await asyncio.start_server(carry, "127.0.0.1", 0)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


async def test_a_cancel_that_another_gateway_is_asked_for_stops_what_runs(two: tuple[Scene, Scene]) -> None:
    one, other = two
    ticket = await one.ticket(*await one.granted())
    async with await balanced(one.port, other.port) as server:
        dsn = ticket.dsn(port=server.sockets[0].getsockname()[1])
        db = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
        running = asyncio.create_task(db.execute("select pg_sleep(60)"))
        while not one.desk.lives["PA-1-1"].hold.relay.talk.busy:  # type: ignore[union-attr] # noqa: ASYNC110
            await asyncio.sleep(0.05)
        await db.cancel_safe(timeout=30)
        with pytest.raises(psycopg.errors.QueryCanceled):
            await asyncio.wait_for(running, 40)
        assert await (await db.execute("select 1")).fetchone() == (1,), "once"
        await db.close()
    texts = {event.text: event.outcome for event in await one.told(QueryRun)}
    assert texts["select pg_sleep(60)"] == "57014"


async def test_a_cancel_with_a_key_that_nobody_has_leaves_no_trace(two: tuple[Scene, Scene]) -> None:
    one, other = two
    ticket = await one.ticket(*await one.granted())
    db = await psycopg.AsyncConnection.connect(ticket.dsn())
    for key in (b"", bytes(4), os.urandom(4), os.urandom(32)):
        reader, writer = await asyncio.open_connection("127.0.0.1", other.port)
        writer.write(pack(">III", 12 + len(key), 80877102, db.info.backend_pid) + key)
        assert await reader.read() == b""
        writer.close()
    _, stops = await one.world.store.sessions.orders(["PA-1-1"])
    assert stops == {}
    session = await one.world.store.sessions.session(1, 1)
    assert session is not None
    assert len(session.stop) == 64, "the key itself is in no row"
    assert await one.world.store.sessions.stoppable("") is None
    await db.close()


async def test_a_stop_counts_once_and_not_long_after(two: tuple[Scene, Scene]) -> None:
    one, _ = two
    ticket = await one.ticket(*await one.granted())
    db = await psycopg.AsyncConnection.connect(ticket.dsn(), autocommit=True)
    live, asked = one.desk.lives["PA-1-1"], list[int]()

    async def stop(pid: int) -> None:
        asked.append(pid)

    live.hold.stop = stop  # type: ignore[union-attr, method-assign]
    wanted = Stop("PA-1-1", 7, one.world.clock.now())
    for each in (wanted, wanted, replace(wanted, at=wanted.at - timedelta(seconds=1))):
        one.desk._stop(live, each)
    one.world.clock.pass_by(seconds=10)
    one.desk._stop(live, replace(wanted, at=wanted.at + timedelta(seconds=1)))
    await asyncio.sleep(0)
    assert asked == [7]
    await db.close()
