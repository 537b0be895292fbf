"""One person cannot bury the others under requests, nor the audit log under refusals."""

from __future__ import annotations

from datetime import timedelta

import pytest

from access.errors import Refused
from access.events import AskRefused
from access.model import Request
from prodaccess.policies.file import parse_policy
from tests.people import ADA, GRACE, LINUS, POLICY, ask
from tests.world import World, all_at_once


async def refusals(world: World) -> int:
    return sum(isinstance(e.event, AskRefused) for e in await world.store.log.entries(-1, 10_000))


async def test_a_sixth_pending_request_is_refused_with_words(world: World) -> None:
    for _ in range(5):
        await world.asked()
    with pytest.raises(Refused, match="You have 5 requests waiting"):
        await world.asked()
    assert await refusals(world) == 1
    await world.asked(by=GRACE)  # nobody else is held up
    await world.broker.cancel(1, LINUS)
    await world.asked()


async def test_many_asks_at_once_do_not_slip_through(world: World) -> None:
    results = await all_at_once(*(world.asked() for _ in range(12)))
    assert sum(isinstance(r, Request) for r in results) == 5
    assert sum(isinstance(r, Refused) for r in results) == 7


async def test_the_same_ask_again_is_not_counted_again(world: World) -> None:
    for _ in range(4):
        await world.asked()
    twice = ask(key="trigger-5")
    results = await all_at_once(*(world.broker.ask(twice) for _ in range(5)))
    assert {r.number for r in results if isinstance(r, Request)} == {5}
    assert len(results) == 5
    assert (await world.broker.ask(twice)).number == 5


async def test_more_than_twenty_asks_an_hour_are_refused_decided_or_not(world: World) -> None:
    for number in range(1, 21):
        request = await world.asked()
        await world.broker.deny(request.id, ADA, "no")
        assert request.number == number
    with pytest.raises(Refused, match="asked 20 times within an hour"):
        await world.asked()
    world.clock.pass_by(hours=1)
    await world.asked()


async def test_refused_asks_count_and_do_not_fill_the_audit_log(world: World) -> None:
    for _ in range(200):
        with pytest.raises(Refused):
            await world.asked(duration=timedelta(days=1))
    assert await refusals(world) == 20
    with pytest.raises(Refused, match="asked 20 times within an hour"):
        await world.asked()
    await world.asked(by=GRACE)
    world.clock.pass_by(hours=1)
    await world.asked()


async def test_the_count_survives_a_restart(world: World) -> None:
    for _ in range(5):
        await world.asked()
    world.restart()
    with pytest.raises(Refused, match="5 requests waiting"):
        await world.asked()


def test_the_policy_sets_the_limits() -> None:
    usual = parse_policy(POLICY)
    assert (usual.most_pending, usual.most_per_hour) == (5, 20)
    wide = parse_policy(f"{POLICY}\nlimits: {{pending: 50, per_hour: 1000}}\n")
    assert (wide.most_pending, wide.most_per_hour) == (50, 1000)
