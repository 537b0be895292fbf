"""Buttons of the card, of private answers and of direct messages, in a local Slack."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from access.events import ActRefused, ApprovalGiven
from access.model import GrantState, RequestState
from access.ports import Change
from tests.bot.office import AUDIT, Office, button, press, shown


async def test_one_approval_opens_the_grant_and_repaints_the_card_after_the_fact(office: Office) -> None:
    card = await office.asked_in_slack()
    await press(office, "ada", card, "approve")
    painted = await office.card(lambda text: "*Active* until" in text)
    assert "Approved by ada." in shown(painted)
    assert button(painted, "approve") is None
    assert button(painted, "end") is not None
    await office.line(card, "ada approved (1 of 1).")
    letter = await office.letter("linus", "is yours until")
    assert "`prodaccess run PA-1 -- psql`" in shown(letter)
    assert (await office.grant(1)).state is GrantState.ACTIVE


async def test_two_approvals_are_two_people(office: Office) -> None:
    card = await office.asked_in_slack("orders-db/write 30m OPS-412 refunds stuck")
    await press(office, "ada", card, "approve")
    card = await office.card(lambda text: "Approved by ada." in text)
    assert "*Waiting* for 1 of grace or margaret" in shown(card)
    await press(office, "ada", card, "approve")
    await office.whisper("ada", "You have already approved this")
    await press(office, "margaret", card, "approve")
    await office.card(lambda text: "Approved by ada and margaret." in text)


async def test_double_click_opens_one_grant_and_tells_the_second_kindly(office: Office) -> None:
    card = await office.asked_in_slack()
    await asyncio.gather(press(office, "ada", card, "approve"), press(office, "ada", card, "approve"))
    await office.whisper("ada", "PA-1 is already approved by ada.")
    await office.settled()
    given = [e for e in await office.store.log.entries(-1) if isinstance(e.event, ApprovalGiven)]
    assert len(given) == 1
    assert not [m for m in office.who("grace").messages(AUDIT) if m.get("is_ephemeral")]


async def test_approve_and_deny_at_once_have_one_winner(office: Office) -> None:
    card = await office.asked_in_slack()
    await press(office, "grace", card, "deny")
    await office.who("grace").wait_view()
    denied, _ = await asyncio.gather(
        office.who("grace").submit({"reason": {"reason": "not during the freeze"}}),
        press(office, "ada", card, "approve"),
    )
    await office.settled()
    state = (await office.request(1)).state
    if state is RequestState.DENIED:
        assert denied.closed
        assert await office.whisper("ada", "PA-1 is already denied by grace.")
        assert await office.store.grant(1) is None
    else:
        assert state is RequestState.APPROVED
        assert "PA-1 is already approved by ada." in denied.errors["reason"]


async def test_self_approval_is_refused_in_private_and_written_down(office: Office) -> None:
    card = await office.asked_in_slack(by="ada")
    await press(office, "ada", card, "approve")
    await office.whisper("ada", "Nobody approves their own request.")
    assert (await office.request(1)).state is RequestState.PENDING
    assert (await office.last(ActRefused)).why == "Nobody approves their own request."  # type: ignore[attr-defined]


async def test_somebody_without_a_say_is_told_who_has_one(office: Office) -> None:
    card = await office.asked_in_slack(by="ada")
    await press(office, "linus", card, "approve")
    await office.whisper("linus", "This is decided by grace.")
    await press(office, "margaret", card, "deny")
    await office.whisper("margaret", "This is decided by grace.")
    assert not office.who("margaret").views


async def test_a_click_on_an_old_card_says_so_and_repaints_it(office: Office) -> None:
    card = await office.asked_in_slack()
    await office.who("linus").command(AUDIT, "/prodaccess end PA-1")
    await office.card(lambda text: "*Taken back* by linus" in text)
    place = await office.store.note("card:PA-1")
    assert place is not None
    stale = {"channel": place["channel"], "ts": place["ts"], "text": "old", "blocks": card["blocks"]}
    await office.bot.client.chat_update(**stale)
    await press(office, "ada", card, "approve")
    await office.whisper("ada", "PA-1 has been taken back by linus.")
    assert button(await office.card(lambda text: "*Taken back* by linus" in text), "approve") is None


async def test_a_card_that_shows_something_else_does_not_count(office: Office) -> None:
    card = await office.asked_in_slack()
    request = await office.request(1)
    await office.store.commit(Change(requests=(replace(request, reason="something quite different"),)))
    await press(office, "ada", card, "approve")
    await office.whisper("ada", "This card no longer shows what was asked.")
    assert (await office.request(1)).state is RequestState.PENDING


async def test_the_value_of_another_button_is_refused(office: Office) -> None:
    card = await office.asked_in_slack()
    forged = dict(card)
    forged["blocks"] = [
        {"type": "actions", "block_id": "x", "elements": [{**button(card, "approve"), "value": "approve:PA-1"}]}  # type: ignore[dict-item]
    ]
    await press(office, "ada", forged, "approve")
    await office.whisper("ada", "This button is not one of ours any more.")


async def test_a_denial_needs_its_reason_and_reaches_the_requester(office: Office) -> None:
    card = await office.asked_in_slack()
    await press(office, "ada", card, "deny")
    await office.who("ada").wait_view()
    answer = await office.who("ada").submit({"reason": {"reason": "   "}})
    assert "reason" in answer.errors
    await office.who("ada").submit({"reason": {"reason": "Use the replica: it has the same rows"}})
    painted = await office.card(lambda text: "*Denied* by ada" in text)
    assert "Use the replica" in shown(painted)
    assert button(painted, "approve") is None
    letter = await office.letter("linus", "was denied by ada")
    assert "Use the replica" in shown(letter)


async def test_who_can_names_the_deciders_and_the_rule(office: Office) -> None:
    card = await office.asked_in_slack(by="grace")
    await press(office, "margaret", card, "who")
    told = await office.whisper("margaret", "ada can approve.")
    assert "the rule orders-db/read" in told["text"]


async def test_cancel_replaces_the_private_answer(office: Office) -> None:
    await office.asked_in_slack()
    told = await office.whisper("linus", "asked for")
    await press(office, "linus", told, "cancel")
    await office.whisper("linus", "PA-1 is taken back")
    assert not [m for m in office.who("linus").messages(AUDIT) if "PA-1: asked for" in shown(m)]


async def test_end_now_from_the_direct_message_ends_it_and_takes_the_button_away(office: Office) -> None:
    card = await office.asked_in_slack()
    await press(office, "ada", card, "approve")
    letter = await office.letter("linus", "is yours until")
    linus = office.who("linus")
    await linus.click("BOT", letter["ts"], "end")
    await office.whisper("linus", "PA-1 has ended.")
    await office.letter("linus", "has ended early, handed back by its requester")
    await office.settled()
    repainted = next(m for m in linus.messages("BOT") if m["ts"] == letter["ts"])
    assert button(repainted, "end") is None
    assert "was yours until" in shown(repainted)
    assert (await office.grant(1)).state is GrantState.REVOKED


async def test_an_approver_can_take_it_back_and_a_bystander_cannot(office: Office) -> None:
    card = await office.asked_in_slack(by="ada")
    await press(office, "grace", card, "approve")
    card = await office.card(lambda text: "*Active*" in text)
    await press(office, "linus", card, "end")
    await office.whisper("linus", "There is no such grant that you may end.")
    await press(office, "grace", card, "end")
    await office.letter("ada", "is ending early, taken back by an approver (grace)")
    assert (await office.grant(1)).state is GrantState.REVOKED


async def test_that_was_not_me_signs_the_terminal_out_and_ends_what_is_open(office: Office) -> None:
    card = await office.asked_in_slack()
    await press(office, "ada", card, "approve")
    await office.asked_in_slack("orders-db/write 30m OPS-1 more")
    device = await office.device()
    letter = await office.letter("linus", "A terminal signed in as you")
    assert "thinkpad" in shown(letter)
    await office.who("linus").click("BOT", letter["ts"], "not_me")
    told = await office.whisper("linus", "thinkpad is signed out.")
    assert "Ended: PA-2, PA-1." in told["text"]
    ended = await office.store.device(device.id)
    assert ended is not None
    assert ended.ended_at is not None
    assert (await office.grant(1)).state is GrantState.REVOKED
    assert (await office.request(2)).state is RequestState.CANCELLED


async def test_that_was_not_me_of_somebody_else_does_nothing(office: Office) -> None:
    await office.device()
    letter = await office.letter("linus", "A terminal signed in as you")
    copied = {"channel": "#prod-access", "text": "look", "blocks": letter["blocks"]}
    posted = await office.bot.client.chat_postMessage(**copied)
    await office.who("ada").click(AUDIT, posted["ts"], "not_me")
    await office.whisper("ada", "There is no such sign-in of yours.")
