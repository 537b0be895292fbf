"""Asking and deciding, with every way it can be abused."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from access.errors import NotFound, Refused, TooLate
from access.events import ActRefused, AskRefused
from access.model import GrantState, RequestState
from tests.people import ADA, GRACE, LINUS, MARGARET, STRANGER, ask, person
from tests.world import World, all_at_once


async def test_an_ask_becomes_a_request_with_its_audit_entry(world: World) -> None:
    request = await world.asked()
    assert request.ref == "PA-1"
    assert request.state is RequestState.PENDING
    assert await world.tags("PA-1") == ["request.asked"]


async def test_a_refused_ask_is_written_down_and_creates_nothing(world: World) -> None:
    with pytest.raises(Refused) as raised:
        await world.asked(duration=timedelta(days=1))
    assert raised.value.field == "duration"
    refusal = await world.last(AskRefused)
    assert isinstance(refusal, AskRefused)
    assert refusal.by == LINUS
    assert await world.store.requests_of(None) == ()


async def test_the_same_ask_twice_is_one_request(world: World) -> None:
    twice = ask(key="trigger-1")
    first, second = await asyncio.gather(world.broker.ask(twice), world.broker.ask(twice))
    assert first.number == second.number == 1
    assert (await world.broker.ask(twice)).number == 1
    assert await world.tags("PA-1") == ["request.asked"]


async def test_approval_opens_a_grant_whose_deadline_is_fixed(world: World) -> None:
    grant = await world.opened()
    assert grant.state is GrantState.ACTIVE
    assert grant.expires_at == world.clock.now() + timedelta(hours=1)
    assert grant.due_at == grant.expires_at - timedelta(minutes=5)  # when its warning is due
    assert (await world.request(1)).votes[0].by == ADA
    assert await world.tags("PA-1") == ["request.asked", "approval.given", "request.approved", "grant.active"]


async def test_self_approval_is_refused_and_written_down(world: World) -> None:
    request = await world.asked(by=ADA)
    for me in (ADA, person("U0ADA2")):
        with pytest.raises(Refused, match="own request"):
            await world.broker.approve(request.id, me, request.digest)
    refusal = await world.last(ActRefused)
    assert isinstance(refusal, ActRefused)
    assert refusal.act == "approve"
    assert (await world.request(1)).state is RequestState.PENDING


@pytest.mark.parametrize("outsider", [STRANGER, MARGARET, LINUS])
async def test_somebody_without_a_say_changes_nothing(world: World, outsider: object) -> None:
    request = await world.asked(by=GRACE)
    with pytest.raises(Refused):
        await world.broker.approve(request.id, outsider, request.digest)  # type: ignore[arg-type]
    with pytest.raises(Refused):
        await world.broker.deny(request.id, outsider, "no")  # type: ignore[arg-type]
    assert (await world.request(1)).state is RequestState.PENDING


async def test_a_double_click_is_one_approval_and_one_grant(world: World) -> None:
    request = await world.asked()
    clicks = [world.broker.approve(request.id, ADA, request.digest) for _ in range(10)]
    results = await all_at_once(*clicks)
    assert sum(not isinstance(r, Exception) for r in results) == 1
    assert all(isinstance(r, TooLate) for r in results if isinstance(r, Exception))
    tags = await world.tags("PA-1")
    assert tags.count("request.approved") == tags.count("grant.active") == 1


async def test_approve_and_deny_at_once_is_one_decision(world: World) -> None:
    for number in range(1, 11):
        request = await world.asked()
        await all_at_once(
            world.broker.approve(request.id, ADA, request.digest),
            world.broker.deny(request.id, GRACE, "not today"),
            world.broker.cancel(number, LINUS),
        )
        decided = await world.request(number)
        grant = await world.store.grant(number)
        assert decided.state is not RequestState.PENDING
        assert (grant is not None) == (decided.state is RequestState.APPROVED)


async def test_two_approvals_are_two_persons(world: World) -> None:
    request = await world.asked(role="write")
    await world.broker.approve(request.id, ADA, request.digest)
    with pytest.raises(TooLate, match="already approved"):
        await world.broker.approve(request.id, person("U0ADA2"), request.digest)
    assert await world.store.grant(1) is None
    await world.broker.approve(request.id, GRACE, request.digest)
    assert (await world.grant(1)).state is GrantState.ACTIVE


async def test_two_last_approvals_at_once_open_one_grant(world: World) -> None:
    request = await world.asked(role="write")
    await all_at_once(
        world.broker.approve(request.id, ADA, request.digest),
        world.broker.approve(request.id, GRACE, request.digest),
        world.broker.approve(request.id, MARGARET, request.digest),
    )
    approved = await world.request(1)
    assert approved.state is RequestState.APPROVED
    assert len(approved.votes) == 2
    assert (await world.tags("PA-1")).count("grant.active") == 1


async def test_a_card_that_shows_something_else_does_not_count(world: World) -> None:
    request, other = await world.asked(), await world.asked(reason="something else")
    for digest in (other.digest, "", "0"):
        with pytest.raises(TooLate, match="no longer shows"):
            await world.broker.approve(request.id, ADA, digest)
    await world.broker.approve(request.id, ADA, request.digest[:16])


async def test_a_requester_who_left_gets_nothing(world: World) -> None:
    request = await world.asked()
    world.people.gone.add(LINUS.id)
    with pytest.raises(Refused, match="deactivated"):
        await world.broker.approve(request.id, ADA, request.digest)
    assert await world.store.grant(1) is None


async def test_a_policy_that_no_longer_allows_it_stops_the_approval(world: World) -> None:
    request = await world.asked()
    world.policies.policy = type(world.policies)("""
version: 1
people: {ada: U0ADA, linus: U0LINUS}
targets:
  orders-db: {roles: {read: {provider: memory, who: [ada], approvers: [ada], max: 4h}}}
""").policy
    with pytest.raises(Refused, match="may no longer have this"):
        await world.broker.approve(request.id, ADA, request.digest)


async def test_a_denial_needs_its_reason_and_is_final(world: World) -> None:
    request = await world.asked()
    with pytest.raises(Refused) as raised:
        await world.broker.deny(request.id, ADA, "  ")
    assert raised.value.field == "reason"
    denied = await world.broker.deny(request.id, ADA, "ask for read on the replica")
    assert denied.state is RequestState.DENIED
    with pytest.raises(TooLate, match="already denied by ada"):
        await world.broker.approve(request.id, GRACE, request.digest)


async def test_only_the_requester_or_an_admin_cancels(world: World) -> None:
    await world.asked()
    with pytest.raises(NotFound):
        await world.broker.cancel(1, ADA)
    await world.broker.cancel(1, MARGARET)
    assert (await world.request(1)).state is RequestState.CANCELLED


async def test_a_request_that_nobody_decides_lapses(world: World) -> None:
    request = await world.asked()
    world.clock.pass_by(minutes=59)
    await world.sweep()
    assert (await world.request(1)).state is RequestState.PENDING
    world.clock.pass_by(minutes=1)
    await world.sweep()
    assert (await world.request(1)).state is RequestState.EXPIRED
    with pytest.raises(TooLate, match="has lapsed"):
        await world.broker.approve(request.id, ADA, request.digest)


async def test_what_is_not_yours_looks_like_nothing(world: World) -> None:
    await world.asked()
    for number, who in ((1, STRANGER), (99, LINUS)):
        with pytest.raises(NotFound, match="no such request that you may see"):
            await world.broker.see(number, who)
    for who in (LINUS, ADA, MARGARET):
        request, _ = await world.broker.see(1, who)
        assert request.number == 1
