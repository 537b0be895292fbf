"""Ends made ready before their moment: what is written then is of that moment, and ours only while others see us."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from access.events import GrantEnding
from access.model import Cause, GrantState
from access.ports import Change, Gone
from access.revoking.proving import gone
from access.revoking.recorder import Recorder, Result
from access.revoking.starting import begin, begin_foreseen, foresee
from tests.world import World


async def test_an_end_foreseen_begins_at_its_deadline(world: World) -> None:
    grant = await world.opened()
    world.clock.time = grant.expires_at - timedelta(seconds=1)
    await world.sweep()  # its warning
    custody, grant = world.endings.custody, await world.grant(1)
    foreseen = foresee(custody, grant)
    world.clock.pass_by(seconds=1, milliseconds=300)
    (begun,) = await begin_foreseen(custody, [foreseen])
    assert begun == await world.grant(1)
    assert (begun.state, begun.cause, begun.ending_since) == (GrantState.REVOKING, Cause.DEADLINE, grant.expires_at)
    (entry,) = [e for e in await world.store.log.entries_of("PA-1") if isinstance(e.event, GrantEnding)]
    assert entry.event.at == grant.expires_at
    assert entry.recorded_at == world.clock.now()


async def test_what_is_overdue_begins_now(world: World) -> None:
    await world.opened()
    world.clock.pass_by(hours=2)
    (begun,) = await begin(world.endings.custody, [await world.grant(1)])
    assert begun.ending_since == world.clock.now()


async def test_an_end_that_was_foreseen_under_another_claim_is_made_anew(world: World) -> None:
    await world.opened()
    world.clock.pass_by(hours=2)
    claims, custody = deque([7, 8, 8]), world.endings.custody
    object.__setattr__(custody, "claimant", claims.popleft)
    foreseen = foresee(custody, await world.grant(1))
    assert foreseen.begun.claim == 7
    (begun,) = await begin_foreseen(custody, [foreseen])
    assert begun == await world.grant(1)
    assert begun.claim == 8


async def test_what_moves_on_after_it_was_foreseen_is_left_out(world: World) -> None:
    await world.opened()
    custody = world.endings.custody
    foreseen = foresee(custody, await world.grant(1))
    await world.endings.finish(1, Cause.ADMIN)
    assert await begin_foreseen(custody, [foreseen]) == ()
    assert (await world.grant(1)).cause is Cause.ADMIN


async def test_results_wait_for_ends_that_are_still_to_come(world: World) -> None:
    waiting, written = [1], asyncio.Event()

    def change() -> Change:
        written.set()
        return Change(grants=(grant,))

    grant = await world.opened()
    recorder = Recorder(world.endings.custody, world.tasks, lambda: len(waiting))
    recorder.add(Result(change, lambda _: None))
    await asyncio.sleep(0.05)
    assert not written.is_set()
    waiting.clear()
    await asyncio.wait_for(written.wait(), 10)
    await world.tasks.drain(timeout=30)


async def test_a_result_that_cannot_be_completed_holds_up_no_other(world: World) -> None:
    custody, told = world.endings.custody, dict[int, bool]()
    for number in (1, 2, 3):
        await world.opened()
        await begin(custody, [await world.grant(number)])
    recorder = Recorder(custody, world.tasks, lambda: 0)
    broken = partial[Change](dict[str, Change]().__getitem__, "its policy")
    grants = [await world.grant(number) for number in (1, 2, 3)]
    for grant in grants:
        change = broken if grant.number == 2 else partial(gone, grant, Gone(("Gone.",)), world.clock.now())
        recorder.add(Result(change, partial(told.__setitem__, grant.number)))
    await world.tasks.drain(timeout=20)
    assert told == {1: True, 2: False, 3: True}
    states = [(await world.grant(number)).state for number in (1, 2, 3)]
    assert states == [GrantState.REVOKED, GrantState.REVOKING, GrantState.REVOKED]


class Choking:
    """A store that cannot write one of the ends, and says so in a way that nobody expects."""

    def __init__(self, store: Any) -> None:
        self._store = store

    async def commit_each(self, changes: Sequence[Change]) -> tuple[bool, ...]:
        if any(change.grants[0].number == 2 for change in changes):
            raise ValueError("not a text")
        stood: tuple[bool, ...] = await self._store.commit_each(changes)
        return stood

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


async def test_a_result_that_cannot_be_written_holds_up_no_other(world: World) -> None:
    custody, told = world.endings.custody, dict[int, bool]()
    for number in (1, 2, 3):
        await world.opened()
        await begin(custody, [await world.grant(number)])
    object.__setattr__(custody, "store", Choking(world.store))
    recorder = Recorder(custody, world.tasks, lambda: 0)
    for number in (1, 2, 3):
        change = partial(gone, await world.grant(number), Gone(("Gone.",)), world.clock.now())
        recorder.add(Result(change, partial(told.__setitem__, number)))
    await world.tasks.drain(timeout=20)
    assert told == {1: True, 2: False, 3: True}
