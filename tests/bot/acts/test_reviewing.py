"""Reviewed and Flag on the message that closes a thread, the reminders, and `/prodaccess reviews`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from access.afterwards.erasing import Erasing
from access.model import ReviewState
from tests.bot.office import AUDIT, Office, button, is_card, press, shown
from tests.breaking import broken, ended, with_glass
from tests.people import LINUS, MARGARET, POLICY
from tests.world import Policies

REVIEWED = POLICY.replace("max: 4h, default: 1h", "max: 4h, default: 1h, review: yes")


@pytest.fixture(autouse=True)
def _reviewed(office: Office) -> None:
    office.policies.policy = Policies(REVIEWED).policy


async def closing_message(office: Office) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """A grant that is over: its card, and the message that closes its thread."""
    card = await office.asked_in_slack()
    await office.who("ada").click(AUDIT, card["ts"], "approve", message=card)
    await office.card(lambda text: "*Active*" in text)
    await office.broker.end(1, LINUS)
    return card, await office.line(card, "Ended early")


async def reviewed(office: Office, name: str, message: Mapping[str, Any], note: str = "") -> Any:
    await press(office, name, message, "reviewed")
    await office.who(name).wait_view()
    return await office.who(name).submit({"note": {"reason": note}} if note else {})


async def state(office: Office) -> ReviewState:
    review = await office.store.review(1)
    assert review is not None
    return review.state


async def test_reviewed_closes_it_and_the_thread_and_the_card_say_so(office: Office) -> None:
    card, closing = await closing_message(office)
    await office.line(card, "To be reviewed by one of <@U0ADA>, <@U0GRACE>, <@U0MARGARET>.")
    assert (button(closing, "reviewed"), button(closing, "flag")) != (None, None)
    assert "To be reviewed." in shown(await office.card(lambda text: "*Ended*" in text))
    assert (await reviewed(office, "grace", closing, "Two rows, as the ticket says")).closed
    line = await office.line(card, "Reviewed by grace.")
    assert "Two rows, as the ticket says" in shown(line)
    await office.card(lambda text: "Reviewed by grace." in text)
    await office.settled()
    assert button(await office.line(card, "Ended early"), "reviewed") is None
    assert await state(office) is ReviewState.REVIEWED


async def test_the_note_may_stay_empty(office: Office) -> None:
    card, closing = await closing_message(office)
    assert (await reviewed(office, "margaret", closing)).closed
    await office.line(card, "Reviewed by margaret.")


async def test_a_flag_is_loud_and_keeps_it_open(office: Office) -> None:
    card, closing = await closing_message(office)
    await press(office, "ada", closing, "flag")
    await office.who("ada").wait_view()
    answer = await office.who("ada").submit({"note": {"reason": "  "}})
    assert "Say what you saw" in answer.errors["note"]
    await office.who("ada").submit({"note": {"reason": "A table was dropped <!channel>"}})
    seen = await office.line(card, "*Flagged* by ada;")  # the closing message says it with a comma
    assert "A table was dropped" in shown(seen)
    await office.settled()
    (loud,) = [m for m in office.who("ada").messages(AUDIT) if "*Flagged*: ada saw" in shown(m) and not is_card(m)]
    assert "<@U0MARGARET>" in shown(loud)
    assert "A table" not in shown(loud)  # where an erasure would not reach it
    await office.card(lambda text: "*Flagged* by ada, and not yet reviewed." in text)
    again = await office.line(card, "Ended early")
    assert (button(again, "flag"), button(again, "reviewed") is None) == (None, False)
    assert await state(office) is ReviewState.FLAGGED
    await reviewed(office, "grace", again, "It was the temporary one")
    await office.line(card, "Reviewed by grace.")


async def test_the_requester_is_refused_in_private_before_any_form(office: Office) -> None:
    _, closing = await closing_message(office)
    for action in ("reviewed", "flag"):
        await press(office, "linus", closing, action)
    await office.whisper("linus", "Nobody reviews what they did themselves.")
    assert not office.who("linus").views
    assert await state(office) is ReviewState.OPEN


async def test_an_old_message_says_that_it_is_done(office: Office) -> None:
    card, closing = await closing_message(office)
    await reviewed(office, "grace", closing)
    await office.line(card, "Reviewed by grace.")
    await press(office, "ada", closing, "reviewed")
    await office.whisper("ada", "PA-1 has already been reviewed by grace.")


async def test_two_forms_at_once_close_it_once(office: Office) -> None:
    card, closing = await closing_message(office)
    for name in ("ada", "grace"):
        await press(office, name, closing, "reviewed")
        await office.who(name).wait_view()
    assert (await office.who("ada").submit({})).closed
    late = await office.who("grace").submit({})
    assert "already been reviewed by ada" in " ".join(late.errors.values())
    await office.settled()
    assert office.thread(card).count("Reviewed by ada.") == 1


async def test_a_broken_glass_calls_its_reviewers_when_it_is_over(office: Office) -> None:
    with_glass(office)
    request = await broken(office)
    card = await office.card(lambda text: "Break-glass" in text)
    await office.settled()
    assert not [m for m in office.who("ada").messages(AUDIT, thread=card["ts"]) if button(m, "reviewed")]
    await ended(office, request)
    closing = await office.line(card, "Ended early")
    assert "Now to be reviewed by one of <@U0ADA>, <@U0GRACE>, <@U0MARGARET>." in shown(closing)
    await reviewed(office, "ada", closing, "as it should be")
    await office.line(card, "Reviewed by ada.")
    await office.who("linus").command(AUDIT, "/prodaccess orders-db 1h OPS-1 now again")
    await office.whisper("linus", "PA-2: asked for")


async def test_each_day_it_is_called_for_in_the_thread(office: Office) -> None:
    card, _ = await closing_message(office)
    office.clock.pass_by(days=1)
    await office.sweeper.sweep()
    await office.line(card, "Still to be reviewed by one of <@U0ADA>, <@U0GRACE>, <@U0MARGARET>.")


async def test_reviews_lists_what_is_mine_to_do_and_what_of_mine_waits(office: Office) -> None:
    card, _ = await closing_message(office)
    await office.who("grace").command(AUDIT, "/prodaccess reviews")
    told = await office.whisper("grace", "To review")
    assert "PA-1 · *orders-db · read* by linus: as its rule wants" in shown(told)
    await office.who("linus").command(AUDIT, "/prodaccess reviews")
    mine = await office.whisper("linus", "Of what you did")
    assert "Can be closed by ada, grace or margaret." in shown(mine)
    await reviewed(office, "grace", told)
    await office.line(card, "Reviewed by grace.")
    await office.who("grace").command(AUDIT, "/prodaccess reviews")
    await office.whisper("grace", "Nothing waits for a review of yours")


async def test_what_was_said_in_a_review_can_be_erased(office: Office) -> None:
    card, closing = await closing_message(office)
    await reviewed(office, "grace", closing, "the customer Jane Doe called")
    await office.line(card, "Jane Doe")
    erasing = Erasing(office.store, office.people, office.policies, office.clock)
    await erasing.erase("PA-1", "a name", MARGARET)
    await office.settled()
    assert "Jane Doe" not in "".join(shown(m) for m in office.who("ada").messages(AUDIT, thread=card["ts"]))
