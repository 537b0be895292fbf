"""Each anchor at its own pace; one that fails is said once, and holds up nobody else."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from access.errors import Unavailable
from access.tasks import meanwhile
from audit.note import parse_note
from notary.anchoring import Anchoring, Paced
from notary.anchors.witness import WitnessAnchor
from notary.errors import Disagrees, LogBroken
from notary.ports import Anchor
from tests.notary.bench import Bench, Drawer, until
from tests.notary.witness_server import Witness
from tests.people import LEDGER

OFTEN = timedelta(milliseconds=20)


@dataclass
class Outages:
    """What was said, in order; `deaf` makes telling fail."""

    said: list[str] = field(default_factory=list)
    deaf: bool = False

    async def failed(self, anchor: str, why: str) -> None:
        if self.deaf:
            raise Unavailable("The database does not answer.")
        self.said.append(f"{anchor} failed: {why}")

    async def recovered(self, anchor: str, down_since: datetime) -> None:
        self.said.append(f"{anchor} recovered from {down_since:%H:%M}")


@dataclass
class Round:
    """A bench whose checkpoints are carried."""

    bench: Bench
    outages: Outages
    anchoring: Anchoring

    @asynccontextmanager
    async def to(self, anchors: Sequence[Anchor], every: timedelta = OFTEN) -> AsyncIterator[None]:
        async with meanwhile(self.anchoring.run([Paced(each, every) for each in anchors])):
            yield

    async def sizes(self, sink: str) -> list[int]:
        return [each.size for each in await self.bench.log.anchored() if each.sink == sink]


@pytest.fixture
def carried(bench: Bench) -> Round:
    outages = Outages()
    return Round(bench, outages, Anchoring(bench.log, bench.clock, outages, bench.notary.ask))


def arrived(drawer: Drawer, size: int) -> Callable[[], bool]:
    return lambda: bool(drawer.notes) and parse_note(drawer.notes[-1]).size == size


async def test_every_anchor_gets_the_newest_and_it_is_recorded(carried: Round) -> None:
    one, other = Drawer("one"), Drawer("other")
    async with carried.to([one, other]):
        await carried.bench.signed(3)
        await until(arrived(one, 3))
        await carried.bench.signed(4)
        await until(arrived(one, 7))
        await until(arrived(other, 7))
        await asyncio.sleep(0.2)
    assert len(one.notes) == 2  # nothing is brought twice
    assert await carried.sizes("one") == [3, 7]
    (kept, *_) = await carried.bench.log.anchored()
    assert (kept.ref, kept.proof, kept.at) == ("page 1", b"kept", carried.bench.clock.now())
    assert carried.outages.said == []


async def test_one_that_hangs_holds_up_no_other(carried: Round) -> None:
    stuck, well = Drawer("stuck"), Drawer("well")
    stuck.hangs = True
    carried.anchoring.patience = 0.1
    async with carried.to([stuck, well]):
        for count in (3, 4):
            size = (await carried.bench.signed(count)).size
            await until(arrived(well, size))
            assert (await carried.bench.notary.cover(size - 1)).size == size
        await until(lambda: bool(carried.outages.said))
    assert carried.outages.said == ["stuck failed: stuck did not answer within 0.1 s."]


@pytest.mark.parametrize("error", [Unavailable("out of paper"), ZeroDivisionError()])
async def test_an_outage_is_said_once_and_so_is_its_end(carried: Round, error: Exception) -> None:
    drawer = Drawer()
    await carried.bench.signed(3)
    drawer.why = error
    async with carried.to([drawer]):
        await until(lambda: bool(carried.outages.said), seconds=20)
        why = "out of paper" if isinstance(error, Unavailable) else "It failed: ZeroDivisionError."
        assert carried.outages.said == [f"drawer failed: {why}"]
        assert carried.anchoring.troubles() == {"drawer": why}
        carried.bench.clock.pass_by(hours=1)
        drawer.why = None
        await until(arrived(drawer, 3), seconds=20)
        await until(lambda: len(carried.outages.said) == 2)
    assert carried.outages.said[1] == "drawer recovered from 14:00"
    assert carried.anchoring.troubles() == {}


async def test_a_glitch_is_no_outage(carried: Round) -> None:
    drawer = Drawer()
    drawer.why = Unavailable("a hiccup")
    await carried.bench.signed(3)
    async with carried.to([drawer]):
        await asyncio.sleep(0.2)
        drawer.why = None
        await until(arrived(drawer, 3))
        await asyncio.sleep(0.1)
    assert carried.outages.said == []


async def test_what_could_not_be_said_is_said_later(carried: Round) -> None:
    drawer = Drawer()
    drawer.why = Disagrees("another log")  # said at once
    carried.outages.deaf = True
    await carried.bench.signed(3)
    async with carried.to([drawer]):
        await asyncio.sleep(0.2)
        carried.outages.deaf = False
        await until(lambda: bool(carried.outages.said))
    assert carried.outages.said == ["drawer failed: another log"]


async def test_after_a_restart_what_is_known_is_no_fault(carried: Round, caplog: pytest.LogCaptureFixture) -> None:
    drawer = Drawer()
    await carried.bench.signed(3)
    for count in (1, 2):
        async with carried.to([drawer]):
            await until(lambda count=count: len(drawer.notes) == count)  # type: ignore[misc]
            await asyncio.sleep(0.1)
    assert await carried.sizes("drawer") == [3]
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_database_that_is_away_is_not_the_anchors_fault(carried: Round) -> None:
    drawer = Drawer()
    await carried.bench.signed(3)
    carried.bench.rename("ledger_checkpoint", "gone")
    async with carried.to([drawer]):
        await asyncio.sleep(0.3)
        assert carried.anchoring.troubles() == {}
        carried.bench.rename("gone", "ledger_checkpoint")
        await until(arrived(drawer, 3))
    assert carried.outages.said == []


async def test_a_witness_that_disagrees_stops_the_notary(carried: Round, bench_at: Callable[[str], Bench]) -> None:
    """Somebody with our key has shown the witness another log, larger than ours."""
    forged, bench = bench_at("forged"), carried.bench
    witness = Witness({LEDGER.origin: await bench.key()})
    async with witness.server() as server:
        anchor = WitnessAnchor(LEDGER.origin, str(server.make_url("/w")), witness.key)
        await forged.signed(50, version="6.6")
        kept = await forged.log.last_checkpoint()
        assert kept is not None
        await anchor.publish(kept.note, forged.log.consistency)
        await bench.signed(3)
        async with carried.to([WitnessAnchor(LEDGER.origin, str(server.make_url("/w")), witness.key)]):
            await until(lambda: bool(bench.signing.broken))
    assert carried.outages.said == [
        "witness:witness.example/w1 failed: witness:witness.example/w1 has cosigned 50 entries of this log, "
        "we know of 3."
    ]
    with pytest.raises(LogBroken):
        await bench.notary.cover(0)
