"""Access ends when the right to it does, also when nobody told us."""

from __future__ import annotations

from dataclasses import replace

from access.model import Cause, GrantState
from tests.people import ADA, GRACE, LINUS, POLICY
from tests.world import Policies, World


async def test_whoever_was_deactivated_without_an_event_loses_their_access(world: World) -> None:
    await world.opened()
    await world.opened(by=GRACE)
    await world.grants.collect(1, await world.device())
    world.people.gone.add(LINUS.id)
    await world.rights.check_all()
    ended = await world.grant(1)
    assert (ended.state, ended.cause, ended.ended_by) == (GrantState.REVOKED, Cause.LOST_RIGHT, None)
    assert not world.provider.live()
    assert (await world.grant(2)).state is GrantState.ACTIVE


async def test_what_the_policy_no_longer_gives_ends(world: World) -> None:
    await world.opened()
    world.policies.policy = Policies(POLICY.replace("engineers: [ada, grace, linus]", "engineers: [ada, grace]")).policy
    await world.rights.check_all()
    assert (await world.grant(1)).state is GrantState.REVOKED


async def test_a_shorter_maximum_does_not_cut_what_was_given_before(world: World) -> None:
    await world.opened()
    world.policies.policy = Policies(POLICY.replace("max: 4h, default: 1h", "max: 30m, default: 30m")).policy
    await world.rights.check_all()
    assert (await world.grant(1)).state is GrantState.ACTIVE


async def test_a_silent_slack_cuts_nobody_and_hides_nobody(world: World) -> None:
    await world.opened()
    await world.opened(by=GRACE)
    world.people.silent.add(LINUS.id)
    world.people.gone.add(GRACE.id)
    await world.rights.check_all()
    assert [(await world.grant(n)).state for n in (1, 2)] == [GrantState.ACTIVE, GrantState.REVOKED]


async def test_what_is_open_is_found_however_much_was_asked_since(world: World) -> None:
    world.policies.policy = replace(world.policies.policy, most_per_hour=1000)
    await world.opened()
    for _ in range(55):
        request = await world.asked()
        await world.broker.deny(request.id, ADA, "no")
    await world.asked(by=GRACE)
    assert [r.number for r in await world.store.open_requests(LINUS.id)] == [1]
    assert [r.number for r in await world.store.open_requests()] == [57, 1]


async def test_a_person_moved_to_another_account_does_not_keep_the_old_ones_access(world: World) -> None:
    await world.opened()
    world.policies.policy = Policies(POLICY.replace("linus: U0LINUS", "linus: U0LINUS9")).policy
    await world.rights.check_all()
    assert (await world.grant(1)).state is GrantState.REVOKED
