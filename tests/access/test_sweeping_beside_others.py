"""Several processes, seen from one of them: what another is at is left to it, and hides nothing of ours."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from access.model import GrantState
from access.retry import CLAIM
from access.sweeper import Sweeper
from benchmarks.revoke_load import a_grant, load
from tests.world import World

OTHER, ME = 9, 8


def sweeper_beside(world: World, batch: int) -> Sweeper:
    made = Sweeper(world.store, world.broker, world.clock, world.tasks, batch=batch)
    made.beside(frozenset({OTHER}), ME)
    return made


async def test_a_long_queue_of_another_hides_nothing_of_ours(world: World) -> None:
    """Its provider is slow, so that its claims have run out; it will come to them."""
    now = world.clock.now()
    theirs = [
        replace(a_grant(n, now, now - CLAIM), state=GrantState.REVOKING, claim=OTHER, due_at=now - CLAIM)
        for n in (1, 2, 3)
    ]
    ours = replace(a_grant(4, now, now), provider="memory")
    load(world.store.log.database, [*theirs, ours])
    sweeper = sweeper_beside(world, batch=2)
    assert not await sweeper.sweep()  # nor is it looked at again and again without a pause
    await world.tasks.drain(timeout=20)
    assert (await world.grant(4)).state is GrantState.REVOKED
    assert (await world.grant(1)).attempts == theirs[0].attempts


async def test_what_another_does_not_come_to_is_ours_in_the_end(world: World) -> None:
    long_ago = world.clock.now() - 5 * CLAIM - timedelta(seconds=1)
    stuck = a_grant(1, long_ago, long_ago)
    stuck = replace(stuck, provider="memory", state=GrantState.REVOKING, claim=OTHER)
    load(world.store.log.database, [stuck])
    await sweeper_beside(world, batch=2).sweep()
    await world.tasks.drain(timeout=20)
    assert (await world.grant(1)).state is GrantState.REVOKED
