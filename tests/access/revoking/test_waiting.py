"""Ends that wait for a provider: one that it proves wakes them all, and nobody knocks without end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from access.model import GrantState
from access.revoking.pools import Pool
from access.revoking.waiting import REST, Waiting
from access.tasks import Tasks
from tests.access.revoking.standing import Standing
from tests.world import World


class Told:
    """Whom it wakes, on a clock of the test's."""

    def __init__(self) -> None:
        self.time = 100.0
        self.woken: list[list[int]] = []
        self.busy: set[int] = set()
        self.waiting = Waiting(lambda: self.time)
        self.waiting.wake = self.note

    def note(self, numbers: Sequence[int]) -> Sequence[int]:
        free = [number for number in numbers if number not in self.busy]
        self.woken.append(sorted(free))
        return free

    def fails(self, *numbers: int, provider: str = "vault") -> None:
        for number in numbers:
            self.waiting.failed(provider, number, self.time)

    def proves(self, number: int, provider: str = "vault") -> None:
        self.time += 0.01
        self.waiting.proved(provider, number)


def test_the_first_end_that_is_proven_wakes_all_others_of_its_provider() -> None:
    told = Told()
    told.fails(1, 2, 3)
    told.fails(4, provider="aws")
    told.proves(2)
    assert told.woken == [[1, 3]]


def test_what_was_never_in_trouble_wakes_nobody() -> None:
    told = Told()
    told.proves(1)
    told.proves(2)
    assert told.woken == []


def test_whoever_fails_all_the_same_is_not_woken_by_every_other() -> None:
    told = Told()
    told.fails(1)
    for number in range(2, 500):
        told.proves(number)
        if told.woken:
            told.fails(1)
    assert told.woken == [[1]]
    told.time += REST
    told.proves(500)
    assert told.woken == [[1], [1]]


def test_a_try_that_was_under_way_when_it_came_back_need_not_wait_either() -> None:
    told = Told()
    told.fails(1, 2)
    began = told.time
    told.proves(1)
    told.time += 0.2
    told.waiting.failed("vault", 3, began)
    assert told.woken == [[2], [3]]


def test_a_second_try_that_was_under_way_when_it_came_back_need_not_wait_either() -> None:
    told = Told()
    told.fails(1, 2, 3)
    began, told.busy = told.time, {3}
    told.proves(1)
    told.busy = set()
    told.waiting.failed("vault", 3, began)
    assert told.woken == [[2], [3]]


def test_what_is_over_is_not_woken() -> None:
    told = Told()
    told.fails(1, 2)
    told.waiting.forget("vault", 2)
    told.proves(1)
    assert told.woken == []


async def test_all_of_them_end_at_once_and_not_after_their_own_pauses(world: World) -> None:
    for _ in range(5):
        await world.opened()
    world.provider.faults.stuck = 1000
    world.clock.pass_by(hours=1)
    for _ in range(7):  # by then they wait for up to a minute
        await world.sweep()
        world.clock.pass_by(minutes=2)
    await world.sweep()
    world.provider.faults.stuck = 0
    due = [grant.due_at for number in range(1, 6) if (grant := await world.grant(number)).due_at]
    world.clock.time = min(due)
    await world.sweep()
    world.clock.pass_by(seconds=2)  # whatever was read ahead has its moment
    await world.sweep()
    assert {(await world.grant(number)).state for number in range(1, 6)} == {GrantState.REVOKED}


async def test_they_end_at_once_from_memory_too(world: World, tmp_path: Path) -> None:
    standing = Standing(world, tmp_path / "spool")
    for _ in range(5):
        await world.opened()
    await standing.follow()
    world.provider.faults.stuck = 14
    await standing.pass_over(hours=1)
    await standing.pass_over(minutes=2)
    await standing.pass_over(minutes=2)  # four fail, the fifth does not
    assert len(world.provider.live()) == 0
    assert standing.stand_in.unconfirmed == 4
    await standing.pass_over(seconds=0)
    assert standing.stand_in.unconfirmed == 0
    await standing.come_back()
    assert {(await world.grant(number)).state for number in range(1, 6)} == {GrantState.REVOKED}
    standing.close()


async def test_what_was_tried_in_vain_leaves_workers_to_what_was_not() -> None:
    tasks, hangs, done = Tasks(), asyncio.Event(), list[int]()
    pool = Pool(4, tasks, "p")

    async def never_answered() -> None:
        await hangs.wait()

    async def answered() -> None:
        done.append(1)

    for _ in range(10):
        pool.add(never_answered, again=True)
    for _ in range(5):
        pool.add(answered)
    await asyncio.sleep(0.01)
    assert len(done) == 5
    assert pool.waiting == 7
    hangs.set()
    await tasks.drain(timeout=30)
    assert pool.waiting == 0
