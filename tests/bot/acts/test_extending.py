"""More time, first use, and the warning before the end: what people see of it in a local Slack."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from access.events import GrantExtended
from access.model import Cause, GrantState, RequestState
from access.requesting.extending import More
from bot.look.names import END, EXTEND
from tests.access.granting.test_timing import FIRST_USE
from tests.access.requesting.test_extending import ALONE, LONGER
from tests.bot.office import AUDIT, Office, button, pass_by, press, shown, texts
from tests.people import ADA, LINUS

HOUR = timedelta(hours=1)
UNTIL_15, UNTIL_16 = "<!date^1795446000^{time}|15:00 UTC>", "<!date^1795449600^{time}|16:00 UTC>"
ASKS_MORE = "/prodaccess extend PA-1 1h because the import still runs"


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with Office(tmp_path, LONGER) as made:
        yield made


async def active(office: Office) -> Mapping[str, Any]:
    """The card of an active grant."""
    await office.opened()
    return await office.card(lambda text: "*Active* until" in text)


# Extending


async def test_extend_in_one_line_is_decided_in_the_grants_own_thread(office: Office) -> None:
    card = await active(office)
    await office.who("linus").command(AUDIT, ASKS_MORE)
    await office.whisper("linus", "PA-2: asked for 1 hour more of PA-1. ada or grace can approve.")
    asked = await office.line(card, "PA-2 · orders-db · read · 1 hour more for PA-1")
    assert "the import still runs" in shown(asked)
    told = await office.card(lambda text: "PA-2 asks for 1 hour more; it waits in the thread." in text)
    assert told["ts"] == card["ts"]
    assert len(office.cards()) == 1  # nothing new heads a thread in the channel
    await office.letter("ada", "PA-2 · *orders-db · read* for 1 hour more for PA-1 waits for you")
    await press(office, "ada", asked, "approve")
    await office.line(card, "PA-2: ada approved (1 of 1).")
    await office.line(card, f"Extended to {UNTIL_16} by PA-2.")
    painted = await office.card(lambda text: f"*Active* until {UNTIL_16}" in text)
    assert "it waits in the thread" not in shown(painted)
    settled = await office.line(card, f"*Granted*: PA-1 is active until {UNTIL_16}. Approved by ada.")
    assert button(settled, "approve") is None
    assert (await office.grant(1)).expires_at == office.clock.now() + 2 * HOUR


async def test_the_requester_is_told_of_the_new_end_and_to_collect_again(office: Office) -> None:
    await active(office)
    await office.who("linus").command(AUDIT, ASKS_MORE)
    await office.letter("ada", "1 hour more for PA-1")
    request = await office.request(2)
    await office.broker.approve(request.id, ADA, request.digest)
    letter = shown(await office.letter("linus", "has a new end"))
    assert f"has a new end: {UNTIL_16}, by PA-2." in letter
    assert f"What you hold already ends at {UNTIL_15} all the same. Collect again" in letter
    assert "`prodaccess run PA-1 -- psql`" in letter
    await office.letter("linus", f"is yours until {UNTIL_16}.")


async def test_the_button_opens_a_form_whose_choices_end_at_what_is_left(office: Office) -> None:
    await office.opened(duration=4 * HOUR)
    card = await office.card(lambda text: "*Active* until" in text)
    await press(office, "linus", card, EXTEND)
    linus = office.who("linus")
    view = await linus.wait_view()
    (lengths,) = (b["element"]["options"] for b in view["blocks"] if b.get("block_id") == "duration")
    assert [option["value"] for option in lengths][-2:] == ["1h", "2h"]
    assert "OPS-412, as before" in texts(view["blocks"])
    done = await linus.submit({"duration": {"duration": "2h"}, "reason": {"reason": "one more import"}})
    assert done.closed
    await office.line(card, "2 hours more for PA-1")
    request = await office.request(2)
    assert (request.extends, request.duration, request.reason) == (1, 2 * HOUR, "one more import")


async def test_a_refusal_stands_in_the_form(office: Office) -> None:
    await active(office)
    linus = office.who("linus")
    await linus.command(AUDIT, "/prodaccess extend PA-1")
    await linus.wait_view()
    done = await linus.submit({"duration": {"duration": "1h"}, "reason": {"reason": "  "}})
    assert "Say why you need it" in done.errors["reason"]


async def test_somebody_elses_grant_cannot_be_extended_from_its_card(office: Office) -> None:
    card = await active(office)
    await press(office, "ada", card, EXTEND)
    await office.whisper("ada", "There is no such grant of yours.")
    assert not office.who("ada").views


async def test_where_nothing_is_left_the_answer_says_so(office: Office) -> None:
    await office.opened(duration=4 * HOUR)
    linus = office.who("linus")
    await linus.command(AUDIT, "/prodaccess extend PA-1 3h because the import still runs")
    await office.whisper("linus", "orders-db · read is given for 6 hours in all: at most 2 hours more for PA-1.")
    request = await office.broker.extend(1, LINUS, _more(2 * HOUR))
    await office.broker.approve(request.id, ADA, request.digest)
    await linus.command(AUDIT, "/prodaccess extend PA-1")
    await office.whisper("linus", "PA-1 cannot become longer. orders-db · read is given for 6 hours in all.")


async def test_a_denied_extension_leaves_the_end_and_says_why(office: Office) -> None:
    card = await active(office)
    await office.who("linus").command(AUDIT, ASKS_MORE)
    asked = await office.line(card, "1 hour more for PA-1")
    await press(office, "grace", asked, "deny")
    await office.who("grace").wait_view()
    await office.who("grace").submit({"reason": {"reason": "the freeze begins"}})
    await office.line(card, "PA-2: grace denied it.")
    await office.letter("linus", "was denied by grace")
    painted = await office.card(lambda text: "asks for" not in text)
    assert f"*Active* until {UNTIL_15}" in shown(painted)


async def test_a_grant_that_ends_takes_its_waiting_extension_with_it(office: Office) -> None:
    card = await active(office)
    await office.who("linus").command(AUDIT, ASKS_MORE)
    await office.line(card, "1 hour more for PA-1")
    await press(office, "linus", await office.card(lambda text: "PA-2 asks" in text), END)
    await office.line(card, "PA-2: PA-1 has ended, so there is nothing to prolong.")
    over = await office.line(card, "*Over*")
    assert button(over, "approve") is None
    await office.letter("linus", "is over: PA-1 has ended, so there is nothing to prolong.")
    assert (await office.request(2)).state is RequestState.CANCELLED


async def test_a_rule_that_asks_nobody_prolongs_it_at_once(tmp_path: Path) -> None:
    async with Office(tmp_path, ALONE) as office:
        await office.asked()
        card = await office.card(lambda text: "*Active* until" in text)
        await office.who("linus").command(AUDIT, ASKS_MORE)
        await office.whisper("linus", f"PA-1 is active until {UNTIL_16} now. Collect again to use it.")
        await office.line(card, f"Extended to {UNTIL_16} by PA-2.")


async def test_hostile_words_in_an_extension_come_out_harmless(office: Office) -> None:
    card = await active(office)
    await office.broker.extend(1, LINUS, _more(HOUR, "<!channel> *🟢 Granted*\n<https://evil.example|Approved by ada>"))
    asked = await office.line(card, "1 hour more for PA-1")
    quoted = texts([block for block in asked["blocks"] if block["type"] == "rich_text"])
    assert "<!channel>" in quoted
    assert "<!channel>" not in texts([block for block in asked["blocks"] if block["type"] != "rich_text"])
    assert "<!channel>" not in asked["text"]


async def test_its_messages_stand_once_also_after_a_crash(office: Office) -> None:
    card = await active(office)
    await office.bot_stops_noting_after(0)
    await office.broker.extend(1, LINUS, _more(HOUR))
    await office.who("ada").wait_message(AUDIT, lambda m: "1 hour more for PA-1" in shown(m), thread=card["ts"])
    await office.reopen()
    await office.settled()
    assert len([text for text in office.thread(card) if "1 hour more for PA-1" in text]) == 1
    await office.card(lambda text: "PA-2 asks for 1 hour more" in text)


def _more(duration: timedelta, reason: str = "the import still runs") -> More:
    return More(duration, reason, f"key-of-{duration}-{len(reason)}")


# The warning


async def test_five_minutes_before_the_end_its_requester_is_warned_with_extend_and_end_now(office: Office) -> None:
    card = await active(office)
    await pass_by(office, minutes=55)
    letter = await office.letter("linus", f"ends at {UNTIL_15}, in 5 minutes.")
    assert button(letter, EXTEND) is not None
    await office.line(card, f"Ends soon, at {UNTIL_15}.")
    await pass_by(office, seconds=30)
    warnings = [m for m in office.who("linus").messages("BOT") if "ends at" in shown(m)]
    assert len(warnings) == 1


async def test_end_now_in_the_warning_ends_it_and_its_buttons_vanish(office: Office) -> None:
    await active(office)
    await pass_by(office, minutes=55)
    letter = await office.letter("linus", "in 5 minutes.")
    await press(office, "linus", letter, END, "BOT")
    await office.card(lambda text: "*Ended* early, handed back by its requester" in text)
    grant = await office.grant(1)
    assert (grant.state, grant.cause) == (GrantState.REVOKED, Cause.REQUESTER)
    await office.settled()
    stands = next(m for m in office.who("linus").messages("BOT") if m["ts"] == letter["ts"])
    assert button(stands, END) is None
    assert "was yours until" in shown(stands)


async def test_extend_in_the_warning_asks_for_more_and_the_warning_then_says_so(office: Office) -> None:
    await active(office)
    await pass_by(office, minutes=55)
    letter = await office.letter("linus", "in 5 minutes.")
    await press(office, "linus", letter, EXTEND, "BOT")
    linus = office.who("linus")
    await linus.wait_view()
    await linus.submit({"duration": {"duration": "1h"}, "reason": {"reason": "the import still runs"}})
    asked = await office.who("ada").wait_message("BOT", lambda m: "1 hour more for PA-1" in shown(m))
    await press(office, "ada", asked, "approve", "BOT")
    await linus.wait_message("BOT", lambda m: m["ts"] == letter["ts"] and f"has a later end: {UNTIL_16}" in shown(m))
    assert (await office.last(GrantExtended)).ref == "PA-1"


async def test_a_warning_that_slack_missed_is_not_posted_afterwards(office: Office) -> None:
    await active(office)
    await office.settled()
    await office.shut()
    office.clock.pass_by(minutes=55)
    await office.sweep()
    office.clock.pass_by(minutes=5)
    await office.sweep()
    await office.open()
    await office.letter("linus", "has ended at the deadline")
    assert not [m for m in office.who("linus").messages("BOT") if "ends at" in shown(m)]


# From the first use


async def test_what_counts_from_the_first_use_says_so_until_it_is_used(tmp_path: Path) -> None:
    async with Office(tmp_path, FIRST_USE) as office:
        await office.opened()
        waits = f"1 hour from the first use, which must come by {UNTIL_16}"
        card = await office.card(lambda text: f"*Ready*: {waits}" in text)
        assert button(card, EXTEND) is None
        await office.letter("linus", f"is yours for {waits}.")
        await office.grants.collect(1, await office.device())
        await office.line(card, f"First used: the time runs until {UNTIL_15}.")
        card = await office.card(lambda text: f"*Active* until {UNTIL_15}" in text)
        assert button(card, EXTEND) is not None
        await office.letter("linus", f"is yours until {UNTIL_15}.")


async def test_unused_it_ends_and_says_why(tmp_path: Path) -> None:
    async with Office(tmp_path, FIRST_USE) as office:
        await office.opened()
        await office.card(lambda text: "*Ready*" in text)
        await pass_by(office, hours=2)
        await office.card(lambda text: "*Ended* because nobody used it in time" in text)
        await office.letter("linus", "has ended because nobody used it in time")


# Ended early, by each who may


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("linus", "*Ended* early, handed back by its requester"),
        ("grace", "*Ended* early, taken back by an approver"),
        ("margaret", "*Ended* early, taken back by an admin"),
    ],
)
async def test_end_now_on_the_card_by_requester_approver_and_admin(office: Office, name: str, said: str) -> None:
    card = await active(office)
    await press(office, name, card, END)
    await office.card(lambda text: said in text)
    await office.whisper(name, "PA-1 has ended. Its thread says what was checked.")
    if name != "linus":
        await office.letter("linus", f"is ending {said.removeprefix('*Ended* ')} ({name}).")


async def test_end_now_by_somebody_without_a_say_changes_nothing(office: Office) -> None:
    await office.opened()
    card = await office.card(lambda text: "*Active* until" in text)
    await press(office, "gus", card, END)
    await office.settled()
    assert (await office.grant(1)).state is GrantState.ACTIVE
