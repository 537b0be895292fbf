"""Somebody sets the wall clock while a grant runs: it is not held up by it, and it never lives longer."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from access.model import GrantState
from prodaccess.clock import SystemClock, wall_time
from tests.proving.life import Living

RUNS = timedelta(seconds=2)


class Wall:
    """The machine's time, moved."""

    def __init__(self) -> None:
        self.moved = timedelta(0)

    def __call__(self) -> datetime:
        return wall_time() + self.moved


@pytest.mark.parametrize(("hours", "earliest", "latest"), [(-1, 2.0, 4.0), (1, 0.0, 2.0)])
async def test_a_wall_clock_that_jumps(tmp_path: Path, hours: int, earliest: float, latest: float) -> None:
    wall = Wall()
    world = Living(tmp_path, SystemClock(wall))
    running = world.tasks.start(world.sweeper.run(), "sweep")
    grant = await world.opened(duration=RUNS)
    began = time.monotonic()
    await world.grants.collect(grant.number, await world.device())
    assert world.provider.live()
    wall.moved = timedelta(hours=hours)
    async with asyncio.timeout(30):
        while (await world.grant(grant.number)).state is not GrantState.REVOKED:  # noqa: ASYNC110 (a look at the row)
            await asyncio.sleep(0.02)
    took = time.monotonic() - began
    assert not world.far_side.accounts
    assert earliest - 0.2 <= took <= latest
    running.cancel()
    await world.tasks.drain(timeout=5)
    world.close()
