"""Both ways between grants and issuers on a whole server without faces: told once, told again on change, ended never
by itself."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from access.ending.reconciling import GRACE
from access.errors import Unavailable
from access.events import CredentialDied, StrayEnded, StrayEnding, StraysFound
from access.model import Cause, GrantState
from access.ports import Change
from prodaccess.reconciling.chore import ReconcileChore
from prodaccess.reconciling.standing import Reconciling
from prodaccess.serial import Serial
from providers.memory import Account, MemoryProvider
from store.claims import Alone
from store.invariants import broken
from tests.world import World

OLD = GRACE + timedelta(minutes=1)


def reconciling(world: World, **providers: MemoryProvider) -> Reconciling:
    return Reconciling(world.store, {"memory": world.provider, **providers}, world.policies, world.clock)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def chore(world: World, registry: CollectorRegistry) -> ReconcileChore:
    return ReconcileChore(reconciling(world), world.rights.custody, registry)


def left_over(world: World, name: str = "pa_linus-pa-9_1", grant: int = 9) -> None:
    """An account that the database knows nothing of: as after an older copy of it was restored."""
    until = world.clock.now() + timedelta(hours=1)
    world.far_side.accounts[name] = Account(grant, "gone", "", until, world.clock.now() - OLD)


async def a_credential(world: World) -> str:
    await world.opened()
    return (await world.grants.collect(1, await world.device())).issued.public_id


async def events(world: World, *kinds: type) -> list[Any]:
    return [e.event for e in await world.store.log.entries(-1, 1000) if isinstance(e.event, kinds)]


async def test_nothing_is_wrong_with_what_is_open_at_any_moment_of_its_life(world: World) -> None:
    await a_credential(world)
    world.clock.pass_by(minutes=10)
    assert all(found.is_clean for found in await reconciling(world).look())
    await world.endings.finish(1, Cause.REQUESTER)
    assert all(found.is_clean for found in await reconciling(world).look())


async def test_one_that_was_never_looked_at_has_a_number_for_its_alert(
    chore: ReconcileChore, registry: CollectorRegistry
) -> None:
    looked = "prodaccess_reconciled_timestamp_seconds", {"provider": "memory"}
    assert registry.get_sample_value(*looked) == 0
    await chore.run()
    assert (registry.get_sample_value(*looked) or 0) > 0


async def test_a_provider_that_waits_for_other_processes_is_looked_at_too(world: World) -> None:
    left_over(world)
    serial = cast("MemoryProvider", Serial(world.provider, Alone(world.store.log.database)))
    (found,) = await Reconciling(world.store, {"memory": serial}, world.policies, world.clock).look()
    assert len(found.strays) == 1


async def test_what_no_grant_accounts_for_is_told_once_and_again_when_it_changes(
    world: World, chore: ReconcileChore, registry: CollectorRegistry
) -> None:
    await chore.run()
    assert await events(world, StraysFound) == []
    left_over(world)
    await chore.run()
    await chore.run()
    (told,) = await events(world, StraysFound)
    assert (told.provider, told.count) == ("memory", 1)
    assert told.strays[0].endswith("PA-9 has ended, or is not known here")
    assert registry.get_sample_value("prodaccess_strays", {"provider": "memory"}) == 1
    del world.far_side.accounts["pa_linus-pa-9_1"]
    again = ReconcileChore(
        reconciling(world), world.rights.custody, CollectorRegistry()
    )  # a restart tells nothing anew
    await again.run()
    assert [e.count for e in await events(world, StraysFound)] == [1, 0]
    assert world.provider.live() == {}


async def test_a_credential_that_died_outside_is_told_once_and_the_grant_stays(
    world: World, chore: ReconcileChore, registry: CollectorRegistry
) -> None:
    name = await a_credential(world)
    del world.far_side.accounts[name]
    await chore.run()
    await chore.run()
    (died,) = await events(world, CredentialDied)
    assert (died.ref, died.n, died.public_id) == ("PA-1", 1, name)
    assert registry.get_sample_value("prodaccess_credentials_died_total", {"provider": "memory"}) == 1
    grant = await world.grant(1)
    assert grant.state is GrantState.ACTIVE
    assert grant.live_leases() == ()
    fresh = await world.grants.collect(1, await world.device())
    assert fresh.issued.public_id != name
    await world.endings.finish(1, Cause.DEADLINE)
    assert (await world.grant(1)).state is GrantState.REVOKED
    now = int(world.clock.now().timestamp() * 1_000_000)
    found = world.store.log.database.transact(lambda tx: broken(tx, now), write=False)
    assert not any(found.values())


async def test_one_that_is_being_changed_right_now_is_left_for_the_next_look(
    world: World, chore: ReconcileChore
) -> None:
    name = await a_credential(world)
    del world.far_side.accounts[name]
    async with world.rights.custody.alone(1):
        await asyncio.wait_for(chore.run(), 20)
    assert await events(world, CredentialDied) == []


async def test_an_issuer_that_is_silent_is_said_to_be_and_hides_no_other(world: World) -> None:
    left_over(world)
    other = MemoryProvider(world.clock, "other", server=world.far_side)
    world.provider.faults.silent_before = 1
    silent, asked = await reconciling(world, other=other).look()
    assert silent.silent
    assert not silent.is_clean
    assert len(asked.strays) == 1


async def test_acting_ends_what_is_ours_with_an_entry_before_and_one_after(world: World) -> None:
    kept = await a_credential(world)
    world.clock.pass_by(minutes=10)
    left_over(world)
    made = reconciling(world)
    (found,) = await made.look()
    (done,) = [each async for each in made.act(found, "root@host")]
    assert done.proof
    assert list(world.provider.live()) == [kept]
    before, after = await events(world, StrayEnding, StrayEnded)
    assert isinstance(before, StrayEnding)
    assert (before.operator, after.stray, after.why) == ("root@host", before.stray, "")
    assert all(each.is_clean for each in await made.look())


async def test_what_nothing_proves_to_be_ours_is_left_alone(world: World) -> None:
    left_over(world)
    made = reconciling(world)
    (found,) = await made.look()
    not_ours = replace(found.strays[0], piece=replace(found.strays[0].piece, is_ours=False))
    assert [each async for each in made.act(replace(found, strays=(not_ours,)), "root@host")] == []
    assert len(world.provider.live()) == 1
    assert await events(world, StrayEnding) == []


async def test_what_got_a_grant_since_the_look_is_left_alone(world: World) -> None:
    """Somebody reads the report for an hour; by then the record may have been restored."""
    name = await a_credential(world)
    world.clock.pass_by(minutes=10)
    (clean,) = await reconciling(world).look()
    left_over(world)
    (found,) = await reconciling(world).look()
    accounted = replace(found.strays[0], piece=replace(found.strays[0].piece, locator=name))
    assert clean.is_clean
    assert [each async for each in reconciling(world).act(replace(found, strays=(accounted,)), "root@host")] == []
    assert name in world.provider.live()


class Deaf:
    """A store that takes no entries."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def commit(self, change: Change) -> None:
        raise Unavailable("The database does not answer.")


async def test_nothing_is_ended_that_cannot_be_written_down_first(world: World) -> None:
    left_over(world)
    (found,) = await reconciling(world).look()
    deaf: Any = Deaf(world.store)
    made = Reconciling(deaf, {"memory": world.provider}, world.policies, world.clock)
    with pytest.raises(Unavailable):
        await anext(aiter(made.act(found, "root@host")))
    assert len(world.provider.live()) == 1


async def test_a_look_while_credentials_are_made_and_ended_finds_nothing(world: World) -> None:
    """The twin says since when each stands, so what is younger than the grace is never taken for a stray."""
    device = await world.device()

    async def live(number: int) -> None:
        await world.grants.collect(number, device)
        await world.endings.finish(number, Cause.REQUESTER)

    for _ in range(4):
        await world.opened()
    made, work = reconciling(world), asyncio.gather(*(live(n) for n in range(1, 5)))
    looks: Mapping[int, bool] = {}
    while not work.done():
        looks = {len(looks): all(found.is_clean for found in await made.look())} | looks
        await asyncio.sleep(0)
    await work
    assert looks
    assert all(looks.values())
