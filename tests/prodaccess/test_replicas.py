"""Several processes on one PostgreSQL, here in one: what is due is ended once, whoever is killed or frozen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from access.errors import Stale, Unavailable
from access.events import GrantEnded
from access.model import Grant, GrantState
from access.ports import Gone, NotYet
from benchmarks.revoke_load import a_grant, load
from prodaccess.clock import SystemClock
from prodaccess.policies.file import FixedPolicy, parse_policy
from prodaccess.revoking.process import Revoker, make_revoker
from prodaccess.serial import Serial
from providers.memory import MemoryProvider
from store import SqlStore, open_store
from store.claims import Alone
from tests.people import LEDGER, POLICY

PATIENCE = 60.0  # seconds, for what must come


class Target(MemoryProvider):
    """Where all processes end what they end. One of them can be held in the middle of its calls."""

    def __init__(self, calls: list[tuple[int, str]], who: str, held: set[str]) -> None:
        super().__init__(SystemClock(), "fake")
        self._calls, self._who, self._held = calls, who, held

    async def revoke(self, grant: Grant) -> Gone | NotYet:
        self._calls.append((grant.number, self._who))
        if self._who in self._held:
            await asyncio.Event().wait()
        await asyncio.sleep(0.002)
        return Gone(("gone",), tried=True)


@dataclass
class Town:
    """Some processes, and what they have called."""

    url: str
    store: SqlStore
    calls: list[tuple[int, str]] = field(default_factory=list)
    held: set[str] = field(default_factory=set)

    @asynccontextmanager
    async def process(self, who: str, *, has_chores: bool = False) -> AsyncIterator[tuple[Revoker, asyncio.Task[None]]]:
        store = open_store(self.url, SystemClock(), LEDGER)
        provider = Target(self.calls, who, self.held)
        revoker = make_revoker(store, SystemClock(), {"fake": provider}, FixedPolicy(parse_policy(POLICY)))
        if has_chores:
            assert revoker.replicas._beacon is not None
            revoker.replicas._beacon._takes_turns = True
        stop = asyncio.Event()
        running = asyncio.ensure_future(revoker.run(stop))
        await until(lambda: revoker.sweeper.last_look is not None and revoker.replicas.claimant() is not None)
        try:
            yield revoker, running
        finally:
            stop.set()
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await asyncio.to_thread(revoker.close)

    def grants(self, count: int, within: float, first: int = 1) -> None:
        """To be ended within so many seconds from now."""
        now = SystemClock().now()
        due = [now + timedelta(seconds=within * i / count) for i in range(count)]
        load(self.store.log.database, [a_grant(first + i, now, at) for i, at in enumerate(due)])

    async def ended(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE):
            while (await self.store.grants_by_state())[GrantState.REVOKED.value] < count:  # noqa: ASYNC110 (the rows)
                await asyncio.sleep(0.05)

    async def said(self) -> list[str]:
        """Every “grant ended” of the log."""
        return [e.event.ref for e in await self.store.log.entries(-1, 10_000) if isinstance(e.event, GrantEnded)]


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110 (nothing announces it)
            await asyncio.sleep(0.01)


@pytest.fixture
async def town(fresh_database: str) -> AsyncIterator[Town]:
    store = open_store(fresh_database, SystemClock(), LEDGER)
    yield Town(fresh_database, store)
    store.close()


async def test_what_is_due_is_shared_and_each_is_ended_once(town: Town) -> None:
    async with town.process("a") as (one, _), town.process("b") as (other, _):
        await until(lambda: one.sweeper._others and other.sweeper._others)
        town.grants(60, within=1.0)
        await town.ended(60)
    assert sorted(number for number, _ in town.calls) == list(range(1, 61))
    assert {who for _, who in town.calls} == {"a", "b"}
    assert sorted(await town.said()) == sorted(f"PA-{n}" for n in range(1, 61))


async def test_what_one_that_is_gone_had_begun_another_ends_at_once(town: Town) -> None:
    """Long before the claim runs out by itself."""
    async with AsyncExitStack() as stack:
        dying, task = await stack.enter_async_context(town.process("a"))
        town.held.add("a")
        town.grants(5, within=0.1)
        await until(lambda: len(town.calls) == 5)
        await stack.enter_async_context(town.process("b"))
        await asyncio.sleep(0.3)
        assert {who for _, who in town.calls} == {"a"}  # it lives, and is left alone with them
        task.cancel()
        beacon = dying.replicas._beacon
        assert beacon is not None
        beacon.close()  # as the kernel does
        await town.ended(5)
    assert [who for _, who in town.calls] == ["a"] * 5 + ["b"] * 5
    assert sorted(await town.said()) == sorted(f"PA-{n}" for n in range(1, 6))


async def test_a_turn_passes_on_when_its_holder_goes(town: Town) -> None:
    """Of those that have chores; whoever only ends grants holds none up, however early it came."""
    async with AsyncExitStack() as stack:
        revoker, _ = await stack.enter_async_context(town.process("revoker"))
        first, task = await stack.enter_async_context(town.process("a", has_chores=True))
        await until(lambda: first.replicas.turn.ours)
        second, _ = await stack.enter_async_context(town.process("b", has_chores=True))
        assert not second.replicas.turn.ours
        task.cancel()
        beacon = first.replicas._beacon
        assert beacon is not None
        beacon.close()
        await until(lambda: second.replicas.turn.ours)
        assert second.replicas.turn.inherited
        assert not revoker.replicas.turn.ours


async def test_without_being_seen_nothing_is_claimed_by_name_and_all_is_ended(town: Town) -> None:
    async with town.process("a") as (one, _):
        beacon = one.replicas._beacon
        assert beacon is not None
        beacon.look = _unavailable  # type: ignore[method-assign]
        await until(lambda: one.replicas.claimant() is None)
        assert (one.replicas.turn.ours, bool(one.replicas.trouble)) == (False, True)
        town.grants(3, within=0.1)
        await town.ended(3)


def _unavailable() -> None:
    raise Unavailable("The database does not answer.")


async def test_the_thread_of_one_that_slept_takes_no_note(town: Town) -> None:
    """The cursor is taken from whoever noted last, and from nobody else."""
    asleep, awake = {"seq": 1, "by": "a"}, {"seq": 1, "by": "b"}
    await town.store.put_notes({"thread:cursor": asleep}, still={"thread:cursor": None})
    await town.store.put_notes({"thread:cursor": awake}, still={"thread:cursor": asleep})
    with pytest.raises(Stale):
        await town.store.put_notes({"thread:cursor": {"seq": 2, "by": "a"}}, still={"thread:cursor": asleep})
    assert await town.store.note("thread:cursor") == awake


async def test_a_signed_call_is_taken_once_by_all_together(town: Town) -> None:
    now = SystemClock().now()
    other = open_store(town.url, SystemClock(), LEDGER)
    try:
        taken = await asyncio.gather(*(s.spend("k", now) for s in (town.store, other, town.store, other)))
        assert sorted(taken) == [False, False, False, True]
        await other.forget_spent()
        assert await town.store.spend("k", now)
    finally:
        other.close()


async def test_a_document_that_grants_share_is_changed_by_one_at_a_time(town: Town) -> None:
    inside: list[str] = []

    class Document(MemoryProvider):
        async def revoke(self, grant: Grant) -> Gone | NotYet:
            inside.append("in")
            await asyncio.sleep(0.1)
            inside.append("out")
            return Gone(("gone",))

    now = SystemClock().now()
    both = [Serial(Document(SystemClock(), "aws"), Alone(town.store.log.database)) for _ in range(2)]
    await asyncio.gather(*(each.revoke(a_grant(n, now, now)) for n, each in enumerate(both)))
    assert inside == ["in", "out"] * 2
    assert both[0].at_once == both[0]._provider.at_once
