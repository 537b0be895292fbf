"""Grants end at their deadlines while the database keeps silent; later the log says so, with the true times."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from access.errors import Unavailable
from access.events import GrantEnded, GrantEnding, RevocationFailed
from access.granting.timing import extended
from access.model import Cause, GrantState
from access.ports import Change
from access.revoking.outcome import Outcome
from access.revoking.replaying import replay
from access.revoking.starting import ending
from tests.access.revoking.standing import NoSpool, Standing, StuckSpool
from tests.people import LINUS
from tests.world import World

HOUR = timedelta(hours=1)


@pytest.fixture
def standing(world: World, tmp_path: Path) -> Iterator[Standing]:
    made = Standing(world, tmp_path / "spool")
    yield made
    made.close()


async def _open(standing: Standing, count: int = 1) -> list[str]:
    """With a credential each; their user names."""
    world, names = standing.world, []
    device = await world.device()
    for _ in range(count):
        grant = await world.opened()
        names.append((await world.grants.collect(grant.number, device)).issued.public_id)
    return names


async def test_a_grant_ends_while_the_database_keeps_silent_and_the_log_says_when(standing: Standing) -> None:
    world = standing.world
    await _open(standing)
    grant = await world.grant(1)
    await standing.follow()
    await standing.pass_over(hours=1)
    assert not world.provider.live()
    assert standing.stand_in.holds(1)
    world.clock.pass_by(minutes=1)
    with pytest.raises(Unavailable):
        await world.endings.end(1, LINUS)
    await standing.come_back()
    ended = await world.grant(1)
    assert (ended.state, ended.cause) == (GrantState.REVOKED, Cause.DEADLINE)
    assert ended.ended_at == ended.ending_since == grant.expires_at
    begun, over = [e.event for e in await world.store.log.entries_of("PA-1")][-2:]
    assert isinstance(begun, GrantEnding)
    assert isinstance(over, GrantEnded)
    assert (begun.happened_at, over.happened_at) == (grant.expires_at, grant.expires_at)
    assert begun.at == over.at == grant.expires_at + timedelta(minutes=1)
    assert (over.credentials, over.tried, over.cause) == (1, True, Cause.DEADLINE)
    assert [lease.gone_at for lease in ended.leases] == [grant.expires_at]
    assert (standing.spooled(), standing.stand_in.holds(1), standing.stand_in.unwritten) == ([], False, 0)


async def test_what_was_never_used_says_so(standing: Standing) -> None:
    world = standing.world
    grant = await world.opened()
    waiting = replace(grant, started_at=None)
    await world.store.commit(Change(grants=(waiting,)))
    await standing.follow()
    await standing.pass_over(hours=1)
    await standing.come_back()
    assert (await world.grant(1)).cause is Cause.NOT_USED


async def test_the_spool_is_written_first_and_holds_no_locator(standing: Standing) -> None:
    await _open(standing)
    await standing.follow()
    await standing.pass_over(hours=1)
    begun, over = standing.spooled()
    assert b'"gone":null' in begun
    assert b'"proof":[' in over
    grant = standing.shadow.get(1)
    assert grant is not None
    for locator in (*(h.locator for h in grant.handles), *(x.locator for x in grant.leases)):
        assert locator
        assert locator.encode() not in begun + over
    assert {path.stat().st_mode & 0o777 for path in standing.directory.iterdir()} == {0o600}


async def test_to_write_it_down_twice_changes_nothing(standing: Standing) -> None:
    world = standing.world
    await _open(standing, 3)
    await standing.follow()
    await standing.pass_over(hours=1)
    outcomes = tuple(standing.stand_in._outcomes.values())
    standing.silence.reigns = False
    await replay(world.endings.custody, outcomes)
    head, grants = await world.store.log.head(), await world.store.grants_by_number([1, 2, 3])
    await replay(world.endings.custody, outcomes)
    await replay(world.endings.custody, tuple(reversed(outcomes)))
    assert await world.store.log.head() == head
    assert await world.store.grants_by_number([1, 2, 3]) == grants


async def test_a_process_that_dies_leaves_its_spool_to_the_next(standing: Standing) -> None:
    world = standing.world
    await _open(standing, 2)
    deadline = (await world.grant(1)).expires_at
    await standing.follow()
    await standing.pass_over(hours=1)
    (file,) = standing.directory.iterdir()
    file.write_bytes(file.read_bytes() + b'00000000 {"grant":1,"torn')
    standing.close()
    world.restart()
    world.clock.pass_by(minutes=2)
    after = Standing(world, standing.directory)
    assert after.stand_in.holds(1)
    await world.sweep()
    assert (await world.grant(1)).state is GrantState.ACTIVE  # it is written down first
    await after.come_back()
    assert [(await world.grant(n)).ended_at for n in (1, 2)] == [deadline] * 2
    assert not list(standing.directory.iterdir())
    after.close()


async def test_only_begun_it_is_ended_once_more(standing: Standing) -> None:
    """A crash between the spool and the provider's answer."""
    world = standing.world
    await _open(standing)
    grant = await world.grant(1)
    await standing.follow()
    begun = Outcome(1, grant.version, grant.expires_at, grant.expires_at)
    world.clock.pass_by(hours=1, minutes=1)
    await replay(world.endings.custody, (begun,))
    ending_now = await world.grant(1)
    assert (ending_now.state, ending_now.ending_since) == (GrantState.REVOKING, grant.expires_at)
    await world.sweep()
    assert (await world.grant(1)).state is GrantState.REVOKED
    assert not world.provider.live()


async def test_a_grant_that_somebody_else_prolonged_unseen_goes_on(standing: Standing) -> None:
    world = standing.world
    await _open(standing)
    await standing.follow()
    world.store.wrote = lambda _: None  # as if another process wrote it
    grant = await world.grant(1)
    await world.store.commit(Change(grants=(extended(grant, HOUR, world.clock.now()),)))
    await standing.pass_over(hours=1)
    assert not world.provider.live()
    await standing.come_back()
    goes_on = await world.grant(1)
    assert (goes_on.state, goes_on.expires_at) == (GrantState.ACTIVE, grant.expires_at + HOUR)
    assert "grant.ending" not in await world.tags("PA-1")
    device = await world.device()
    issued = (await world.grants.collect(1, device)).issued  # collecting anew works
    assert world.provider.login(**issued.secret.reveal())


async def test_what_this_process_prolonged_itself_is_known_at_once(standing: Standing) -> None:
    world = standing.world
    await _open(standing)
    await standing.follow()
    grant = await world.grant(1)
    await world.store.commit(Change(grants=(extended(grant, HOUR, world.clock.now()),)))
    await standing.pass_over(hours=1)
    assert len(world.provider.live()) == 1
    await standing.pass_over(hours=1)
    assert not world.provider.live()


async def test_what_others_wrote_is_followed(standing: Standing) -> None:
    world = standing.world
    await standing.follow()
    world.store.wrote = lambda _: None
    await _open(standing, 2)
    assert len(standing.shadow) == 0
    await standing.follow()
    assert len(standing.shadow) == 2
    await world.endings.end(1, LINUS)
    await standing.follow()
    assert [standing.shadow.knows(n) for n in (1, 2)] == [False, True]


async def test_whoever_ended_it_meanwhile_has_the_word(standing: Standing) -> None:
    world = standing.world
    await _open(standing)
    await standing.follow()
    await standing.pass_over(hours=1)
    standing.silence.reigns = False
    world.sweeper.ends.stand_in = None
    await world.sweep()  # as another process' sweeper would
    before = await world.tags("PA-1")
    await standing.come_back()
    assert await world.tags("PA-1") == before
    assert before.count("grant.ended") == 1


async def test_a_row_that_changed_unseen_is_ended_with_everything_that_is_known(standing: Standing) -> None:
    world = standing.world
    await _open(standing)
    await standing.follow()
    world.store.wrote = lambda _: None
    await world.grants.collect(1, await world.device())  # one more, of which the shadow knows nothing
    grant = await world.grant(1)
    await standing.pass_over(hours=1)
    await standing.come_back()
    ended = await world.grant(1)
    assert (ended.state, ended.ending_since) == (GrantState.REVOKED, grant.expires_at)
    assert ended.ended_at is not None
    events = [e.event for e in await world.store.log.entries_of("PA-1")]
    assert [e.credentials for e in events if isinstance(e, GrantEnded)] == [2]
    assert not world.provider.live()


async def test_a_target_that_refuses_meanwhile_is_tried_again_and_told_of(standing: Standing) -> None:
    world = standing.world
    await _open(standing)
    deadline = (await world.grant(1)).expires_at
    world.provider.faults.stuck = 2
    await standing.follow()
    await standing.pass_over(hours=1)
    assert (standing.stand_in.unwritten, standing.stand_in.unconfirmed) == (1, 1)
    for _ in range(2):
        await standing.pass_over(seconds=61)
    assert not world.provider.live()
    assert standing.stand_in.unconfirmed == 0
    await standing.come_back()
    events = [e.event for e in await world.store.log.entries_of("PA-1")][-3:]
    assert [event.TAG for event in events] == ["grant.ending", "revocation.failed", "grant.ended"]
    _, failed, over = events
    assert isinstance(failed, RevocationFailed)
    assert isinstance(over, GrantEnded)
    assert (failed.happened_at, over.happened_at) == (deadline, deadline + timedelta(seconds=122))


async def test_not_yet_proven_when_the_database_is_back_it_goes_on_from_there(standing: Standing) -> None:
    world = standing.world
    await _open(standing)
    deadline = (await world.grant(1)).expires_at
    world.provider.faults.stuck = 1
    await standing.follow()
    await standing.pass_over(hours=1)
    world.clock.pass_by(seconds=5)
    await standing.come_back()
    ended = await world.grant(1)
    assert (ended.state, ended.ending_since, ended.attempts) == (GrantState.REVOKED, deadline, 2)


async def test_an_ending_that_had_begun_before_is_finished(standing: Standing) -> None:
    world = standing.world
    await _open(standing)
    grant, now = await world.grant(1), world.clock.now()
    await world.store.commit(ending(grant, Cause.ADMIN, now))
    await standing.follow()
    await standing.pass_over(seconds=10)
    assert world.provider.live()  # somebody has it claimed
    await standing.pass_over(seconds=21)
    assert not world.provider.live()
    await standing.come_back()
    ended = await world.grant(1)
    assert (ended.state, ended.cause, ended.ended_at) == (GrantState.REVOKED, Cause.ADMIN, world.clock.now())


async def test_ending_does_not_wait_for_a_spool_that_cannot_be_written(standing: Standing) -> None:
    world = standing.world
    await _open(standing)
    standing.stand_in.spool = NoSpool()
    await standing.follow()
    await standing.pass_over(hours=1)
    assert not world.provider.live()
    await standing.come_back()
    assert (await world.grant(1)).state is GrantState.REVOKED


async def test_ending_does_not_wait_for_a_disk_that_stands_still(standing: Standing) -> None:
    world, stand_in = standing.world, standing.stand_in
    await _open(standing, count=20)
    stuck = stand_in.spool = StuckSpool(standing.directory)
    await standing.follow()
    standing.silence.reigns = True
    world.clock.pass_by(hours=1)
    try:
        stand_in.end(standing.shadow.due(world.clock.now()))
        while world.provider.live():  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.01)
        assert (standing.spooled(), stand_in.is_spool_broken) == ([], True)
        standing.silence.reigns = False
        while stand_in.unwritten:  # the log has it before the disk
            await stand_in.look()
    finally:
        stuck.released.set()
    await world.tasks.drain(timeout=30)
    assert {grant.state for grant in (await world.store.grants_by_number(range(1, 21))).values()} == {
        GrantState.REVOKED
    }
    assert (standing.spooled(), stand_in.is_spool_broken) == ([], False)  # what came late is removed all the same
    stuck.close()


async def test_what_cannot_be_written_down_keeps_its_file_and_holds_up_nothing(standing: Standing) -> None:
    world = standing.world
    await _open(standing)
    await standing.follow()
    await standing.pass_over(hours=1)
    (outcome,) = standing.stand_in._outcomes.values()
    assert outcome.gone is not None
    standing.stand_in._outcomes[1] = replace(outcome, gone_at=None)  # as no code of ours would leave it
    await standing.come_back()
    assert (await world.grant(1)).state is GrantState.REVOKED
    assert len(standing.spooled()) == 2


async def test_what_the_sweeper_cannot_begin_ends_at_once(standing: Standing) -> None:
    """The deadline comes before the silence is noticed."""
    world = standing.world
    await _open(standing)
    world.clock.time = (await world.grant(1)).expires_at - timedelta(seconds=1)
    await world.sweep()  # its warning
    await world.sweeper.sweep()
    standing.silence.reigns = True
    world.clock.pass_by(seconds=1)
    await world.tasks.drain(timeout=10)
    assert not world.provider.live()
    await standing.come_back()
    assert (await world.grant(1)).state is GrantState.REVOKED


async def test_a_review_that_the_end_begins_is_opened(world: World, tmp_path: Path) -> None:
    standing = Standing(world, tmp_path / "spool")
    await _open(standing)
    await world.store.commit(Change(grants=(replace(await world.grant(1), review=True),)))
    await standing.follow()
    await standing.pass_over(hours=1)
    world.clock.pass_by(minutes=3)
    await standing.come_back()
    review = await world.store.review(1)
    assert review is not None
    assert review.opened_at == world.clock.now()
    standing.close()
