"""Ends at their exact moment: read ahead unchanged, begun together, ended provider by provider, alarms once each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from access.events import GrantEnding, RevocationFailed
from access.model import Cause, GrantState
from access.ports import Change
from access.revoking.pools import Pool
from access.revoking.recorder import Result
from access.sweeper import Sweeper
from access.tasks import Tasks
from tests.people import LINUS
from tests.world import World


class Counting:
    """The store, and how many endings each of its transactions held."""

    def __init__(self, store: Any) -> None:
        self.each: list[int] = []
        self._store = store

    async def commit_each(self, changes: Sequence[Change], *, wait: bool = True) -> tuple[bool, ...]:
        if not wait:
            self.each.append(len(changes))
        stood: tuple[bool, ...] = await self._store.commit_each(changes, wait=wait)
        return stood

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def count(world: World) -> Counting:
    counting = Counting(world.store)
    object.__setattr__(world.endings.custody, "store", counting)
    return counting


async def test_all_that_are_due_begin_in_one_transaction(world: World) -> None:
    for _ in range(5):
        await world.opened()
    counting = count(world)
    world.clock.pass_by(hours=1)
    await world.sweep()
    assert counting.each == [5]
    assert {(await world.grant(n)).state for n in range(1, 6)} == {GrantState.REVOKED}


class Choking(Counting):
    """A store that cannot write one of the ends, and says so in a way that nobody expects."""

    async def commit_each(self, changes: Sequence[Change], *, wait: bool = True) -> tuple[bool, ...]:
        if any(change.grants[0].number == 2 for change in changes):
            raise ValueError("not a text")
        return await super().commit_each(changes, wait=wait)


async def test_an_end_that_cannot_be_written_holds_up_no_other(world: World) -> None:
    for _ in range(3):
        await world.opened()
    object.__setattr__(world.endings.custody, "store", Choking(world.store))
    world.clock.pass_by(hours=1)
    await world.sweep()
    states = [(await world.grant(n)).state for n in range(1, 4)]
    assert states == [GrantState.REVOKED, GrantState.ACTIVE, GrantState.REVOKED]
    object.__setattr__(world.endings.custody, "store", world.store)
    await world.sweep()  # the next look finds it again
    assert (await world.grant(2)).state is GrantState.REVOKED


async def test_reading_ahead_changes_nothing(world: World) -> None:
    await world.opened()
    world.clock.pass_by(minutes=59, seconds=59)
    await world.sweep()  # its warning
    before = await world.grant(1)
    await world.sweep()
    assert await world.grant(1) == before
    assert before.state is GrantState.ACTIVE


async def test_what_was_ended_by_hand_after_it_was_read_ahead_keeps_its_cause(world: World) -> None:
    grant = await world.opened()
    world.clock.time = grant.expires_at - timedelta(seconds=1)
    await world.sweep()  # its warning
    await world.sweeper.sweep()
    await world.endings.end(1, LINUS)
    world.clock.pass_by(seconds=1)
    await world.tasks.drain(timeout=30)
    ended = await world.grant(1)
    assert (ended.state, ended.cause) == (GrantState.REVOKED, Cause.REQUESTER)
    assert (await world.tags("PA-1")).count("grant.ending") == 1


async def test_a_pool_makes_no_more_calls_at_a_time_than_its_size() -> None:
    tasks = Tasks()
    pool, running, most = Pool(2, tasks, "p"), [], []

    async def job() -> None:
        running.append(1)
        most.append(len(running))
        await asyncio.sleep(0.01)
        running.pop()

    for _ in range(6):
        pool.add(job)
    await tasks.drain(timeout=30)
    assert (len(most), max(most)) == (6, 2)


async def test_people_are_called_once_at_each_alarm(world: World) -> None:
    await world.opened()
    world.provider.faults.stuck = 1000
    await world.endings.finish(1, Cause.DEADLINE)
    for _ in range(40):
        world.clock.pass_by(seconds=20)
        await world.sweep()
    told = [e.event for e in await world.store.log.entries_of("PA-1") if isinstance(e.event, RevocationFailed)]
    assert [event.escalated for event in told] == [False, True, True, True]
    ending = next(e.event for e in await world.store.log.entries_of("PA-1") if isinstance(e.event, GrantEnding))
    after = [(event.at - ending.at).total_seconds() for event in told]
    assert after[0] == 0
    assert 120 <= after[2] < 300 <= after[3] < 400
    world.provider.faults.stuck = 0
    world.clock.pass_by(seconds=61)
    await world.sweep()
    assert (await world.grant(1)).state is GrantState.REVOKED


async def test_a_job_that_fails_does_not_stop_the_others() -> None:
    tasks = Tasks()
    pool, done = Pool(1, tasks, "p"), []

    async def bad() -> None:
        raise ValueError("no")

    async def good() -> None:
        done.append(1)

    for job in (bad, good):
        pool.add(job)
    pool.add(good, first=True)
    await tasks.drain(timeout=30)
    assert done == [1, 1]


async def test_the_look_goes_on_when_the_database_was_away(world: World) -> None:
    await world.opened()
    world.clock.pass_by(hours=1)
    database = world.store.log.database
    database.transact(lambda tx: tx.exec_driver_sql("ALTER TABLE access_grant RENAME TO away"))
    sweeper = Sweeper(world.store, world.broker, world.clock, world.tasks)
    running = asyncio.ensure_future(sweeper.run())
    await asyncio.sleep(0.1)
    database.transact(lambda tx: tx.exec_driver_sql("ALTER TABLE away RENAME TO access_grant"))
    async with asyncio.timeout(20):
        while (await world.grant(1)).state is not GrantState.REVOKED:  # noqa: ASYNC110 (a look at the row)
            await asyncio.sleep(0.05)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_result_that_cannot_be_written_does_not_hold_up_the_others(world: World) -> None:
    for _ in range(2):
        await world.opened()
    told: list[bool] = []

    def impossible() -> Change:
        raise ValueError("no")

    recorder = world.endings.proving._recorder
    recorder.add(Result(impossible, told.append))
    await world.tasks.drain(timeout=30)
    world.clock.pass_by(hours=1)
    await world.sweep()
    assert told == [False]
    assert {(await world.grant(n)).state for n in (1, 2)} == {GrantState.REVOKED}
