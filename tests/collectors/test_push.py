from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest

from access.tasks import meanwhile
from audit.log import Entry
from collectors.collector import CollectorDown, CollectorRefused, Message
from collectors.push import Push
from collectors.syslog import StreamSyslog
from tests.collectors.ends import FAST, FarSyslog, Near, until


class Scripted:
    """Takes everything, but does first what `then` says, once each: an error to raise."""

    name = "far"

    def __init__(self) -> None:
        self.got: list[int] = []
        self.then: list[Exception] = []
        self.calls = 0
        self.is_closed = False
        self.never: Exception | None = None

    async def send(self, batch: Sequence[Message]) -> None:
        self.calls += 1
        if self.never is not None:
            raise self.never
        if self.then:
            raise self.then.pop(0)
        self.got += [message.seq for message in batch]

    async def close(self) -> None:
        self.is_closed = True


@asynccontextmanager
async def running(push: Push) -> AsyncIterator[Push]:
    async with meanwhile(push.run()):
        yield push


async def test_everything_goes_out_in_order_and_new_entries_follow() -> None:
    far = Scripted()
    near = Near(far, count=450)
    async with running(near.push) as push:
        await until(lambda: len(far.got) == 450)
        await near.log.add(3)
        await until(lambda: len(far.got) == 453)
        assert await push.backlog() == 0
    assert far.got == list(range(453))
    assert (near.push.trouble, near.push.lag, near.push.delivered) == ("", timedelta(), 453)
    assert near.told.said == []
    assert far.is_closed


async def test_the_cursor_survives_the_process() -> None:
    far = Scripted()
    near = Near(far, count=5)
    async with running(near.push):
        await until(lambda: near.push.seq == 4)
    await near.log.add(2)
    async with running(near.again()):
        await until(lambda: near.push.seq == 6)
    assert far.got == list(range(7))


async def test_a_crash_between_sending_and_noting_sends_once_more() -> None:
    far = Scripted()
    near = Near(far, count=3)
    near.notes.down = True
    async with running(near.push):
        await until(lambda: far.got == [0, 1, 2])
    near.notes.down = False
    async with running(near.again()):
        await until(lambda: near.push.seq == 2)
    assert far.got[-3:] == [0, 1, 2]


async def test_a_database_that_is_down_is_not_told_as_the_collectors_trouble() -> None:
    near = Near(Scripted(), count=3)
    near.notes.down = True
    async with running(near.push) as push:
        await until(lambda: push.trouble == "The database does not answer.")
        near.notes.down = False
        await until(lambda: push.trouble == "")
    assert near.told.said == []


async def test_an_outage_is_told_once_and_its_end_once() -> None:
    far = Scripted()
    far.then = [CollectorDown("far is away.")] * 4
    near = Near(far, count=2)
    async with running(near.push) as push:
        await until(lambda: push.trouble == "far is away.")
        near.clock.pass_by(seconds=40)
        assert push.lag > timedelta(seconds=39)
        await until(lambda: near.told.kinds == ["failed", "recovered"])
        await near.log.add(1)
        await until(lambda: push.seq == 2)
    assert near.told.kinds == ["failed", "recovered"]
    assert near.told.said[0] == ("failed", "far is away.")
    assert far.got == [0, 1, 2]


async def test_a_short_outage_is_nobodys_business() -> None:
    far = Scripted()
    far.then = [CollectorDown("far is away.")] * 3
    near = Near(far, count=2, pace=replace(FAST, patience=timedelta(minutes=1)))
    async with running(near.push) as push:
        await until(lambda: push.seq == 1)
    assert near.told.said == []


async def test_an_outage_told_before_a_restart_is_not_told_again_but_its_end_is() -> None:
    far = Scripted()
    far.never = CollectorDown("far is away.")
    near = Near(far, count=2)
    async with running(near.push):
        await until(lambda: near.told.kinds == ["failed"])
        await until(lambda: near.notes.kept != {})
    calls = far.calls
    async with running(near.again()):
        await until(lambda: far.calls > calls + 2)
        far.never = None
        await until(lambda: near.told.kinds == ["failed", "recovered"])
    async with running(near.again()):
        await near.log.add(1)
        await until(lambda: near.push.seq == 2)
    assert near.told.kinds == ["failed", "recovered"]


async def test_a_refusal_is_told_at_once_and_nothing_is_skipped() -> None:
    far = Scripted()
    far.never = CollectorRefused("far answered 401.")
    near = Near(far, count=3, pace=replace(FAST, patience=timedelta(hours=1)))
    async with running(near.push) as push:
        await until(lambda: near.told.kinds == ["failed"])
        await until(lambda: far.calls > 3)
        assert (push.seq, push.trouble) == (-1, "far answered 401.")
        far.never = None
        await until(lambda: push.seq == 2)
    assert far.got == [0, 1, 2]


async def test_it_waits_as_long_as_the_other_side_asks() -> None:
    far = Scripted()
    far.then = [CollectorDown("far is busy.", retry_after=0.4)]
    near = Near(far, count=1)
    start = asyncio.get_running_loop().time()
    async with running(near.push) as push:
        await until(lambda: push.seq == 0)
    assert asyncio.get_running_loop().time() - start >= 0.4


def test_pauses_grow_to_a_minute_and_differ() -> None:
    push = Near(Scripted(), pace=replace(FAST, first_pause=1.0)).push
    for tries, most in [(0, 1), (1, 2), (3, 8), (6, 60), (60, 60)]:
        pauses = [push._pause(tries) for _ in range(50)]
        assert most / 2 <= min(pauses)
        assert max(pauses) <= most
        assert len(set(pauses)) > 1


async def test_a_fault_of_ours_shows_and_does_not_end_the_pushing() -> None:
    far = Scripted()
    far.then = [KeyError("a secret")]
    near = Near(far, count=1)
    async with running(near.push) as push:
        await until(lambda: push.trouble != "")
        assert push.trouble == "far: KeyError."
        await until(lambda: push.seq == 0)


async def test_one_collector_that_hangs_stops_no_other() -> None:
    class Hanging(Scripted):
        name = "hanging"

        async def send(self, batch: Sequence[Message]) -> None:
            await asyncio.Event().wait()

    hanging, well = Near(Hanging(), count=3), Near(Scripted(), count=3)
    well.log, well.notes = hanging.log, hanging.notes
    async with running(hanging.push), running(well.again()):
        await until(lambda: well.push.seq == 2)
        assert hanging.push.seq == -1
        hanging.clock.pass_by(minutes=5)
        assert hanging.push.lag > timedelta(minutes=4)
    assert set(hanging.notes.kept) == {"collector:far:cursor"}


async def test_the_beginning_of_a_request_is_known_after_a_restart_too() -> None:
    bodies: list[bytes] = []

    class Keeping(Scripted):
        async def send(self, batch: Sequence[Message]) -> None:
            bodies.extend(message.body for message in batch)

    near = Near(Keeping(), count=12)
    near.notes.kept["collector:far:cursor"] = {"seq": 9, "down_since": ""}
    looked_up: list[str] = []
    entries_of = near.log.entries_of

    async def counting(ref: str) -> tuple[Entry, ...]:
        looked_up.append(ref)
        return await entries_of(ref)

    near.log.entries_of = counting  # type: ignore[method-assign]
    async with running(near.push) as push:
        await until(lambda: push.seq == 11)
    assert all(b'"requester_name":"linus"' in body for body in bodies)
    assert looked_up == ["PA-7"]


# With the real far side


@pytest.fixture
def far(far: tuple[FarSyslog, StreamSyslog]) -> tuple[FarSyslog, StreamSyslog]:
    """Soon given up on, so that a test of many deaths is a short one."""
    server, made = far
    return server, replace(made, timeout=1.0)


async def test_nothing_is_lost_or_out_of_order_while_the_collector_is_killed_again_and_again(
    far: tuple[FarSyslog, StreamSyslog],
) -> None:
    server, collector = far
    near = Near(collector)
    async with running(near.push) as push:
        for _ in range(4):
            await near.log.add(60)
            await asyncio.sleep(0.03)
            server.kill()
            await near.log.add(40)
            await server.start()
        await until(lambda: push.seq == 399, 20)
    assert sorted(set(server.seqs)) == list(range(400))
    firsts = list(dict.fromkeys(server.seqs))
    assert firsts == sorted(firsts)


async def test_a_collector_killed_while_it_was_idle_gives_no_duplicates(far: tuple[FarSyslog, StreamSyslog]) -> None:
    server, collector = far
    near = Near(collector, count=20)
    async with running(near.push) as push:
        await until(lambda: push.seq == 19)
        server.kill()
        await near.log.add(20)
        await until(lambda: push.trouble != "")
        await server.start()
        await until(lambda: near.told.kinds == ["failed", "recovered"])
    assert server.seqs == list(range(40))


async def test_silence_is_an_outage_and_what_was_in_doubt_comes_twice_at_most_whole_batches(
    far: tuple[FarSyslog, StreamSyslog],
) -> None:
    server, collector = far
    near = Near(replace(collector, timeout=0.4), count=10)
    async with running(near.push) as push:
        await until(lambda: push.seq == 9)
        server.stop()
        await near.log.add(10)
        await until(lambda: "did not answer" in push.trouble)
        assert push.seq == 9
        server.go_on()
        await until(lambda: push.seq == 19)
    seqs = server.seqs
    assert seqs[:10] == list(range(10))  # before the doubt: once
    assert set(seqs[10:]) == set(range(10, 20))
    assert all(b == a + 1 or (a, b) == (19, 10) for a, b in pairwise(seqs))
