"""A grant from its opening to its proven end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from access.errors import NotFound, Refused, TooLate, Unavailable
from access.events import CredentialIntended, GrantEnded, RevocationFailed
from access.model import Cause, GrantState
from tests.people import ADA, GRACE, LINUS, MARGARET, STRANGER
from tests.world import World, all_at_once


async def test_a_credential_works_until_the_deadline_and_not_after(world: World) -> None:
    await world.opened()
    issued = (await world.grants.collect(1, await world.device())).issued
    secret = issued.secret.reveal()
    assert world.provider.login(**secret)
    world.clock.pass_by(minutes=60)
    await world.sweep()
    grant = await world.grant(1)
    assert grant.state is GrantState.REVOKED
    assert grant.cause is Cause.DEADLINE
    assert not world.provider.login(**secret)
    ended = await world.last(GrantEnded)
    assert isinstance(ended, GrantEnded)
    assert ended.credentials == 1
    assert ended.proof


async def test_nothing_is_issued_without_a_durable_intent(world: World) -> None:
    await world.opened()
    world.provider.faults.silent_after = 1
    with pytest.raises(Unavailable):
        await world.grants.collect(1, await world.device())
    assert await world.last(CredentialIntended)
    assert len(world.provider.live()) == 1  # it exists, and nobody holds its secret …
    await world.endings.finish(1, Cause.DEADLINE)
    assert not world.provider.live()  # … and it dies with the grant


async def test_only_the_requester_collects(world: World) -> None:
    await world.opened()
    for other in (ADA, MARGARET, GRACE):
        with pytest.raises(NotFound):
            await world.grants.collect(1, await world.device(other))
    with pytest.raises(NotFound):
        await world.grants.collect(2, await world.device())


async def test_after_the_deadline_nothing_is_issued_even_before_the_sweep(world: World) -> None:
    await world.opened()
    device = await world.device()
    world.clock.pass_by(hours=1)
    with pytest.raises(TooLate, match="has ended"):
        await world.grants.collect(1, device)


async def test_a_requester_who_left_or_lost_the_right_collects_nothing(world: World) -> None:
    await world.opened()
    device = await world.device()
    world.clock.pass_by(seconds=1)
    world.people.gone.add(LINUS.id)
    with pytest.raises(Refused, match="deactivated"):
        await world.grants.collect(1, device)
    world.people.gone.clear()
    world.policies.policy = replace(world.policies.policy, groups={"orders-owners": frozenset({"ada"})})
    with pytest.raises(Refused, match="no longer gives"):
        await world.grants.collect(1, device)


async def test_a_restart_in_between_prepares_anew_and_the_old_attempt_dies_too(world: World) -> None:
    await world.opened()
    first = (await world.grants.collect(1, await world.device())).issued.secret.reveal()
    world.restart()
    second = (await world.grants.collect(1, await world.device())).issued.secret.reveal()
    grant = await world.grant(1)
    assert [handle.attempt for handle in grant.handles] == [1, 2]
    assert [lease.n for lease in grant.leases] == [1, 2]
    await world.endings.end(1, LINUS)
    assert not world.provider.login(**first)
    assert not world.provider.login(**second)


@pytest.mark.parametrize(
    ("who", "cause"),
    [(LINUS, Cause.REQUESTER), (ADA, Cause.APPROVER), (GRACE, Cause.APPROVER), (MARGARET, Cause.ADMIN)],
)
async def test_who_may_end_it_early(world: World, who: object, cause: Cause) -> None:
    await world.opened()
    ended = await world.endings.end(1, who)  # type: ignore[arg-type]
    assert (ended.state, ended.cause) == (GrantState.REVOKED, cause)


async def test_a_stranger_cannot_end_it_and_does_not_learn_of_it(world: World) -> None:
    await world.opened()
    for number in (1, 99):
        with pytest.raises(NotFound, match="no such grant that you may end"):
            await world.endings.end(number, STRANGER)


async def test_ending_twice_is_said_kindly_and_happens_once(world: World) -> None:
    await world.opened()
    results = await all_at_once(*(world.endings.end(1, who) for who in (LINUS, ADA, LINUS, MARGARET)))
    assert any(not isinstance(r, Exception) for r in results)
    tags = await world.tags("PA-1")
    assert tags.count("grant.ending") == tags.count("grant.ended") == 1


async def test_collect_and_end_at_once_leave_nothing_alive(world: World) -> None:
    for number in range(1, 11):
        await world.opened()
        device = await world.device()
        collecting = [world.grants.collect(number, device) for _ in range(3)]
        await all_at_once(*collecting, world.endings.end(number, LINUS))
        assert (await world.grant(number)).state is GrantState.REVOKED
        assert not world.provider.live()


async def test_a_definite_no_fails_the_grant(world: World) -> None:
    world.provider.faults.refuse = "the role does not exist"
    grant = await world.opened()
    assert grant.state is GrantState.FAILED
    assert grant.due_at is None


async def test_a_silence_at_the_opening_is_quarantined_and_then_settled(world: World) -> None:
    world.provider.faults.silent_before = 1
    grant = await world.opened()
    assert grant.state is GrantState.QUARANTINE
    for seconds in (5, 25, 90):
        world.clock.pass_by(seconds=seconds)
        await world.sweep()
    grant = await world.grant(1)
    assert grant.state is GrantState.FAILED
    assert grant.ended_at is not None
    assert grant.ended_at - grant.created_at >= timedelta(seconds=120)


async def test_a_crash_before_the_opening_is_settled(world: World) -> None:
    world.provider.faults.silent_before = 1
    await world.opened()
    stuck = replace(await world.grant(1), state=GrantState.ISSUING, due_at=world.clock.now())
    from access.ports import Change

    await world.store.commit(Change(grants=(stuck,)))
    world.restart()
    await world.sweep()
    assert (await world.grant(1)).state is GrantState.QUARANTINE


async def test_a_revocation_that_fails_is_tried_for_ever_and_escalated(world: World) -> None:
    await world.opened()
    issued = (await world.grants.collect(1, await world.device())).issued
    world.provider.faults.stuck = 6
    await world.endings.finish(1, Cause.DEADLINE)
    for _ in range(6):
        assert (await world.grant(1)).state is GrantState.REVOKING
        world.clock.pass_by(seconds=61)
        await world.sweep()
    grant = await world.grant(1)
    assert grant.state is GrantState.REVOKED
    assert grant.attempts == 7
    assert not world.provider.login(**issued.secret.reveal())
    said = [e.event for e in await world.store.log.entries_of("PA-1") if isinstance(e.event, RevocationFailed)]
    assert [(event.tries, event.escalated) for event in said] == [(1, False), (2, True), (3, True), (6, True)]


async def test_a_crash_while_revoking_is_taken_up_again(world: World) -> None:
    await world.opened()
    await world.grants.collect(1, await world.device())
    world.provider.faults.stuck = 1
    await world.endings.finish(1, Cause.REQUESTER, LINUS)
    world.restart()
    world.clock.pass_by(seconds=61)
    await world.sweep()
    grant = await world.grant(1)
    assert (grant.state, grant.cause, grant.ended_by) == (GrantState.REVOKED, Cause.REQUESTER, LINUS)
    assert not world.provider.live()


async def test_overlapping_grants_do_not_cut_each_other(world: World) -> None:
    await world.opened(duration=timedelta(hours=1))
    await world.opened(duration=timedelta(hours=2))
    device = await world.device()
    short = (await world.grants.collect(1, device)).issued.secret.reveal()
    long = (await world.grants.collect(2, device)).issued.secret.reveal()
    world.clock.pass_by(hours=1)
    await world.sweep()
    assert not world.provider.login(**short)
    assert world.provider.login(**long)


async def test_a_provider_that_is_not_configured_fails_the_grant_with_words(world: World) -> None:
    world.grants.custody.providers.pop("memory")  # type: ignore[attr-defined]
    grant = await world.opened()
    assert grant.state is GrantState.FAILED
    assert "no provider is configured" in str((await world.store.log.entries_of("PA-1"))[-1].event)


async def test_no_secret_reaches_the_database(world: World) -> None:
    await world.opened()
    issued = (await world.grants.collect(1, await world.device())).issued
    await asyncio.to_thread(world.store.close)
    from pathlib import Path

    directory = Path(world.url.removeprefix("sqlite:///")).parent
    everything = b"".join(file.read_bytes() for file in directory.iterdir())
    assert issued.public_id.encode() in everything
    assert issued.secret.reveal()["password"].encode() not in everything
    world._build()
