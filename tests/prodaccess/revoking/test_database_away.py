"""A real PostgreSQL stops, or stands still, across deadlines."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from prodaccess.clock import SystemClock
from store import open_store
from tests.people import LEDGER
from tests.prodaccess.revoking.away import Leaving, Plan, over_an_outage


@pytest.fixture(scope="module")
def leaving() -> Iterator[Leaving]:
    with Leaving() as server:
        yield server


async def test_grants_end_while_postgresql_is_stopped(leaving: Leaving, tmp_path: Path) -> None:
    for tries in range(5):  # on a machine that stands still for seconds, all of them end before the outage
        directory = tmp_path / str(tries)
        directory.mkdir()
        away = await over_an_outage(directory, leaving, Plan(expiries=20, seconds=0.5, tolerance=2))
        if away.from_memory:
            break
    assert (away.left, away.unwritten, len(away.ended)) == (0, 0, 20)
    assert max(away.late) < away.outage  # none had to wait for the database
    assert away.from_memory > 0
    assert sum(event.happened_at is not None and event.tried for event in away.ended) > 0
    assert not [what for what in away.exceptions if "it says that everything was gone" not in what]
    assert away.verifies


async def test_what_was_acknowledged_outlives_a_server_that_answers_before_it_has_written(leaving: Leaving) -> None:
    assert leaving.execute("SHOW synchronous_commit") == [("off",)]
    leaving.execute("CREATE DATABASE kept")
    store = open_store(leaving.url("kept"), SystemClock(), LEDGER)
    try:
        await store.put_notes({"a": {"n": 1}})
        await asyncio.to_thread(leaving.leave)
        await asyncio.to_thread(leaving.come_back)
        assert await store.note("a") == {"n": 1}
    finally:
        store.close()


@pytest.mark.skipif(not os.environ.get("SOAK"), reason="the same once more, and longer")
async def test_grants_end_while_postgresql_stands_still(leaving: Leaving, tmp_path: Path) -> None:
    away = await over_an_outage(tmp_path, leaving, Plan(expiries=20, seconds=2, frozen=True))
    assert (away.left, away.unwritten, len(away.ended)) == (0, 0, 20)
    assert away.from_memory > 10
    assert max(away.late) < 2
    assert away.verifies
