"""From an intent to a credential in somebody's hands, and what becomes of it when that fails."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest

from access.errors import TooLate, Unavailable
from access.events import CredentialAborted, CredentialIssued
from access.gate import GateFault, Intent
from access.granting.grants import Grants
from access.granting.handover import UNWRITTEN
from access.granting.reaper import Reaper
from access.model import Grant, GrantState, Handle
from access.ports import Collected, Issued
from providers.memory import MemoryProvider
from tests.access.granting.gate_troubles import Troubles, troubled
from tests.people import LINUS
from tests.world import World

STEPS = ("credential.intended", "credential.issued", "credential.aborted")


async def opened(world: World, *plan: str) -> Troubles:
    await world.opened()
    return troubled(world, plan)


async def told(world: World) -> list[str]:
    return [tag for tag in await world.tags("PA-1") if tag in STEPS]


async def aborted(world: World) -> str:
    event = await world.last(CredentialAborted)
    assert isinstance(event, CredentialAborted)
    return event.why


async def test_all_goes_well(world: World) -> None:
    troubles = await opened(world)
    outcome = await troubles.collect()
    assert isinstance(outcome, Collected)
    assert world.provider.login(**outcome.issued.secret.reveal())
    assert await told(world) == ["credential.intended", "credential.issued"]
    issued = next(e for e in await world.store.log.entries_of("PA-1") if isinstance(e.event, CredentialIssued))
    assert [covered.seq for covered in troubles.covered] == [issued.seq]


@pytest.mark.parametrize("trouble", ["fails", "stalls"])
async def test_without_an_intent_nobody_is_asked_for_a_credential(world: World, trouble: str) -> None:
    outcome = await (await opened(world, trouble)).collect()
    assert str(outcome) == UNWRITTEN
    assert await told(world) == []
    assert not world.far_side.accounts


@pytest.mark.parametrize("trouble", ["fails", "stalls"])
async def test_what_cannot_be_recorded_is_taken_back_and_said(world: World, trouble: str) -> None:
    outcome = await (await opened(world, "ok", "ok", trouble)).collect()
    assert isinstance(outcome, Unavailable)
    assert str(outcome) == UNWRITTEN
    assert not world.provider.live()
    assert await told(world) == ["credential.intended", "credential.aborted"]
    assert (await aborted(world)).endswith("; it was taken back at once")
    (lease,) = (await world.grant(1)).leases
    assert lease.public_id  # known, so that the end of the grant can look for it
    assert lease.aborted_at == world.clock.now()


@pytest.mark.parametrize("trouble", ["fails", "stalls", "stalls after"])
async def test_what_is_not_signed_is_taken_back_and_said(world: World, trouble: str) -> None:
    outcome = await (await opened(world, "ok", "ok", "ok", trouble)).collect()
    assert str(outcome) == UNWRITTEN
    assert not world.provider.live()
    assert await told(world) == list(STEPS)


async def test_the_next_try_works(world: World) -> None:
    troubles = await opened(world, "ok", "ok", "fails")
    await troubles.collect()
    assert isinstance(await troubles.collect(), Collected)
    assert [lease.n for lease in (await world.grant(1)).leases] == [1, 2]


async def test_a_record_that_was_written_though_nobody_heard_is_followed_by_its_end(world: World) -> None:
    outcome = await (await opened(world, "ok", "ok", "stalls after")).collect()
    assert str(outcome) == UNWRITTEN
    assert await told(world) == list(STEPS)


async def test_a_record_that_comes_late_does_not_undo_the_end(world: World) -> None:
    await (await opened(world, "ok", "ok", "late")).collect()
    assert await told(world) == ["credential.intended", "credential.aborted"]
    assert (await world.grant(1)).leases[0].aborted_at


async def test_while_the_log_is_away_the_end_is_owed_and_paid_when_it_is_back(world: World) -> None:
    troubles = await opened(world, "ok", "ok", "fails", "ok", "fails", "stalls")
    await troubles.collect()
    assert not world.provider.live()
    await troubles.reap()
    assert await told(world) == ["credential.intended"]
    await troubles.reap()
    assert await told(world) == ["credential.intended", "credential.aborted"]
    assert (await aborted(world)).endswith("; it was taken back at once")
    await troubles.reap()
    assert len(await told(world)) == 2


async def test_what_cannot_be_taken_back_alone_dies_with_the_grant(world: World) -> None:
    await (await opened(world, "ok", "ok", "fails", "fails")).collect()
    assert (await aborted(world)).endswith("; it dies with the grant")
    assert len(world.provider.live()) == 1
    await world.endings.end(1, LINUS)
    assert not world.provider.live()


async def test_a_grant_that_ends_meanwhile_takes_its_credential_along(world: World) -> None:
    outcome = await (await opened(world, "ok", "ends")).collect()
    assert isinstance(outcome, TooLate)
    assert not world.provider.live()
    assert "ended while it was being issued" in await aborted(world)
    assert (await world.grant(1)).state is GrantState.REVOKED


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
async def test_somebody_who_leaves_leaves_nothing_behind(world: World, steps: int) -> None:
    outcome = await (await opened(world, *["ok"] * steps, "leaves")).collect()
    assert isinstance(outcome, asyncio.CancelledError)
    assert await told(world) == list(STEPS)
    assert "was gone before it was handed over" in await aborted(world)
    assert not world.provider.live()


async def test_somebody_who_leaves_while_others_are_served_has_asked_for_nothing(world: World) -> None:
    await world.opened()
    device = await world.device()
    async with world.grants.custody.alone(1):
        waiting = [asyncio.ensure_future(world.grants.collect(1, device)) for _ in range(5)]
        await asyncio.sleep(0.05)
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
    await world.tasks.drain(timeout=30)
    assert await told(world) == []
    assert await world.grants.collect(1, device)


async def test_leaving_at_any_moment_leaves_nothing_unrecorded(world: World) -> None:
    await world.opened()
    device = await world.device()
    taken = 0
    for wait in range(40):
        collecting = asyncio.ensure_future(world.grants.collect(1, device))
        await asyncio.sleep(wait / 4000)
        collecting.cancel()
        (outcome,) = await asyncio.gather(collecting, return_exceptions=True)
        taken += isinstance(outcome, Collected)
    await world.tasks.drain(timeout=30)
    tags = await told(world)
    assert tags.count("credential.intended") == taken + tags.count("credential.aborted")
    assert len(world.provider.live()) == taken


class Confused(MemoryProvider):
    """Seals every secret for another credential than the one asked for."""

    async def issue(self, grant: Grant, handle: Handle, intent: Intent) -> Issued:
        return await super().issue(grant, handle, replace(intent, n=intent.n + 1))


async def test_a_fault_of_ours_is_loud_and_hands_nothing_over(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.grants.custody.providers["memory"] = Confused(world.clock, server=world.far_side)  # type: ignore[index]
    await world.opened()
    with pytest.raises(GateFault):
        await world.grants.collect(1, await world.device())
    assert [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert not world.provider.live()
    assert "credential 2 of PA-1 is not recorded as issued" in await aborted(world)


class Broken:
    """A witness with a fault of its own, whose text nobody should read."""

    async def cover(self, seq: int) -> object:
        raise KeyError(f"canary {seq}")


async def test_a_witness_that_fails_unexpectedly_opens_nothing(world: World) -> None:
    await world.opened()
    custody = replace(world.grants.custody, witness=Broken())  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        await Grants(custody).collect(1, await world.device())
    assert not world.provider.live()
    assert await aborted(world) == "prodaccess failed (KeyError); it was taken back at once"


# What an ended process left


async def killed(world: World, *plan: str) -> Troubles:
    troubles = await opened(world, *plan, "crash after")
    await troubles.collect()
    return troubles


async def test_an_intent_without_an_end_gets_one_after_half_a_minute(world: World) -> None:
    await killed(world)
    world.clock.pass_by(seconds=29)
    await world.reaper.reap()
    assert await told(world) == ["credential.intended"]
    world.clock.pass_by(seconds=1)
    await world.reaper.reap()
    assert await told(world) == ["credential.intended", "credential.aborted"]
    assert await aborted(world) == "the process ended before it was recorded; whatever exists of it dies with the grant"


async def test_what_was_made_and_not_recorded_dies_with_the_grant(world: World) -> None:
    troubles = await killed(world, "ok")
    assert len(world.provider.live()) == 1
    await troubles.reap()
    await world.endings.end(1, LINUS)
    assert not world.provider.live()


async def test_an_intent_whose_grant_has_ended_since_gets_its_end_too(world: World) -> None:
    troubles = await killed(world)
    world.clock.pass_by(hours=1)
    await world.sweep()
    assert (await world.grant(1)).state is GrantState.REVOKED
    await troubles.reap()
    assert (await told(world))[-1] == "credential.aborted"
    lease = (await world.grant(1)).leases[0]
    assert lease.gone_at
    assert lease.aborted_at


async def test_a_collection_that_merely_takes_long_is_left_alone(world: World) -> None:
    await killed(world)
    world.clock.pass_by(seconds=31)
    async with world.grants.custody.alone(1):
        async with asyncio.timeout(20):
            await world.reaper.reap()
        assert await told(world) == ["credential.intended"]
    await world.reaper.reap()
    assert await told(world) == ["credential.intended", "credential.aborted"]


async def test_what_was_issued_in_time_is_not_called_aborted(world: World) -> None:
    assert isinstance(await (await opened(world)).collect(), Collected)
    world.clock.pass_by(minutes=5)
    await world.reaper.reap()
    await Reaper(world.grants.custody)._end(1, 1)  # as if it had been loose when it was looked for
    assert await told(world) == ["credential.intended", "credential.issued"]
