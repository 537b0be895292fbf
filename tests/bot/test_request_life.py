"""A request from its asking to its decision, as those see it who are asked, and as whoever asked does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from access.model import GrantState, RequestState
from tests.access.requesting.test_calling import STAGED
from tests.bot.office import AUDIT, Office, button, pass_by, press, shown, until
from tests.bot.test_erasing import erase, everything
from tests.bot.thread.test_thread import down, up
from tests.people import ADA, GRACE, LINUS, POLICY


@pytest.fixture
async def staged(tmp_path: Path) -> AsyncIterator[Office]:
    async with Office(tmp_path, STAGED) as made:
        yield made


def letters(office: Office, name: str) -> list[str]:
    return [shown(m) for m in office.who(name).messages("BOT")]


# How far it is


async def test_a_card_that_needs_one_approval_stays_as_short_as_it_was(office: Office) -> None:
    card = await office.asked_in_slack()
    assert "*Waiting* for 1 of ada or grace" in shown(card)
    assert "asked since" not in shown(card)


async def test_the_card_shows_each_stage_with_whom_it_waits_for_and_who_is_next(staged: Office) -> None:
    card = await staged.asked_in_slack("orders-db/write 30m refunds stuck")
    assert "*Waiting*: 0 of 2 approvals." in shown(card)
    assert "waiting: 1 of ada, grace (ada, grace), asked since <!date^1795442400^{time}|14:00 UTC>" in shown(card)
    assert "then: 1 of security" in shown(card)
    staged.clock.pass_by(minutes=5)
    await press(staged, "ada", card, "approve")
    card = await staged.card(lambda text: "✓ 1 of ada, grace: ada" in text)
    assert "waiting: 1 of security (margaret), asked since <!date^1795442700^{time}|14:05 UTC>" in shown(card)
    await staged.line(card, "Now asked too: <@U0MARGARET>.")
    await staged.letter("margaret", "waits for you until")
    await press(staged, "margaret", card, "approve")
    active = await staged.card(lambda text: "*Active* until" in text)
    assert "asked since" not in shown(active)
    assert (await staged.grant(1)).state is GrantState.ACTIVE


async def test_those_who_stand_in_are_shown_with_their_hour_and_called_when_it_comes(staged: Office) -> None:
    card = await staged.asked_in_slack("orders-db/read 1h refunds stuck")
    assert "then: 1 of grace, from <!date^1795443000^{time}|14:10 UTC>" in shown(card)
    assert letters(staged, "grace") == []
    await pass_by(staged, minutes=10)
    card = await staged.card(lambda text: "or: 1 of grace (grace), asked since" in text)
    await staged.line(card, "Now asked too: <@U0GRACE>.")
    letter = await staged.letter("grace", "waits for you until")
    await press(staged, "grace", letter, "approve", "BOT")
    await staged.card(lambda text: "Approved by grace." in text)


async def test_an_alternative_is_shown_beside_the_way_that_is_nearest(staged: Office) -> None:
    card = await staged.asked_in_slack("orders-db/drop 30m old table")
    await press(staged, "ada", card, "approve")
    card = await staged.card(lambda text: "so far ada" in text)
    assert "or: 1 of margaret (margaret), asked since" in shown(card)


async def test_a_card_painted_anew_out_of_the_log_alone_says_the_same(staged: Office) -> None:
    card = await staged.asked_in_slack("orders-db/write 30m refunds stuck")
    await press(staged, "ada", card, "approve")
    card = await staged.card(lambda text: "✓ 1 of ada, grace: ada" in text)
    await staged.settled()
    before = shown(card)
    await staged.reopen()
    await staged.bot.thread.repaint("PA-1")
    assert shown(staged.cards()[0]) == before


# Deciding from a message


async def test_it_is_decided_from_the_message_and_then_every_message_says_by_whom(office: Office) -> None:
    await office.asked_in_slack()
    letter = await office.letter("ada", "waits for you until")
    assert {"approve", "less", "deny", "comment", "open_card"} == {
        a for a in ("approve", "less", "deny", "comment", "open_card", "who") if button(letter, a)
    }
    await press(office, "ada", letter, "approve", "BOT")
    for name in ("ada", "grace"):
        painted = await office.letter(name, "no longer waits for you. 🟢 *Active*")
        assert "Approved by ada." in shown(painted)
        assert button(painted, "approve") is None
        assert button(painted, "deny") is None


async def test_a_denial_from_the_message_is_shown_on_all_of_them(office: Office) -> None:
    await office.asked_in_slack()
    letter = await office.letter("grace", "waits for you until")
    await press(office, "grace", letter, "deny", "BOT")
    await office.who("grace").wait_view()
    await office.who("grace").submit({"reason": {"reason": "use the replica"}})
    assert button(await office.letter("ada", "🔴 *Denied* by grace"), "approve") is None


async def test_whoever_has_approved_one_of_two_sees_that_on_their_message(office: Office) -> None:
    await office.asked_in_slack("orders-db/write 30m OPS-1 refunds stuck")
    letter = await office.letter("ada", "waits for you until")
    await press(office, "ada", letter, "approve", "BOT")
    painted = await office.letter("ada", "you have approved it.")
    assert button(painted, "approve") is None
    assert button(await office.letter("grace", "waits for you until"), "approve") is not None


async def test_a_click_on_an_old_message_says_what_happened_and_brings_it_up_to_date(office: Office) -> None:
    await office.asked_in_slack()
    letter = await office.letter("grace", "waits for you until")
    request = await office.request(1)
    down(office, method="chat.update")
    await office.broker.approve(request.id, ADA, request.digest)
    await press(office, "grace", letter, "approve", "BOT")
    await office.letter("grace", "PA-1 is already approved by ada.")
    up(office)
    await office.letter("grace", "no longer waits for you. 🟢 *Active*")


async def test_two_approvers_at_once_open_one_grant_and_one_is_told_so(office: Office) -> None:
    card = await office.asked_in_slack()
    await asyncio.gather(press(office, "ada", card, "approve"), press(office, "grace", card, "approve"))
    await office.settled()
    winner = (await office.request(1)).votes[0].by.name
    loser = "grace" if winner == "ada" else "ada"
    await office.whisper(loser, f"PA-1 is already approved by {winner}.")
    assert (await office.tags("PA-1")).count("approval.given") == 1


# For less


async def test_approved_for_less_is_told_to_all_and_holds(office: Office) -> None:
    card = await office.asked_in_slack("orders-db 2h OPS-412 refunds stuck")
    await press(office, "ada", card, "less")
    view = await office.who("ada").wait_view()
    assert "30 minutes" in shown(view)
    assert "2 hours was asked for." in shown(view)
    answer = await office.who("ada").submit({"duration": {"duration": "30m"}})
    assert answer.closed
    painted = await office.card(lambda text: "*Active* until" in text)
    assert "Approved by ada, for at most 30 minutes." in shown(painted)
    await office.line(card, "ada approved (1 of 1), for at most 30 minutes.")
    await office.letter("linus", "Approved by ada, for at most 30 minutes.")
    grant = await office.grant(1)
    assert grant.expires_at == office.clock.now() + timedelta(minutes=30)


async def test_less_is_not_offered_where_it_is_short_already_nor_to_bystanders(office: Office) -> None:
    card = await office.asked_in_slack("orders-db 5m OPS-412 refunds stuck")
    assert button(card, "less") is None
    card = await office.asked_in_slack("orders-db 1h OPS-413 more refunds")
    await press(office, "margaret", card, "less")
    await office.whisper("margaret", "This is decided by ada, grace.")
    assert not office.who("margaret").views


async def test_a_form_for_less_that_comes_too_late_says_so_in_its_field(office: Office) -> None:
    card = await office.asked_in_slack("orders-db 2h OPS-412 refunds stuck")
    await press(office, "ada", card, "less")
    await office.who("ada").wait_view()
    await press(office, "grace", card, "approve")
    await office.card(lambda text: "*Active* until" in text)
    answer = await office.who("ada").submit({"duration": {"duration": "1h"}})
    assert "PA-1 is already approved by grace." in answer.errors["duration"]


# Saying something


async def test_a_comment_stands_in_the_thread_and_reaches_whoever_asked(office: Office) -> None:
    card = await office.asked_in_slack()
    await press(office, "ada", card, "comment")
    await office.who("ada").wait_view()
    assert "text" in (await office.who("ada").submit({"text": {"text": "  "}})).errors
    await office.who("ada").submit({"text": {"text": "Which <!channel> table?"}})
    line = await office.line(card, "ada commented.")
    assert "Which <!channel> table?" in shown(line)
    assert "<!channel>" not in line["text"]
    letter = await office.letter("linus", "ada commented.")
    assert "Which <!channel> table?" in shown(letter)
    assert not any("commented" in text for text in letters(office, "grace"))
    assert (await office.request(1)).state is RequestState.PENDING


async def test_what_the_requester_says_reaches_those_who_are_asked(office: Office) -> None:
    await office.asked_in_slack()
    await office.who("linus").command(AUDIT, "/prodaccess comment PA-1 only public.refunds")
    await office.whisper("linus", "PA-1: your comment is in its thread.")
    for name in ("ada", "grace"):
        assert "only public.refunds" in shown(await office.letter(name, "linus commented."))


async def test_a_bystander_can_neither_comment_nor_learn_that_there_is_a_request(office: Office) -> None:
    card = await office.asked_in_slack(by="ada")
    await press(office, "linus", card, "comment")
    await office.whisper("linus", "There is no such request that you may see.")
    await office.who("linus").command(AUDIT, "/prodaccess comment PA-1 hello")
    await office.settled()
    assert "request.commented" not in await office.tags("PA-1")


async def test_a_comment_that_was_erased_is_gone_from_every_copy(office: Office) -> None:
    request = await office.asked()
    await office.settled()
    for by in (LINUS, ADA):
        await office.broker.comment(1, by, "it is Frau Kowalczyk's order")
    await office.settled()
    await office.broker.deny(request.id, GRACE, "not now")
    await office.settled()
    assert everything(office).count("Kowalczyk") == 5  # twice the thread, two who decide, whoever asked
    await erase(office)
    assert "Kowalczyk" not in everything(office)


# Calling again


async def test_halfway_those_who_are_silent_are_called_once_more(office: Office) -> None:
    card = await office.asked_in_slack("orders-db/write 30m OPS-1 refunds stuck")
    await press(office, "ada", card, "approve")
    await office.card(lambda text: "Approved by ada." in text)
    await pass_by(office, minutes=30)
    await office.line(card, "Still waiting for a decision: <@U0GRACE>, <@U0MARGARET>.")
    again = await office.letter("grace", "still waits for you until")
    assert button(again, "approve") is not None
    old = await office.letter("grace", "you were asked again, further down.")
    assert button(old, "approve") is None
    assert not any("still waits" in text for text in letters(office, "ada"))
    await pass_by(office, minutes=5)
    assert sum("still waits" in text for text in letters(office, "grace")) == 1
    await press(office, "grace", again, "approve", "BOT")
    await office.letter("grace", "no longer waits for you. 🟢 *Active*")


@pytest.mark.parametrize("survives", range(4))
async def test_killed_while_calling_nobody_is_called_twice(office: Office, survives: int) -> None:
    await office.asked_in_slack()
    await office.bot_stops_noting_after(survives)
    office.clock.pass_by(minutes=30)
    await office.sweeper.sweep()
    await until(lambda: office.notes_refused > 0)
    await office.reopen()
    await pass_by(office, seconds=1)
    assert sum("Still waiting" in text for text in office.thread(office.cards()[0])) == 1
    for name in ("ada", "grace"):
        assert sum("still waits" in text for text in letters(office, name)) == 1


async def test_nobody_is_called_to_what_was_decided_while_slack_was_away(office: Office) -> None:
    card = await office.asked_in_slack()
    await office.settled()
    down(office)
    office.clock.pass_by(minutes=30)
    await office.sweeper.sweep()
    await until(lambda: office.bot.thread.trouble)
    request = await office.request(1)
    await office.broker.approve(request.id, ADA, request.digest)
    up(office)
    await office.settled()
    assert not any("still waits" in text for text in letters(office, "grace"))
    await office.line(card, "ada approved (1 of 1).")


async def test_a_request_that_nobody_can_decide_any_more_says_so(office: Office) -> None:
    card = await office.asked_in_slack()
    text = POLICY.replace("      read:", "      look:")
    office.policies.policy = type(office.policies)(text).policy
    await press(office, "ada", card, "approve")
    await office.whisper("ada", "The policy no longer knows orders-db · read.")
    await pass_by(office, minutes=30)
    painted = await office.card(lambda text: "Nobody can decide it right now." in text)
    assert "The policy no longer knows orders-db · read." in shown(painted)
    await office.line(card, "Nobody can decide it right now.")
    await office.letter("linus", "cannot be decided by anybody right now. Take it back, or ask your admins.")


async def test_a_request_that_nobody_decides_lapses_and_its_buttons_are_gone(office: Office) -> None:
    await office.asked_in_slack()
    await pass_by(office, minutes=30)
    await pass_by(office, minutes=30)
    assert button(await office.card(lambda text: "*Lapsed*" in text), "approve") is None
    await office.letter("linus", "lapsed: nobody decided in time.")
    assert button(await office.letter("ada", "no longer waits for you. ⚪ *Lapsed*"), "approve") is None
