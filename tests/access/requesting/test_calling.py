"""Who is called to a decision, when, and how often; and how far it is, as the log says it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from access.afterwards.replay import replay
from access.errors import NotFound, Refused, TooLate
from access.events import (
    ApprovalGiven,
    CommentMade,
    PolicyLoaded,
    RequestApproved,
    RequestAsked,
    RequestEscalated,
    RequestExpired,
    RequestReminded,
)
from access.model import GrantState, RequestState
from access.policy import LONGEST_REASON
from access.ports import Change
from access.requesting.progress import read_stage
from tests.groups import Groups
from tests.people import ADA, GRACE, LINUS, MARGARET, POLICY, STRANGER, person
from tests.world import Policies, World

STAGED = """
version: 1
people: {ada: U0ADA, grace: U0GRACE, linus: U0LINUS, margaret: U0MARGARET}
groups: {engineers: [ada, grace, linus], security: [margaret]}
admins: [margaret]
pending_for: 1h
targets:
  orders-db:
    ticket: {required: no}
    roles:
      read:
        {provider: memory, who: [engineers], max: 4h, approve: {stages: [{by: ada}, {by: grace, after: 10m}]}}
      write:
        {provider: memory, who: [engineers], max: 1h, approve: {stages: [{by: [ada, grace]}, {by: security}]}}
      drop:
        {provider: memory, who: [engineers], max: 1h, approve: {any: [{by: margaret}, {by: [ada, grace], count: 2}]}}
"""


def with_policy(world: World, text: str) -> None:
    world.policies.policy = Policies(text).policy


@pytest.fixture
def staged(world: World) -> World:
    with_policy(world, STAGED)
    return world


async def events(world: World, *kinds: type) -> list[object]:
    return [entry.event for entry in await world.store.log.entries(-1, 10_000) if isinstance(entry.event, kinds)]


async def called(world: World) -> list[tuple[str, tuple[str, ...]]]:
    """Everybody who was called, in order, and how."""
    found = await events(world, RequestReminded, RequestEscalated)
    return [(e.TAG.partition(".")[2], e.to) for e in found]  # type: ignore[attr-defined]


async def test_halfway_those_who_were_asked_and_are_silent_are_called_once(world: World) -> None:
    request = await world.asked(role="write")
    assert request.asked == ("U0ADA", "U0GRACE", "U0MARGARET")
    await world.broker.approve(request.id, ADA, request.digest)
    world.clock.pass_by(minutes=29)
    await world.sweep()
    assert await called(world) == []
    world.clock.pass_by(minutes=1)
    await world.sweep()
    assert await called(world) == [("reminded", ("U0GRACE", "U0MARGARET"))]
    world.clock.pass_by(minutes=20)
    await world.sweep()
    world.restart()
    await world.sweep()
    assert await called(world) == [("reminded", ("U0GRACE", "U0MARGARET"))]
    moved = await world.request(1)
    assert moved.due_at == moved.lapses_at


async def test_those_who_stand_in_are_asked_when_their_time_has_come_and_not_before(staged: World) -> None:
    request = await staged.asked()
    assert request.asked == ("U0ADA",)
    assert request.due_at == request.created_at + timedelta(minutes=10)
    with pytest.raises(Refused, match="From 14:10 UTC on you may decide this"):
        await staged.broker.approve(request.id, GRACE, request.digest)
    staged.clock.pass_by(minutes=10)
    await staged.sweep()
    await staged.sweep()
    assert await called(staged) == [("escalated", ("U0GRACE",))]
    assert (await staged.last(RequestEscalated)).why == (  # type: ignore[attr-defined]
        "Nobody has decided it for 10 minutes; grace can decide it too."
    )
    await staged.broker.approve(request.id, GRACE, request.digest)
    assert (await staged.grant(1)).state is GrantState.ACTIVE


async def test_the_next_stage_is_asked_in_the_moment_in_which_the_one_before_is_settled(staged: World) -> None:
    request = await staged.asked(role="write")
    assert request.asked == ("U0ADA", "U0GRACE")
    await staged.broker.approve(request.id, ADA, request.digest)
    assert await staged.tags("PA-1") == ["request.asked", "approval.given", "request.escalated"]
    assert await called(staged) == [("escalated", ("U0MARGARET",))]
    assert (await staged.last(RequestEscalated)).why == "Approved so far: 1 of ada, grace."  # type: ignore[attr-defined]
    staged.clock.pass_by(minutes=30)
    await staged.sweep()
    assert (await called(staged))[1:] == [("reminded", ("U0MARGARET",))]
    await staged.broker.approve(request.id, MARGARET, request.digest)
    assert (await staged.grant(1)).state is GrantState.ACTIVE


async def test_the_log_says_how_far_each_stage_is(staged: World) -> None:
    request = await staged.asked(role="write")
    asked = [read_stage(line) for line in (await staged.last(RequestAsked)).stages]  # type: ignore[attr-defined]
    assert [(s.of, s.by, s.asked) for s in asked if s] == [
        (("ada", "grace"), (), ("U0ADA", "U0GRACE")), (("security",), (), ()),
    ]  # fmt: skip
    await staged.broker.approve(request.id, GRACE, request.digest)
    given = [read_stage(line) for line in (await staged.last(ApprovalGiven)).stages]  # type: ignore[attr-defined]
    assert [(s.of, s.by, s.asked, s.met) for s in given if s] == [
        (("ada", "grace"), ("U0GRACE",), (), True), (("security",), (), ("U0MARGARET",), False),
    ]  # fmt: skip


async def test_one_approval_of_one_group_needs_no_stages_in_the_log(world: World) -> None:
    await world.asked()
    assert (await world.last(RequestAsked)).stages == ()  # type: ignore[attr-defined]


async def test_alternatives_are_written_down_with_the_nearest_first(staged: World) -> None:
    request = await staged.asked(role="drop")
    assert request.asked == ("U0ADA", "U0GRACE", "U0MARGARET")
    await staged.broker.approve(request.id, ADA, request.digest)
    given = [read_stage(line) for line in (await staged.last(ApprovalGiven)).stages]  # type: ignore[attr-defined]
    assert [(s.needed, s.of, s.by, s.instead) for s in given if s] == [
        (2, ("ada", "grace"), ("U0ADA",), False), (1, ("margaret",), (), True),
    ]  # fmt: skip


async def test_whoever_comes_on_call_is_asked_at_the_next_look(world: World) -> None:
    world.groups = Groups("U0ADA")
    world.groups.clock = world.clock
    world.restart()
    with_policy(world, POLICY.replace("orders-owners: [ada, grace]", "orders-owners: {slack: S0OWNERS}"))
    request = await world.asked()
    assert request.asked == ("U0ADA",)
    world.groups.people = frozenset({"U0GRACE"})
    world.clock.pass_by(minutes=30)
    await world.sweep()
    assert await called(world) == [("escalated", ("U0GRACE",))]


async def test_while_nobody_can_say_who_is_in_a_group_it_is_looked_up_again_every_minute(world: World) -> None:
    world.groups = Groups("U0ADA")
    world.groups.clock, world.groups.silent = world.clock, True
    world.restart()
    with_policy(world, POLICY.replace("orders-owners: [ada, grace]", "orders-owners: {slack: S0OWNERS}"))
    request = await world.asked()
    assert request.asked == ()
    world.clock.pass_by(minutes=1)
    await world.sweep()
    assert await called(world) == []
    world.groups.silent = False
    world.clock.pass_by(minutes=1)
    await world.sweep()
    assert await called(world) == [("escalated", ("U0ADA",))]


async def test_a_request_whose_rule_is_gone_says_so_and_lapses(world: World) -> None:
    request = await world.asked()
    with_policy(world, POLICY.replace("      read:", "      look:"))
    with pytest.raises(Refused, match="The policy no longer knows orders-db · read"):
        await world.broker.approve(request.id, ADA, request.digest)
    world.clock.pass_by(minutes=30)
    await world.sweep()
    reminded = await world.last(RequestReminded)
    assert isinstance(reminded, RequestReminded)
    assert (reminded.to, reminded.why) == ((), "The policy no longer knows orders-db · read.")
    world.clock.pass_by(minutes=30)
    await world.sweep()
    assert (await world.request(1)).state is RequestState.EXPIRED
    assert len(await events(world, RequestExpired)) == 1


async def test_an_approver_who_left_does_not_break_a_request(staged: World) -> None:
    request = await staged.asked(role="write")
    await staged.broker.approve(request.id, ADA, request.digest)
    staged.people.gone.add(ADA.id)
    staged.clock.pass_by(minutes=30)
    await staged.sweep()
    assert (await called(staged))[-1] == ("reminded", ("U0GRACE",))
    await staged.broker.approve(request.id, MARGARET, request.digest)
    assert await staged.store.grant(1) is None
    await staged.broker.approve(request.id, GRACE, request.digest)
    assert (await staged.grant(1)).state is GrantState.ACTIVE


async def test_the_sweep_while_somebody_decides_changes_nothing_of_the_decision(world: World) -> None:
    request = await world.asked()
    world.clock.pass_by(minutes=30)
    await world.sweeper.sweep()
    await world.broker.approve(request.id, ADA, request.digest)
    await world.tasks.drain(timeout=10)
    assert (await world.grant(1)).state is GrantState.ACTIVE
    assert (await world.request(1)).state is RequestState.APPROVED
    assert len(await called(world)) <= 1


async def test_of_several_limits_the_least_counts(world: World) -> None:
    request = await world.asked(role="write")
    await world.broker.approve(request.id, ADA, request.digest, timedelta(minutes=30))
    await world.broker.approve(request.id, GRACE, request.digest, timedelta(minutes=45))
    grant = await world.grant(1)
    assert grant.duration == timedelta(minutes=30)
    assert grant.expires_at == world.clock.now() + timedelta(minutes=30)
    assert [e.shorter for e in await events(world, ApprovalGiven)] == [  # type: ignore[attr-defined]
        timedelta(minutes=30), timedelta(minutes=45),
    ]  # fmt: skip


@pytest.mark.parametrize("duration", [timedelta(hours=1), timedelta(hours=2), timedelta(), timedelta(seconds=-5)])
async def test_a_limit_that_is_none_is_refused(world: World, duration: timedelta) -> None:
    request = await world.asked()
    with pytest.raises(Exception, match="1 hour was asked for"):
        await world.broker.approve(request.id, ADA, request.digest, duration)
    assert (await world.request(1)).state is RequestState.PENDING


async def test_whoever_may_see_a_request_may_comment_on_it(world: World) -> None:
    await world.asked()
    for by in (LINUS, ADA, MARGARET):
        await world.broker.comment(1, by, "which table?")
    assert [e.by for e in await events(world, CommentMade)] == [LINUS, ADA, MARGARET]  # type: ignore[attr-defined]
    with pytest.raises(NotFound):
        await world.broker.comment(1, STRANGER, "let me in")


async def test_a_comment_has_the_limits_of_a_reason_and_nobody_fills_the_log_with_them(world: World) -> None:
    await world.asked()
    for text in ("   ", "x" * (LONGEST_REASON + 1)):
        with pytest.raises(Refused) as refused:
            await world.broker.comment(1, LINUS, text)
        assert refused.value.field == "text"
    await world.broker.comment(1, LINUS, "x" * LONGEST_REASON)
    for _ in range(29):
        await world.broker.comment(1, LINUS, "again")
    with pytest.raises(Refused, match="30 times within an hour"):
        await world.broker.comment(1, LINUS, "and again")
    await world.broker.comment(1, ADA, "I heard you")


async def test_nothing_is_decided_after_it_lapsed_even_before_the_sweep(world: World) -> None:
    request = await world.asked()
    world.clock.pass_by(hours=1)
    with pytest.raises(TooLate, match="has lapsed"):
        await world.broker.approve(request.id, person("U0GRACE"), request.digest)


async def test_what_was_decided_in_stages_and_for_less_is_judged_alike_again(staged: World) -> None:
    policy = staged.policies.policy
    loaded = PolicyLoaded(at=staged.clock.now(), policy_hash=policy.hash, rules=len(policy.rules))
    await staged.store.commit(Change(events=(loaded,)))
    staged_request = await staged.asked(role="write")
    await staged.broker.approve(staged_request.id, ADA, staged_request.digest, timedelta(minutes=20))
    await staged.broker.approve(staged_request.id, MARGARET, staged_request.digest)
    stood_in = await staged.asked()
    staged.clock.pass_by(minutes=10)
    await staged.sweep()
    await staged.broker.approve(stood_in.id, GRACE, stood_in.digest, timedelta(minutes=30))
    report = replay(await staged.store.log.entries(-1, 10_000), {policy.hash: policy})
    assert (report.differences, report.skipped) == ((), ())
    assert report.checked >= 7
    lasting = [e.duration for e in await events(staged, RequestApproved)]  # type: ignore[attr-defined]
    assert lasting == [timedelta(minutes=20), timedelta(minutes=30)]
