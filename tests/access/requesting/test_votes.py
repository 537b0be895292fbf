"""Votes and what may become of them before the last one: each way to make one person count for two, or too late."""

from __future__ import annotations

from datetime import timedelta

import pytest

from access.errors import Refused, TooLate, Unavailable
from access.events import RequestApproved
from access.model import GrantState, Person, RequestState
from tests.people import ADA, GRACE, LINUS, MARGARET, POLICY, person
from tests.world import Policies, World


def with_policy(world: World, text: str) -> None:
    world.policies.policy = Policies(text).policy


async def test_a_vote_of_somebody_who_lost_the_say_since_does_not_count(world: World) -> None:
    request = await world.asked(role="write")
    await world.broker.approve(request.id, ADA, request.digest)
    with_policy(world, POLICY.replace("orders-owners: [ada, grace]", "orders-owners: [grace]"))
    await world.broker.approve(request.id, GRACE, request.digest)
    assert await world.store.grant(1) is None
    await world.broker.approve(request.id, MARGARET, request.digest)
    assert (await world.grant(1)).state is GrantState.ACTIVE
    approved = await world.last(RequestApproved)
    assert isinstance(approved, RequestApproved)
    assert approved.approvers == (GRACE.id, MARGARET.id)


async def test_a_vote_of_somebody_deactivated_since_does_not_count(world: World) -> None:
    request = await world.asked(role="write")
    await world.broker.approve(request.id, ADA, request.digest)
    world.people.gone.add(ADA.id)
    await world.broker.approve(request.id, GRACE, request.digest)
    assert await world.store.grant(1) is None


async def test_an_earlier_voter_of_whom_slack_says_nothing_is_waited_for(world: World) -> None:
    request = await world.asked(role="write")
    await world.broker.approve(request.id, ADA, request.digest)
    world.people.silent.add(ADA.id)
    with pytest.raises(Unavailable):
        await world.broker.approve(request.id, GRACE, request.digest)
    world.people.silent.clear()
    await world.broker.approve(request.id, GRACE, request.digest)
    assert (await world.grant(1)).state is GrantState.ACTIVE


async def test_two_accounts_found_to_be_one_person_between_the_votes_are_one_vote(world: World) -> None:
    with_policy(world, POLICY.replace("ada: [U0ADA, U0ADA2]", "ada: U0ADA, ada2: U0ADA2").replace(
        "[orders-owners, margaret]", "[orders-owners, margaret, ada2]"
    ))  # fmt: skip
    request = await world.asked(role="write")
    await world.broker.approve(request.id, person("U0ADA2", world.policies.policy), request.digest)
    with_policy(world, POLICY)
    with pytest.raises(TooLate, match="already approved"):
        await world.broker.approve(request.id, ADA, request.digest)
    assert await world.store.grant(1) is None


async def test_nobody_approves_their_own_request_through_another_workspace(world: World) -> None:
    request = await world.asked(by=ADA)
    elsewhere = world.policies.policy.person("T0OTHER", "U0ADA2", "ada")
    assert elsewhere.id != ADA.id
    with pytest.raises(Refused, match="own request"):
        await world.broker.approve(request.id, elsewhere, request.digest)


async def test_nobody_approves_twice_through_another_workspace(world: World) -> None:
    request = await world.asked(role="write")
    await world.broker.approve(request.id, ADA, request.digest)
    with pytest.raises(TooLate, match="already approved"):
        await world.broker.approve(request.id, world.policies.policy.person("T0OTHER", "U0ADA2", "a"), request.digest)


async def test_nobody_approves_what_their_other_account_asked_before_the_policy_knew_it(world: World) -> None:
    with_policy(world, POLICY.replace("ada: [U0ADA, U0ADA2]", "ada: U0ADA, contractor: U0ADA2").replace(
        "engineers: [ada,", "engineers: [contractor, ada,"
    ))  # fmt: skip
    request = await world.asked(by=person("U0ADA2", world.policies.policy))
    with_policy(world, POLICY)
    with pytest.raises(Refused, match="own request"):
        await world.broker.approve(request.id, ADA, request.digest)


async def test_approvals_raised_after_the_first_vote_are_needed(world: World) -> None:
    request = await world.asked(role="write")
    await world.broker.approve(request.id, ADA, request.digest)
    with_policy(world, POLICY.replace("approvals: 2", "approvals: 3"))
    await world.broker.approve(request.id, GRACE, request.digest)
    assert await world.store.grant(1) is None
    await world.broker.approve(request.id, MARGARET, request.digest)
    assert (await world.grant(1)).state is GrantState.ACTIVE


async def test_a_request_past_its_time_is_not_approved_even_before_the_sweep(world: World) -> None:
    request = await world.asked()
    world.clock.pass_by(hours=1)
    with pytest.raises(TooLate, match="lapsed"):
        await world.broker.approve(request.id, ADA, request.digest)
    with pytest.raises(TooLate, match="lapsed"):
        await world.broker.deny(request.id, ADA, "too late")
    await world.sweep()
    assert (await world.request(1)).state is RequestState.EXPIRED


async def test_a_guessed_digit_of_the_digest_is_no_digest(world: World) -> None:
    request = await world.asked()
    for length in range(8):
        with pytest.raises(TooLate, match="no longer shows"):
            await world.broker.approve(request.id, ADA, request.digest[:length])


async def test_a_requester_who_was_renamed_is_not_named_among_the_deciders(world: World) -> None:
    request = await world.asked(by=ADA)
    with_policy(world, POLICY.replace("{ada: [", "{ada.l: [").replace("[ada, grace", "[ada.l, grace"))
    policy = world.policies.policy
    rule = policy.rule("orders-db", "read")
    assert rule is not None
    assert policy.deciders(rule, request.requester) == ("grace",)


async def test_a_key_of_somebody_else_leads_to_nothing_of_theirs(world: World) -> None:
    await world.asked(by=LINUS, key="slash:")
    with pytest.raises(Refused):
        await world.asked(by=GRACE, key="slash:")
    assert len(await world.store.requests_of(None)) == 1


@pytest.mark.parametrize("by", [ADA, GRACE])
async def test_a_policy_with_a_shorter_maximum_stops_an_older_ask(world: World, by: Person) -> None:
    request = await world.asked(duration=timedelta(hours=3))
    with_policy(world, POLICY.replace("max: 4h", "max: 2h"))
    with pytest.raises(Refused, match="At most 2 hours"):
        await world.broker.approve(request.id, by, request.digest)
