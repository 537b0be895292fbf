"""A checkpoint for whoever needs one now, in time or not at all; and a log that is not ours any more is refused."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from access.errors import Unavailable
from access.granting.custody import PATIENCE
from audit.receipt import Receipt
from notary import notary
from notary.errors import Disagrees, LogBroken
from notary.notary import QUIET
from tests.notary.bench import Bench, Drawer, ShakySigner, until


@pytest.fixture
def shaky(bench: Bench) -> ShakySigner:
    signer = bench.signer = ShakySigner(bench.signer)
    bench.new_notary()
    return signer


async def test_fifty_at_once_share_a_few_signatures(bench: Bench, shaky: ShakySigner) -> None:
    async def act() -> int:
        await bench.append(1)
        seq = await bench.log.head()
        covered = await bench.notary.cover(seq)
        assert covered.reaches(seq)
        return covered.size

    sizes = await asyncio.gather(*(act() for _ in range(50)))
    assert max(sizes) == 50 == (await bench.last()).size
    assert shaky.count <= 10


async def test_what_is_signed_already_costs_nothing(bench: Bench, shaky: ShakySigner) -> None:
    await bench.signed(5)
    shaky.down = True
    assert (await bench.notary.cover(4)).size == 5


async def test_an_entry_that_is_not_there_is_not_covered(bench: Bench) -> None:
    await bench.append(5)
    with pytest.raises(Unavailable, match="does not hold entry 5"):
        await bench.notary.cover(5)


@pytest.mark.parametrize("how", ["down", "hangs"])
async def test_without_the_signer_nobody_is_covered_and_later_all_are(
    bench: Bench, shaky: ShakySigner, how: str
) -> None:
    await bench.signed(1)
    await bench.append(3)
    setattr(shaky, how, True)
    began = time.monotonic()
    answers = await asyncio.gather(*(bench.notary.cover(seq) for seq in (1, 2, 3)), return_exceptions=True)
    assert all(isinstance(answer, Unavailable) for answer in answers)
    assert time.monotonic() - began < bench.notary.deadline + 0.5
    setattr(shaky, how, False)
    assert (await bench.notary.cover(3)).size == 4


async def test_a_slow_signer_fails_nobody_who_comes_while_it_signs(bench: Bench, shaky: ShakySigner) -> None:
    shaky.slow = 1.2
    await bench.signed(1)
    for _ in range(2):
        await bench.append(1)
        first = asyncio.ensure_future(bench.notary.cover(await bench.log.head()))
        await asyncio.sleep(0.3)
        await bench.append(1)
        second = await bench.notary.cover(await bench.log.head())
        assert (await first).size < second.size


async def test_a_signature_that_came_too_late_for_one_is_there_for_the_next(bench: Bench, shaky: ShakySigner) -> None:
    await bench.signed(1)
    shaky.slow, bench.notary.deadline = 0.6, 0.4
    await bench.append(1)
    with pytest.raises(Unavailable, match="was not signed within"):
        await bench.notary.cover(1)
    assert (await bench.notary.cover(1)).size == 2
    assert shaky.count == 2, "one for the first entry, one for the second"


async def test_while_it_is_held_it_signs_nothing_and_then_all(bench: Bench) -> None:
    bench.signing.hold("Nothing is signed yet.")
    bench.notary.deadline = 0.2
    await bench.append(2)
    async with bench.running():
        with pytest.raises(Unavailable, match="Nothing is signed yet"):
            await bench.notary.cover(1)
        with pytest.raises(Unavailable, match="Nothing is signed yet"):
            await bench.signing.catch_up()
        assert bench.notary.trouble == "Nothing is signed yet."
        assert await bench.log.last_checkpoint() is None
        bench.notary.deadline = 5.0
        waiting = asyncio.ensure_future(bench.notary.cover(1))
        await asyncio.sleep(0.1)
        bench.signing.release()
        assert (await waiting).size == 2
        assert bench.notary.trouble == ""


async def test_without_the_signer_at_start_neither(bench: Bench, shaky: ShakySigner) -> None:
    shaky.down = True
    await bench.append(1)
    with pytest.raises(Unavailable, match="The signer does not answer"):
        await bench.notary.cover(0)
    assert await bench.notary.check_anchors([Drawer()]) != ()
    shaky.down = False
    assert (await bench.notary.cover(0)).size == 1


async def test_a_receipt_holds_against_the_checkpoint_that_covers_it_first(bench: Bench) -> None:
    await bench.signed(3)
    await bench.signed(300)
    await bench.append(1)
    early, late = [Receipt.parse(await bench.notary.receipt(seq)) for seq in (2, 303)]
    assert (early.size, late.size) == (3, 304)
    assert late.root == (await bench.last()).root
    assert (await bench.log.entries(1, 1))[0].leaf == early.leaf


async def test_no_receipt_for_what_the_tree_does_not_prove(bench: Bench) -> None:
    await bench.signed(300)
    bench.tamper("UPDATE ledger_entry SET leaf = zeroblob(32) WHERE seq = 299")
    with pytest.raises(LogBroken, match="does not prove that entry 299"):
        await bench.notary.receipt(299)


async def test_a_receipt_says_what_was_signed_and_not_what_the_row_says(bench: Bench) -> None:
    note = await bench.signed(3)
    bench.tamper("UPDATE ledger_checkpoint SET root = zeroblob(32)")
    assert Receipt.parse(await bench.notary.receipt(1)).root == note.root


async def test_it_signs_by_itself_when_the_log_has_grown(bench: Bench) -> None:
    async with bench.running():
        await bench.append(3)
        await until(lambda: bench.signing.size == 3)
        await bench.append(4)
        await until(lambda: bench.signing.size == 7)
    assert (await bench.last()).size == 7


async def test_it_outlives_its_signer_and_its_database(
    bench: Bench, shaky: ShakySigner, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    shaky.down = True
    await bench.append(1)
    async with bench.running():
        await until(lambda: bench.notary.trouble == "The signer does not answer.")
        bench.rename("ledger_checkpoint", "gone")
        shaky.down = False
        await until(lambda: "database" in bench.notary.trouble)
        bench.rename("gone", "ledger_checkpoint")
        await until(lambda: bench.signing.size == 1 and bench.notary.trouble == "")
    assert "checkpoints are signed again" in caplog.messages


async def test_after_five_quiet_minutes_it_says_so(bench: Bench) -> None:
    await bench.signed(1)
    async with bench.running():
        await asyncio.sleep(1.1)
        assert await bench.log.head() == 0
        bench.clock.pass_by(seconds=QUIET.total_seconds())
        await until(lambda: bench.signing.size == 2)
        await asyncio.sleep(1.1)
    (entry,) = await bench.log.entries(0)
    assert entry.event.TAG == "log.quiet"
    assert (await bench.last()).size == 2


class TestAnchors:
    async def test_what_agrees_is_fine(self, bench: Bench) -> None:
        drawer = Drawer()
        assert await bench.notary.check_anchors([drawer]) == ()
        for count in (1, 255, 10):
            note = await bench.signed(count)
            await drawer.publish((await self.kept(bench)).note, bench.log.consistency)
            assert note.size
        await bench.append(2)
        bench.restart()
        assert await bench.notary.check_anchors([drawer, Drawer("empty")]) == ()
        assert (await bench.notary.cover(267)).size == 268

    async def test_yesterdays_backup_is_refused(self, bench: Bench) -> None:
        drawer = Drawer()
        await bench.signed(5)
        backup = bench.back_up()
        await bench.signed(1)
        await drawer.publish((await self.kept(bench)).note, bench.log.consistency)
        bench.restore(backup)
        with pytest.raises(LogBroken, match="older than what was anchored: it has 5 entries"):
            await bench.notary.check_anchors([drawer])
        await bench.append(10, version="1.1")  # growing past it does not help
        with pytest.raises(LogBroken):
            await bench.notary.cover(12)
        bench.restart()
        with pytest.raises(LogBroken, match="stands at drawer: it was rewritten"):
            await bench.notary.check_anchors([drawer])

    async def test_a_lost_checkpoint_row_alone_is_mended(self, bench: Bench) -> None:
        drawer = Drawer()
        await bench.signed(5)
        await bench.signed(5)
        await drawer.publish((await self.kept(bench)).note, bench.log.consistency)
        bench.tamper("DELETE FROM ledger_checkpoint WHERE size = 10")
        bench.restart()
        assert await bench.notary.check_anchors([drawer]) == ()
        await bench.notary.cover(9)
        assert (await bench.last()).size == 10

    async def test_a_log_rewritten_with_the_stolen_key_is_refused(self, bench_at: Callable[[str], Bench]) -> None:
        honest, forged, drawer = bench_at("honest"), bench_at("forged"), Drawer()
        await honest.signed(300)
        await drawer.publish((await self.kept(honest)).note, honest.log.consistency)
        await forged.signed(400, version="6.6")
        with pytest.raises(LogBroken, match="rewritten"):
            await forged.notary.check_anchors([drawer])

    async def test_a_larger_log_signed_with_the_stolen_key_stops_us(self, bench_at: Callable[[str], Bench]) -> None:
        honest, forged, drawer = bench_at("honest"), bench_at("forged"), Drawer()
        await honest.signed(5)
        await forged.signed(6, version="6.6")
        await drawer.publish((await self.kept(forged)).note, forged.log.consistency)
        with pytest.raises(LogBroken):
            await honest.notary.ask(drawer)
        with pytest.raises(LogBroken):
            await honest.notary.cover(0)

    async def test_a_silent_one_is_asked_again_and_then_counts(
        self, bench_at: Callable[[str], Bench], caplog: pytest.LogCaptureFixture
    ) -> None:
        honest, forged, drawer = bench_at("honest"), bench_at("forged"), Drawer()
        await honest.signed(9)
        await drawer.publish((await self.kept(honest)).note, honest.log.consistency)
        await forged.signed(9, version="6.6")
        drawer.why = Unavailable("out of order")
        forged.notary.ask_again = 0.1
        (warning,) = await forged.notary.check_anchors([drawer])
        assert warning == "drawer could not be asked which checkpoint it holds: out of order"
        assert warning in caplog.messages
        async with forged.running():
            await forged.append(1)
            assert (await forged.notary.cover(9)).size == 10  # a silent anchor stops nobody
            await until(lambda: drawer.asked > 2)
            drawer.why = None
            await until(lambda: "rewritten" in forged.notary.trouble)
            with pytest.raises(LogBroken):
                await forged.notary.cover(9)
            asked = drawer.asked
            await asyncio.sleep(0.3)
            assert drawer.asked == asked

    async def test_one_that_hangs_holds_nobody_up(self, bench: Bench) -> None:
        drawer = Drawer()
        drawer.hangs = True
        bench.notary.patience = 0.2
        assert "did not answer within 0.2 s" in (await bench.notary.check_anchors([drawer]))[0]
        await bench.append(1)
        assert (await bench.notary.cover(0)).size == 1

    async def test_one_that_holds_nothing_of_ours_stops_us(self, bench: Bench) -> None:
        drawer = Drawer()
        drawer.why = Disagrees("The drawer holds checkpoints of others.")
        with pytest.raises(LogBroken, match="The drawer holds checkpoints of others"):
            await bench.notary.check_anchors([drawer])
        await bench.append(1)
        with pytest.raises(LogBroken):
            await bench.notary.cover(0)

    async def kept(self, bench: Bench) -> Any:
        return await bench.log.last_checkpoint()


def test_a_signer_may_take_half_of_what_the_gate_waits(bench: Bench) -> None:
    assert bench.notary.deadline < PATIENCE
    assert bench.notary.deadline >= 2 * 1.4
    assert notary.QUIET.total_seconds() == 300
