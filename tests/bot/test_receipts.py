"""Receipts in Slack: on the first and the last message of a thread, the same ones for ever, late rather than never."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from audit.receipt import Receipt
from bot.thread.proof import FOLLOWS, receipt_on
from tests.bot.office import AUDIT, Office, Stamps, button, shown, until
from tests.people import ADA, LINUS


class SlowStamps(Stamps):
    """Never answers; whoever waits gives up."""

    async def receipt(self, seq: int) -> str:
        self.asked.append(seq)
        await asyncio.Event().wait()
        raise AssertionError


async def seq_of(office: Office, ref: str, tag: str) -> int:
    return next(e.seq for e in await office.store.log.entries_of(ref) if tag == e.event.TAG)


async def stands_in_the_log(office: Office, message: Mapping[str, Any], seq: int) -> None:
    """What the message shows and what its metadata carries is one receipt, and the log agrees with it."""
    text = message["metadata"]["event_payload"]["receipt"]
    assert f"Receipt `{text}`" in shown(message)
    receipt = Receipt.parse(text)
    assert receipt.seq == seq
    assert receipt.leaf == await office.store.log.leaf(seq)
    assert receipt.root == (await office.store.log.checkpoint_range(receipt.size)).root()


def closing_line(office: Office, part: str) -> Mapping[str, Any]:
    (card,) = office.cards()
    return next(m for m in office.who("ada").messages(AUDIT, thread=card["ts"])[1:] if part in m["text"])


async def test_the_card_and_the_last_line_carry_their_receipts(office: Office) -> None:
    await office.opened()
    await office.endings.end(1, LINUS)
    await office.settled()
    await stands_in_the_log(office, office.cards()[0], await seq_of(office, "PA-1", "request.asked"))
    await stands_in_the_log(office, closing_line(office, "Ended early"), await seq_of(office, "PA-1", "grant.ended"))


@pytest.mark.parametrize("how", ["denied", "cancelled", "expired"])
async def test_every_other_end_carries_its_receipt_too(office: Office, how: str) -> None:
    request = await office.asked()
    if how == "denied":
        await office.broker.deny(request.id, ADA, "use the replica")
    elif how == "cancelled":
        await office.broker.cancel(1, LINUS)
    else:
        office.clock.pass_by(hours=2)
        await office.sweeper.sweep()
    await office.settled()
    line = closing_line(office, {"denied": "denied it", "cancelled": "took it back", "expired": "Lapsed"}[how])
    await stands_in_the_log(office, line, await seq_of(office, "PA-1", f"request.{how}"))


async def test_an_opening_that_failed_carries_its_receipt(office: Office) -> None:
    office.provider.faults.refuse = "no such role"
    await office.opened()
    await office.settled()
    await stands_in_the_log(office, closing_line(office, "*Failed*"), await seq_of(office, "PA-1", "grant.failed"))


async def test_a_repaint_shows_the_receipt_of_the_first_painting(office: Office) -> None:
    request = await office.asked()
    await office.settled()
    first = receipt_on(office.cards()[0])
    await office.broker.approve(request.id, ADA, request.digest)
    await office.reopen()
    await office.settled()
    await office.bot.thread.repaint("PA-1")
    assert "*Active*" in shown(office.cards()[0])
    assert receipt_on(office.cards()[0]) == first != ""
    assert office.stamps.asked == []


async def test_while_the_signer_is_silent_the_thread_goes_on_and_the_receipts_follow(office: Office) -> None:
    office.stamps.silent = True
    await office.opened()
    await office.endings.end(1, LINUS)
    await office.settled()
    assert FOLLOWS in shown(office.cards()[0])
    assert FOLLOWS in shown(closing_line(office, "Ended early"))
    office.stamps.silent = False
    await until(lambda: receipt_on(closing_line(office, "Ended early")))
    await stands_in_the_log(office, office.cards()[0], await seq_of(office, "PA-1", "request.asked"))
    await stands_in_the_log(office, closing_line(office, "Ended early"), await seq_of(office, "PA-1", "grant.ended"))
    assert FOLLOWS not in shown(closing_line(office, "Ended early"))


async def test_a_receipt_that_is_owed_survives_a_restart(office: Office) -> None:
    office.stamps.silent = True
    await office.asked()
    await office.settled()
    await office.reopen()  # with a signer that answers
    await until(lambda: receipt_on(office.cards()[0]))
    await stands_in_the_log(office, office.cards()[0], await seq_of(office, "PA-1", "request.asked"))


async def test_only_the_first_message_waits_for_a_signer_that_hangs(office: Office) -> None:
    slow = office.bot.thread.painter.receipts = SlowStamps(office.store.log)
    office.bot.thread.painter.patience = 0.2
    office.bot.thread.look_owing = 60.0
    for number in (1, 2, 3):
        await office.asked()
        await office.broker.cancel(number, LINUS)
    await office.settled()
    assert len(office.cards()) == 3
    assert len(slow.asked) <= 3  # the first, and each later look at what is owed


@pytest.mark.parametrize("survives", range(6))
async def test_killed_anywhere_a_message_keeps_the_one_receipt_that_it_showed(office: Office, survives: int) -> None:
    await office.bot_stops_noting_after(survives)
    await office.opened()
    await office.endings.end(1, LINUS)
    await until(lambda: office.notes_refused > 0)
    shown_before = [receipt_on(card) for card in office.cards()]
    await office.reopen()
    await office.settled()
    (card,) = office.cards()
    assert shown_before in ([], [receipt_on(card)])
    await stands_in_the_log(office, card, await seq_of(office, "PA-1", "request.asked"))
    await stands_in_the_log(office, closing_line(office, "Ended early"), await seq_of(office, "PA-1", "grant.ended"))


async def test_a_card_that_heads_anew_carries_the_receipt_of_the_request(office: Office) -> None:
    card = await office.asked_in_slack()
    await office.settled()
    del office.slack.world.channel("prod-access").messages[card["ts"]]
    await office.broker.cancel(1, LINUS)
    await office.settled()
    await stands_in_the_log(office, office.cards()[0], await seq_of(office, "PA-1", "request.asked"))


async def test_another_apps_message_with_our_mark_is_not_taken_for_ours(office: Office) -> None:
    """Whoever can write into the channel can write our marks; a forged one must not keep ours from being posted."""
    await office.settled()
    await office.shut()
    office.restart()
    await office.asked()
    seq = await seq_of(office, "PA-1", "request.asked")
    world = office.slack.world
    forged = {
        "text": "PA-1", "user": "U0OTHER", "bot_id": "B0OTHER",
        "metadata": {"event_type": "prodaccess_entry", "event_payload": {"seq": seq, "kind": "card"}},
    }  # fmt: skip
    world.messages.post(world.channel("prod-access"), forged)
    await office.open()
    await office.settled()
    ours = [card for card in office.cards() if card["bot_id"] != "B0OTHER"]
    assert button(ours[0], "approve") is not None


async def test_help_says_how_to_check_a_receipt(office: Office) -> None:
    await office.who("linus").command(AUDIT, "/prodaccess help")
    await office.whisper("linus", "`prodaccess-verify receipt`")
