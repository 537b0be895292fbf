"""Somebody sets the wall clock while a grant runs: it is not held up by it, and it never lives longer."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from access.errors import TooLate, Unavailable
from access.model import Grant, GrantState
from prodaccess.clock import SystemClock, wall_time
from tests.proving.life import Living


class Wall:
    """The machine's time, moved."""

    def __init__(self) -> None:
        self.moved = timedelta(0)

    def __call__(self) -> datetime:
        return wall_time() + self.moved


@pytest.mark.parametrize(("hours", "runs"), [(-1, timedelta(seconds=2)), (1, timedelta(minutes=30))])
async def test_a_wall_clock_that_jumps(tmp_path: Path, hours: int, runs: timedelta) -> None:
    wall = Wall()
    world = Living(tmp_path, SystemClock(wall))
    running = world.tasks.start(world.sweeper.run(), "sweep")
    grant = await _in_use(world, runs)
    began, ends_at = time.monotonic(), grant.expires_at - world.clock.now()
    wall.moved = timedelta(hours=hours)
    async with asyncio.timeout(100):
        while not await _is_over(world, grant.number):  # noqa: ASYNC110 (a look at the row)
            await asyncio.sleep(0.02)
    assert not world.far_side.accounts
    if hours < 0:  # not before its time, either
        assert time.monotonic() - began > ends_at.total_seconds() - 0.2
    running.cancel()
    await world.tasks.drain(timeout=30)
    world.close()


async def _in_use(world: Living, runs: timedelta) -> Grant:
    """Opened and collected; on a busy machine not at the first try, and then for longer."""
    while True:
        grant = await world.opened(duration=runs)
        with suppress(TooLate):
            await world.grants.collect(grant.number, await world.device())
            if world.provider.live():
                return grant
        runs *= 2


async def _is_over(world: Living, number: int) -> bool:
    with suppress(Unavailable):
        return (await world.grant(number)).state is GrantState.REVOKED
    return False
