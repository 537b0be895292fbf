"""When a grant begins, is warned about, and is over."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.afterwards.replay import replay
from access.ending.endings import Endings
from access.errors import Refused, TooLate, Unavailable
from access.events import Event, GrantEnded, GrantExpiring, GrantStarted, RequestApproved
from access.granting.grants import Grants
from access.granting.timing import extendable, extended, is_outdated, next_look, started, warning_at
from access.model import Cause, Grant, GrantState, Handle, Receipt
from access.ports import Change
from access.requesting.extending import More
from access.sweeper import Sweeper
from store import SqlStore
from tests.people import LINUS, POLICY, ManualClock
from tests.world import World, all_at_once

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NOW = ManualClock().now()
FIRST_USE = POLICY.replace("max: 4h, default: 1h}", "max: 4h, default: 1h, clock: first_use, use_within: 2h}")


def a_grant(duration: timedelta = HOUR, started_at: datetime | None = NOW) -> Grant:
    return Grant(
        number=1, request_id="r", requester=LINUS, target="orders-db", role="read", reason="", ticket="",
        provider="memory", uses={}, state=GrantState.ACTIVE, created_at=NOW, expires_at=NOW + duration, due_at=NOW,
        duration=duration, started_at=started_at,
    )  # fmt: skip


# The rules, as values


@pytest.mark.parametrize(("minutes", "before"), [(240, 5), (60, 5), (20, 5), (12, 3), (4, 1)])
def test_the_warning_comes_five_minutes_before_or_a_quarter_of_a_short_one(minutes: int, before: int) -> None:
    grant = a_grant(minutes * MINUTE)
    assert warning_at(grant) == grant.expires_at - before * MINUTE == next_look(grant)


def test_a_very_short_one_and_one_not_begun_have_no_warning() -> None:
    for grant in (a_grant(3 * MINUTE), a_grant(started_at=None)):
        assert warning_at(grant) is None
        assert next_look(grant) == grant.expires_at


@given(st.integers(1, 10**6), st.integers(0, 10**6), st.integers(1, 10**6))
def test_the_next_look_is_never_later_than_the_end(seconds: int, passed: int, more: int) -> None:
    grant = a_grant(timedelta(seconds=seconds))
    now = NOW + timedelta(seconds=min(passed, seconds))
    for each in (grant, extended(grant, timedelta(seconds=more), now), started(a_grant(started_at=None), now)):
        assert next_look(each) <= each.expires_at
        assert each is grant or each.due_at == next_look(each)


def test_what_is_left_counts_from_the_first_start() -> None:
    grant = a_grant()
    assert extendable(grant, 3 * HOUR) == 2 * HOUR
    assert extendable(extended(grant, HOUR, NOW), 3 * HOUR) == HOUR
    assert extendable(grant, MINUTE) == timedelta()
    assert extendable(a_grant(started_at=None), 3 * HOUR) == timedelta()


def test_a_handle_from_before_the_end_was_moved_is_outdated() -> None:
    handle = Handle(1, 1, "locator", NOW)
    assert not is_outdated(a_grant(), handle)
    assert is_outdated(extended(a_grant(), HOUR, NOW + MINUTE), handle)
    assert not is_outdated(extended(a_grant(), HOUR, NOW - MINUTE), handle)


class FaultyStore:
    """A store that writes no entry of one kind."""

    def __init__(self, store: SqlStore, kind: type[Event]) -> None:
        self.refused = 0
        self._store, self._kind = store, kind

    async def commit(self, change: Change) -> Receipt:
        if any(isinstance(event, self._kind) for event in change.events):
            self.refused += 1
            raise Unavailable("The database does not answer.")
        return await self._store.commit(change)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


# The clock from the first use


@pytest.fixture
def waiting(tmp_path: Path) -> Iterator[World]:
    """Whose grants to read count from the first use, and wait for it for two hours."""
    made = World(tmp_path, FIRST_USE)
    yield made
    made.close()


async def test_the_time_runs_from_the_first_credential(waiting: World) -> None:
    world = waiting
    grant = await world.opened()
    assert (grant.started_at, grant.expires_at) == (None, world.clock.now() + 2 * HOUR)
    approved = await world.last(RequestApproved)
    assert isinstance(approved, RequestApproved)
    assert (approved.first_use, approved.duration) == (True, HOUR)
    world.clock.pass_by(minutes=90)
    collected = await world.grants.collect(1, await world.device())
    grant = await world.grant(1)
    assert grant.started_at == world.clock.now()
    assert grant.expires_at == world.clock.now() + HOUR == collected.issued.not_after
    assert grant.due_at == grant.expires_at - 5 * MINUTE
    started = await world.last(GrantStarted)
    assert isinstance(started, GrantStarted)
    assert (started.by, started.expires_at) == (LINUS, grant.expires_at)
    assert await world.tags("PA-1") == [
        "request.asked", "approval.given", "request.approved", "grant.active",
        "grant.started", "handle.prepared", "credential.intended", "credential.issued",
    ]  # fmt: skip


async def test_what_it_issues_lives_to_the_new_end_also_where_that_is_later(waiting: World) -> None:
    """The container made at the opening would have ended with the time to wait."""
    world = waiting
    await world.opened(duration=4 * HOUR)
    world.clock.pass_by(minutes=110)
    secret = (await world.grants.collect(1, await world.device())).issued.secret.reveal()
    world.clock.pass_by(hours=3, minutes=59)
    await world.sweep()
    assert world.provider.login(**secret)
    world.clock.pass_by(minutes=1)
    await world.sweep()
    assert not world.provider.login(**secret)


async def test_further_credentials_do_not_start_it_again(waiting: World) -> None:
    world = waiting
    await world.opened()
    device = await world.device()
    await world.grants.collect(1, device)
    first = await world.grant(1)
    world.clock.pass_by(minutes=30)
    await world.grants.collect(1, device)
    assert (await world.grant(1)).expires_at == first.expires_at
    assert (await world.tags("PA-1")).count("grant.started") == 1


async def test_unused_it_ends_and_nothing_was_ever_issued(waiting: World) -> None:
    world = waiting
    await world.opened()
    world.clock.pass_by(hours=2)
    await world.sweep()
    grant = await world.grant(1)
    assert (grant.state, grant.cause, grant.leases) == (GrantState.REVOKED, Cause.NOT_USED, ())
    ended = await world.last(GrantEnded)
    assert isinstance(ended, GrantEnded)
    assert (ended.cause, ended.credentials) == ("not_used", 0)
    with pytest.raises(TooLate, match="has ended"):
        await world.grants.collect(1, await world.device())


async def test_many_first_uses_at_once_start_it_once(waiting: World) -> None:
    world = waiting
    await world.opened()
    device = await world.device()
    results = await all_at_once(*(world.grants.collect(1, device) for _ in range(4)))
    assert not [each for each in results if isinstance(each, Exception)]
    assert (await world.tags("PA-1")).count("grant.started") == 1


async def test_the_first_use_and_the_end_of_waiting_at_once_have_one_winner(waiting: World) -> None:
    world = waiting
    for number in range(1, 6):
        await world.opened()
        device, at_end = await world.device(), (await world.grant(number)).expires_at
        ending = world.endings.finish(number, Cause.NOT_USED, at_end=at_end)
        await all_at_once(world.grants.collect(number, device), ending)
        grant = await world.grant(number)
        if grant.started_at is None:
            assert (grant.state, grant.cause) == (GrantState.REVOKED, Cause.NOT_USED)
        else:
            assert grant.state is GrantState.ACTIVE
            await world.endings.end(number, LINUS)


async def test_a_crash_right_after_the_start_loses_nothing(waiting: World) -> None:
    world = waiting
    await world.opened()
    device = await world.device()
    world.provider.faults.silent_before = 1  # the container for the new end is not made
    with pytest.raises(Unavailable):
        await world.grants.collect(1, device)
    started = await world.grant(1)
    assert started.started_at is not None
    assert (len(started.handles), started.leases) == (1, ())
    world.restart()
    collected = await world.grants.collect(1, device)
    assert collected.issued.not_after == started.expires_at
    assert (await world.grant(1)).started_at == started.started_at


async def test_a_start_that_cannot_be_written_gives_nothing(waiting: World) -> None:
    world = waiting
    await world.opened()
    device = await world.device()
    faulty = FaultyStore(world.store, GrantStarted)
    grants = Grants(replace(world.grants.custody, store=faulty))
    with pytest.raises(Unavailable):
        await grants.collect(1, device)
    assert faulty.refused
    assert (await world.grant(1)).started_at is None
    assert not world.provider.live()


async def test_what_was_never_used_cannot_be_prolonged(waiting: World) -> None:
    await waiting.opened()
    with pytest.raises(Refused, match="has not been used yet"):
        await waiting.broker.extend(1, LINUS, More(HOUR, "why", "a-key-of-its-own"))


async def test_the_first_use_replays_the_same(waiting: World) -> None:
    world = waiting
    await world.opened()
    world.clock.pass_by(minutes=90)
    await world.grants.collect(1, await world.device())
    world.clock.pass_by(minutes=50)
    await world.grants.collect(1, await world.device())
    policy = world.policies.policy
    report = replay(await world.store.log.entries(-1, 1000), {policy.hash: policy})
    assert (report.differences, report.skipped) == ((), ())


# The warning


async def test_its_requester_is_warned_once_before_the_end(world: World) -> None:
    grant = await world.opened()
    world.clock.pass_by(minutes=54)
    await world.sweep()
    assert "grant.expiring" not in await world.tags("PA-1")
    world.clock.pass_by(minutes=1)
    for _ in range(3):
        await world.sweep()
    assert (await world.tags("PA-1")).count("grant.expiring") == 1
    event = await world.last(GrantExpiring)
    assert isinstance(event, GrantExpiring)
    assert event.expires_at == grant.expires_at == (await world.grant(1)).due_at


async def test_a_warning_that_cannot_be_written_does_not_hold_up_the_end(world: World) -> None:
    await world.opened()
    faulty = FaultyStore(world.store, GrantExpiring)
    endings = Endings(replace(world.endings.custody, store=faulty))
    sweeper = Sweeper(world.store, replace(world.broker, endings=endings), world.clock, world.tasks)
    for minutes in (56, 1, 3):
        world.clock.pass_by(minutes=minutes)
        await sweeper.sweep()
        await world.tasks.drain(timeout=30)
    assert faulty.refused == 2
    grant = await world.grant(1)
    assert (grant.state, grant.cause, grant.ended_at) == (GrantState.REVOKED, Cause.DEADLINE, grant.expires_at)


async def test_after_a_standstill_it_ends_without_a_late_warning(world: World) -> None:
    await world.opened()
    world.clock.pass_by(hours=2)
    await world.sweep()
    assert "grant.expiring" not in await world.tags("PA-1")
    assert (await world.grant(1)).state is GrantState.REVOKED


async def test_a_credential_on_its_way_out_does_not_lose_to_the_warning(world: World) -> None:
    await world.opened()
    device = await world.device()
    world.clock.pass_by(minutes=56)
    results = await all_at_once(world.grants.collect(1, device), world.sweep(), asyncio.sleep(0))
    assert not [each for each in results if isinstance(each, Exception)]
    await world.sweep()
    assert (await world.tags("PA-1")).count("grant.expiring") == 1
