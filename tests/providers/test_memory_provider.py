"""The in-memory twin keeps the contract, and fails as it is told to."""

from __future__ import annotations

import logging

import pytest

from access.errors import ProviderRefused, ProviderSilent
from access.ports import NotYet, Provider, Released
from providers.memory import MemoryProvider, MemoryServer
from tests.people import ManualClock
from tests.providers.contract import Desk, ProviderContract, is_gone, make_grant


class MemoryBench:
    forgets = True
    discards = True

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.server = MemoryServer()
        self.provider = self.restart()

    def restart(self) -> MemoryProvider:
        return MemoryProvider(self.clock, server=self.server)

    def desk(self, seconds: float = 600) -> Desk:
        return self._desk(self.provider, seconds)

    def refused(self) -> Desk:
        provider = self.restart()
        provider.faults.refuse = "the make-believe target says no"
        return self._desk(provider)

    def unheard(self) -> Desk:
        provider = self.restart()
        provider.faults.silent_before = provider.faults.stuck = 1
        return self._desk(provider)

    async def works(self, issued: Released) -> bool:
        return self.provider.login(**issued.secret.reveal())

    def _desk(self, provider: Provider, seconds: float = 600) -> Desk:
        return Desk(provider, make_grant(self.clock, {}, seconds), self.clock)


@pytest.fixture
def bench() -> MemoryBench:
    return MemoryBench()


class TestMemory(ProviderContract):
    """The contract."""


def test_it_says_that_it_guards_nothing(caplog: pytest.LogCaptureFixture) -> None:
    MemoryProvider(ManualClock())
    assert [(r.levelno, r.getMessage()) for r in caplog.records] == [
        (logging.WARNING, "provider “memory” lives in memory and guards nothing: for demo and tests only")
    ]


async def test_a_lost_answer_leaves_a_credential_that_the_handle_ends(bench: MemoryBench) -> None:
    desk = bench.desk()
    await desk.open()
    bench.provider.faults.silent_after = 1
    with pytest.raises(ProviderSilent):
        await desk.collect()
    assert list(bench.provider.live().values()) == [desk.grant.number]
    is_gone(await desk.end())
    assert not bench.provider.live()


async def test_a_call_that_never_arrived_leaves_nothing(bench: MemoryBench) -> None:
    desk = bench.desk()
    await desk.open()
    bench.provider.faults.silent_before = 1
    with pytest.raises(ProviderSilent):
        await desk.collect()
    assert not bench.provider.live()
    await desk.collect()


async def test_stuck_revocations_count_down(bench: MemoryBench) -> None:
    desk = bench.desk()
    issued = await desk.open_and_collect()
    bench.provider.faults.stuck = 2
    for _ in range(2):
        assert isinstance(await desk.end(), NotYet)
        assert await bench.works(issued)
    is_gone(await desk.end())


async def test_the_far_side_ends_everything_a_minute_after_the_deadline(bench: MemoryBench) -> None:
    desk = bench.desk(seconds=600)
    issued = await desk.open_and_collect()
    bench.clock.pass_by(seconds=659)
    assert await bench.works(issued)
    bench.clock.pass_by(seconds=1)
    assert not await bench.works(issued)
    assert not bench.provider.live()
    await bench.provider.tidy()
    assert not bench.server.accounts


async def test_a_wrong_password_opens_nothing(bench: MemoryBench) -> None:
    issued = await bench.desk().open_and_collect()
    assert not bench.provider.login(issued.public_id, "guess")
    assert not bench.provider.login("nobody", issued.secret.reveal()["password"])


async def test_an_ended_grant_gets_nothing_more(bench: MemoryBench) -> None:
    desk = bench.desk()
    await desk.open()
    handle = desk.grant.handles[0]
    bench.server.containers.pop(handle.locator)
    with pytest.raises(ProviderRefused):
        await desk.collect()
