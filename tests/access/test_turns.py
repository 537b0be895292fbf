"""A turn ends in the middle of what is done in it, wherever that waits; and begins anew when it comes back."""

from __future__ import annotations

import asyncio

import pytest

from access.turns import Turn, elapsed


async def test_the_only_process_always_has_it() -> None:
    turn, done = Turn(), []

    async def work() -> None:
        await asyncio.sleep(0)
        done.append(1)

    await turn.keep(work)
    await turn.when_ours(work)
    assert (done, turn.ours, turn.inherited) == ([1, 1], True, False)


async def test_whoever_has_it_not_waits_for_it() -> None:
    turn, begun = Turn(shared=True), asyncio.Event()

    async def work() -> None:
        begun.set()

    await turn.when_ours(work)
    waiting = asyncio.ensure_future(turn.keep(work))
    await asyncio.sleep(0.01)
    assert not begun.is_set()
    turn.prolong(elapsed() + 60, inherited=True)
    await waiting
    assert (begun.is_set(), turn.inherited) == (True, True)


async def test_work_that_is_not_prolonged_is_stopped_and_begun_anew() -> None:
    turn, begun = Turn(shared=True), []

    async def work() -> None:
        begun.append(1)
        if len(begun) == 1:
            await asyncio.Event().wait()

    turn.prolong(elapsed() + 0.05)
    keeping = asyncio.ensure_future(turn.keep(work))
    while turn.ours:  # noqa: ASYNC110 (time itself)
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    assert (begun, keeping.done()) == ([1], False)
    turn.prolong(elapsed() + 60)
    await keeping
    assert begun == [1, 1]


async def test_a_turn_that_is_prolonged_lasts() -> None:
    turn, over = Turn(shared=True), asyncio.Event()
    turn.prolong(elapsed() + 0.2)
    keeping = asyncio.ensure_future(turn.keep(over.wait))  # type: ignore[arg-type]
    for _ in range(10):
        turn.prolong(elapsed() + 60)
        await asyncio.sleep(0.03)
    over.set()
    await keeping


async def test_losing_it_stops_the_work_at_once() -> None:
    turn = Turn(shared=True)
    turn.prolong(elapsed() + 60)

    async def lost_in_the_middle() -> None:
        async with turn.held():
            turn.lose()
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await lost_in_the_middle()
    assert not turn.ours


async def test_a_time_out_of_the_work_itself_is_no_lost_turn() -> None:
    async def work() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        await Turn().keep(work)
