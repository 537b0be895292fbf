"""A provider that breaks its promises: it raises what it should not, hangs, or is stopped in the middle."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from access.errors import TooLate, Unavailable
from access.events import CredentialAborted, RevocationFailed
from access.gate import Intent
from access.model import Cause, Grant, GrantState, Handle, Person
from access.ports import Gone, Issued, NotYet
from providers.memory import MemoryProvider
from tests.people import LINUS
from tests.world import World


class Broken(MemoryProvider):
    """Raises what no provider should, in whatever it is told to."""

    broken = ""

    def _break(self, where: str) -> None:
        if where == self.broken:
            raise KeyError("Credentials")

    async def prepare(self, grant: Grant, attempt: int) -> Handle:
        self._break("prepare")
        return await super().prepare(grant, attempt)

    async def issue(self, grant: Grant, handle: Handle, intent: Intent) -> Issued:
        issued = await super().issue(grant, handle, intent)
        self._break("issue")
        return issued

    async def revoke(self, grant: Grant) -> Gone | NotYet:
        self._break("revoke")
        return await super().revoke(grant)

    async def find(self, grant: Grant) -> bool:
        self._break("find")
        return await super().find(grant)


class Hanging(MemoryProvider):
    """Its revocations answer when the test lets them."""

    def __init__(self, world: World, name: str) -> None:
        super().__init__(world.clock, name, world.far_side)
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def revoke(self, grant: Grant) -> Gone | NotYet:
        self.begun.set()
        await self.go_on.wait()
        return await super().revoke(grant)


@pytest.fixture
def broken(world: World) -> Broken:
    provider = Broken(world.clock, server=world.far_side)
    world.grants.custody.providers["memory"] = provider  # type: ignore[index]
    return provider


async def pass_by(world: World, *seconds: float) -> None:
    for each in seconds:
        world.clock.pass_by(seconds=each)
        await world.sweep()


async def test_a_revocation_that_raises_is_tried_again_and_escalated(world: World, broken: Broken) -> None:
    await world.opened()
    await world.grants.collect(1, await world.device())
    broken.broken = "revoke"
    await world.endings.finish(1, Cause.DEADLINE)
    await pass_by(world, 61, 61)
    told = [e.event for e in await world.store.log.entries_of("PA-1") if isinstance(e.event, RevocationFailed)]
    assert [event.escalated for event in told] == [False, True, True]  # at once, after 30 s, after 2 min
    assert not any("Credentials" in event.why for event in told)  # a foreign error's text may hold anything
    broken.broken = ""
    await pass_by(world, 61)
    assert (await world.grant(1)).state is GrantState.REVOKED
    assert not world.provider.live()


async def test_an_opening_that_raises_is_quarantined_at_once(world: World, broken: Broken) -> None:
    broken.broken = "prepare"
    assert (await world.opened()).state is GrantState.QUARANTINE


async def test_a_search_that_raises_ends_the_grant_like_something_found(world: World, broken: Broken) -> None:
    broken.broken = "prepare"
    await world.opened()
    broken.broken = "find"
    await pass_by(world, 6)
    assert (await world.grant(1)).state is GrantState.REVOKED


async def test_an_issuing_that_raises_is_written_down_and_what_exists_dies_with_the_grant(
    world: World, broken: Broken
) -> None:
    await world.opened()
    broken.broken = "issue"
    with pytest.raises(Unavailable):
        await world.grants.collect(1, await world.device())
    assert await world.last(CredentialAborted)
    assert len(world.provider.live()) == 1
    await world.endings.end(1, LINUS)
    assert not world.provider.live()


async def test_a_hung_provider_does_not_hold_up_the_others(tmp_path: Path) -> None:
    async with two_providers(tmp_path) as (world, hung):
        for number in range(1, 13):
            await world.opened(role="slow" if number < 12 else "read")
        await world.grants.collect(12, await world.device())
        world.clock.pass_by(hours=1)
        await world.sweeper.sweep()
        await until_ended(world, 12)
        assert hung.begun.is_set()
        assert not world.provider.live()
        hung.go_on.set()


async def test_a_crowd_of_due_grants_does_not_hide_one_of_another_provider(tmp_path: Path) -> None:
    async with two_providers(tmp_path) as (world, hung):
        for number in range(1, 21):
            await world.opened(role="slow" if number < 20 else "read")
            world.clock.pass_by(seconds=1)
        world.sweeper.batch = 10
        world.clock.pass_by(hours=1)
        for _ in range(3):
            await world.sweeper.sweep()
            await asyncio.sleep(0)
        await until_ended(world, 20)
        hung.go_on.set()


async def test_a_stopped_server_takes_its_unfinished_revocations_up_at_once(tmp_path: Path) -> None:
    async with two_providers(tmp_path) as (world, hung):
        await world.opened(role="slow")
        ending = asyncio.ensure_future(world.endings.end(1, LINUS))
        await hung.begun.wait()
        ending.cancel()  # as a stop in the middle does
        await world.tasks.drain(timeout=0)
        await asyncio.gather(ending, return_exceptions=True)
        hung.go_on.set()
        await world.sweep()
        assert (await world.grant(1)).state is GrantState.REVOKING  # claimed, by somebody who is gone
        await world.sweeper.take_over()
        await world.tasks.drain(timeout=10)
        assert (await world.grant(1)).state is GrantState.REVOKED


async def test_a_call_stopped_in_the_middle_of_issuing_leaves_what_the_ending_needs(world: World) -> None:
    await world.opened()
    device = await world.device()
    for wait in (0.0, 0.002, 0.005, 0.01, 0.02):
        collecting = asyncio.ensure_future(world.grants.collect(1, device))
        await asyncio.sleep(wait)
        collecting.cancel()
        await asyncio.gather(collecting, return_exceptions=True)
    await world.endings.end(1, LINUS)
    assert not world.provider.live()
    with pytest.raises(TooLate):
        await world.grants.collect(1, device)


async def test_an_ending_does_not_wait_for_slack_to_say_who_is_collecting(world: World) -> None:
    await world.opened()
    device = await world.device()
    world.clock.pass_by(seconds=2)
    asked, answer = asyncio.Event(), asyncio.Event()
    check = world.people.check

    async def slowly(person: Person) -> Person:
        asked.set()
        await answer.wait()
        return await check(person)

    object.__setattr__(world.people, "check", slowly)
    collecting = asyncio.ensure_future(world.grants.collect(1, device))
    await asked.wait()
    async with asyncio.timeout(20):
        await world.endings.finish(1, Cause.DEADLINE)
    answer.set()
    with pytest.raises(TooLate):
        await collecting
    assert not world.provider.live()


async def test_a_revocation_that_never_answers_is_tried_again_and_said(world: World) -> None:
    await world.opened()
    hung = Hanging(world, "memory")
    world.grants.custody.providers["memory"] = hung  # type: ignore[index]
    world.endings.proving.patience = 0.05
    async with asyncio.timeout(20):
        await world.endings.finish(1, Cause.DEADLINE)
    event = await world.last(RevocationFailed)
    assert isinstance(event, RevocationFailed)
    assert "did not answer" in event.why
    hung.go_on.set()
    await pass_by(world, 61)
    assert (await world.grant(1)).state is GrantState.REVOKED


TWO = """
version: 1
people: {ada: U0ADA, grace: U0GRACE, linus: U0LINUS}
limits: {pending: 100, per_hour: 100}
targets:
  orders-db:
    roles:
      read: {provider: memory, who: [linus], approvers: [ada], max: 4h, default: 1h}
      slow: {provider: hanging, who: [linus], approvers: [ada], max: 4h, default: 1h}
"""


@asynccontextmanager
async def two_providers(directory: Path) -> AsyncIterator[tuple[World, Hanging]]:
    """A world with a second provider that hangs."""
    world = World(directory, TWO)
    hung = Hanging(world, "hanging")
    world.grants.custody.providers["hanging"] = hung  # type: ignore[index]
    try:
        yield world, hung
    finally:
        hung.go_on.set()
        await world.tasks.drain(timeout=10)
        world.close()


async def until_ended(world: World, number: int) -> None:
    async with asyncio.timeout(20):
        while (await world.grant(number)).state is not GrantState.REVOKED:  # noqa: ASYNC110 (nothing announces it)
            await asyncio.sleep(0.01)
