"""Prolonging a grant: a fresh decision of its own, never past what the rule gives in all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from access.afterwards.replay import replay
from access.errors import AccessError, NotFound, Refused, TooLate
from access.events import AskRefused, GrantExtended, RequestApproved, RequestCancelled
from access.model import Cause, Grant, GrantState, Person, Request, RequestState
from access.ports import Change
from access.requesting.extending import More
from prodaccess.policies.file import parse_policy
from tests.people import ADA, GRACE, LINUS, MARGARET, POLICY
from tests.world import World, all_at_once

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LONGER = POLICY.replace("max: 4h, default: 1h}", "max: 4h, default: 1h, total: 6h}").replace(
    "        max: 1h\n", "        max: 1h\n        total: 2h\n"
)
ALONE = LONGER.replace("approvers: [orders-owners], max: 4h", "approve: nobody, max: 4h")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, LONGER)
    yield made
    made.close()


async def more(world: World, duration: timedelta = HOUR, by: Person = LINUS, **changes: str) -> Request:
    fields = {"reason": "the import still runs", "key": f"more-{world.clock.now()}-{duration}", **changes}
    return await world.broker.extend(1, by, More(duration, **fields))


async def prolonged(world: World, duration: timedelta = HOUR) -> Grant:
    request = await more(world, duration)
    await world.broker.approve(request.id, ADA, request.digest)
    return await world.grant(1)


async def test_an_approved_extension_moves_the_end_and_opens_nothing_new(world: World) -> None:
    before = await world.opened()
    world.clock.pass_by(minutes=50)
    request = await more(world)
    assert (request.ref, request.extends, request.ticket) == ("PA-2", 1, "OPS-412")
    assert (await world.grant(1)).expires_at == before.expires_at  # until somebody has decided
    decided = await world.broker.approve(request.id, ADA, request.digest)
    grant = await world.grant(1)
    assert decided.state is RequestState.APPROVED
    assert grant.expires_at == before.expires_at + HOUR
    assert grant.due_at == grant.expires_at - 5 * MINUTE
    assert await world.store.grant(2) is None
    event = await world.last(GrantExtended)
    assert isinstance(event, GrantExtended)
    assert (event.ref, event.by, event.extension) == ("PA-1", ADA, "PA-2")
    assert (event.was, event.expires_at) == (before.expires_at, grant.expires_at)
    approved = await world.last(RequestApproved)
    assert isinstance(approved, RequestApproved)
    assert (approved.expires_at, approved.duration, approved.first_use) == (grant.expires_at, HOUR, False)


async def test_a_credential_from_before_keeps_its_own_end_and_a_new_one_lasts_longer(world: World) -> None:
    before = await world.opened()
    device = await world.device()
    old = (await world.grants.collect(1, device)).issued
    world.clock.pass_by(minutes=50)
    grant = await prolonged(world)
    new = (await world.grants.collect(1, device)).issued
    assert old.not_after == before.expires_at
    assert new.not_after == grant.expires_at
    assert [handle.attempt for handle in (await world.grant(1)).handles] == [1, 2]
    world.clock.pass_by(minutes=12)
    assert not world.provider.login(**old.secret.reveal())
    assert world.provider.login(**new.secret.reveal())
    world.clock.pass_by(minutes=58)
    await world.sweep()
    ended = await world.grant(1)
    assert (ended.state, ended.cause) == (GrantState.REVOKED, Cause.DEADLINE)
    assert not world.provider.live()


async def test_extensions_never_go_past_what_the_rule_gives_in_all(world: World) -> None:
    first = await world.opened(duration=4 * HOUR)
    with pytest.raises(Refused, match="at most 2 hours more for PA-1") as refused:
        await more(world, 3 * HOUR)
    assert refused.value.field == "duration"
    assert isinstance(await world.last(AskRefused), AskRefused)
    grant = await prolonged(world, 2 * HOUR)
    assert grant.expires_at == first.expires_at + 2 * HOUR
    with pytest.raises(Refused, match="given for 6 hours in all: nothing more for PA-1"):
        await more(world, MINUTE)


async def test_two_extensions_approved_at_once_stay_within_the_total(world: World) -> None:
    await world.opened(duration=4 * HOUR)
    asks = [await more(world, 2 * HOUR, key=f"key-of-extension-{n}") for n in range(2)]
    done = await all_at_once(*(world.broker.approve(each.id, ADA, each.digest) for each in asks))
    assert len([each for each in done if isinstance(each, AccessError)]) == 1
    grant = await world.grant(1)
    assert grant.started_at is not None
    assert grant.expires_at == grant.started_at + 6 * HOUR


async def test_only_its_requester_can_ask_for_more(world: World) -> None:
    await world.opened()
    for other in (ADA, MARGARET):
        with pytest.raises(NotFound, match="no such grant of yours"):
            await more(world, by=other)
    with pytest.raises(NotFound):
        await world.broker.extend(9, LINUS, More(HOUR, "why", "a-key-of-its-own"))


async def test_nobody_approves_their_own_extension_and_it_needs_as_many_as_the_ask(world: World) -> None:
    first = await world.asked(role="write", ticket="")
    for approver in (ADA, GRACE):
        await world.broker.approve(first.id, approver, first.digest)
    request = await more(world)
    with pytest.raises(Refused, match="own request"):
        await world.broker.approve(request.id, LINUS, request.digest)
    await world.broker.approve(request.id, ADA, request.digest)
    assert (await world.grant(1)).expires_at == world.clock.now() + HOUR
    await world.broker.approve(request.id, MARGARET, request.digest)
    assert (await world.grant(1)).expires_at == world.clock.now() + 2 * HOUR


async def test_an_approver_may_give_less_than_was_asked_for(world: World) -> None:
    before = await world.opened()
    request = await more(world)
    await world.broker.approve(request.id, ADA, request.digest, 20 * MINUTE)
    assert (await world.grant(1)).expires_at == before.expires_at + 20 * MINUTE


async def test_a_denied_extension_changes_nothing(world: World) -> None:
    before = await world.opened()
    request = await more(world)
    await world.broker.deny(request.id, GRACE, "the freeze begins")
    assert (await world.grant(1)).expires_at == before.expires_at


async def test_where_the_rule_needs_nobody_it_is_prolonged_at_once(world: World) -> None:
    world.policies.policy = parse_policy(ALONE)
    await world.asked()
    before = await world.grant(1)
    assert (await more(world)).state is RequestState.APPROVED
    assert (await world.grant(1)).expires_at == before.expires_at + HOUR


async def test_a_grant_that_ends_takes_its_waiting_extension_with_it(world: World) -> None:
    await world.opened()
    request = await more(world)
    await world.endings.end(1, LINUS)
    await world.sweep()
    over = await world.request(2)
    assert (over.state, over.note) == (RequestState.CANCELLED, "PA-1 has ended, so there is nothing to prolong.")
    event = await world.last(RequestCancelled)
    assert isinstance(event, RequestCancelled)
    assert (event.by, event.why) == (None, over.note)
    with pytest.raises(TooLate):
        await world.broker.approve(request.id, ADA, request.digest)


async def test_an_approval_that_comes_after_the_end_says_so_and_closes_the_extension(world: World) -> None:
    """Also where the ending had no time to close it, for a crash."""
    await world.opened()
    request = await more(world)
    waiting = await world.request(2)
    await world.endings.end(1, LINUS)
    await world.tasks.drain(timeout=30)
    closed = await world.request(2)
    await world.store.commit(Change(requests=(replace(waiting, version=closed.version),)))
    with pytest.raises(TooLate, match="PA-1 has ended, so there is nothing to prolong"):
        await world.broker.approve(request.id, ADA, request.digest)
    assert (await world.request(2)).state is RequestState.CANCELLED
    assert not world.provider.live()


async def test_a_request_for_more_lapses_with_the_grant_at_the_latest(world: World) -> None:
    grant = await world.opened(duration=20 * MINUTE)
    assert (await more(world)).lapses_at == grant.expires_at


async def test_an_ended_grant_cannot_be_prolonged(world: World) -> None:
    await world.opened()
    await world.endings.end(1, LINUS)
    with pytest.raises(Refused, match="PA-1 is not active, so there is nothing to prolong"):
        await more(world)


async def test_the_right_is_judged_anew(world: World) -> None:
    await world.opened()
    request = await more(world)
    world.policies.policy = replace(world.policies.policy, groups={"orders-owners": frozenset({"ada"})})
    with pytest.raises(Refused, match="may no longer have this"):
        await world.broker.approve(request.id, ADA, request.digest)


async def test_the_total_of_today_counts_at_the_approval(world: World) -> None:
    await world.opened(duration=4 * HOUR)
    request = await more(world, 2 * HOUR)
    world.policies.policy = parse_policy(LONGER.replace("total: 6h", "total: 5h"))
    with pytest.raises(Refused, match="at most 1 hour more"):
        await world.broker.approve(request.id, ADA, request.digest)


async def test_every_decision_about_it_replays_the_same(world: World) -> None:
    await world.opened(duration=4 * HOUR)
    await world.grants.collect(1, await world.device())
    with pytest.raises(Refused):
        await more(world, 3 * HOUR)
    await prolonged(world)
    request = await more(world, 30 * MINUTE, key="another-key-of-mine")
    await world.broker.approve(request.id, ADA, request.digest, 10 * MINUTE)
    world.clock.pass_by(hours=4, minutes=30)
    await world.grants.collect(1, await world.device())
    policy = world.policies.policy
    report = replay(await world.store.log.entries(-1, 1000), {policy.hash: policy})
    assert report.checked
    assert (report.differences, report.skipped) == ((), ())


async def test_it_is_warned_about_the_new_end_too(world: World) -> None:
    await world.opened()
    world.clock.pass_by(minutes=56)
    await world.sweep()
    assert (await world.tags("PA-1")).count("grant.expiring") == 1
    assert (await world.grant(1)).warned_at is not None
    grant = await prolonged(world)
    assert grant.warned_at is None
    world.clock.pass_by(minutes=60)
    await world.sweep()
    assert (await world.tags("PA-1")).count("grant.expiring") == 2
    assert (await world.grant(1)).state is GrantState.ACTIVE
    world.clock.pass_by(minutes=4)
    await world.sweep()
    assert (await world.grant(1)).state is GrantState.REVOKED
