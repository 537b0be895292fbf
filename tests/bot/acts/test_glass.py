"""Breaking the glass in Slack: asked once more, loud everywhere, told late where Slack was away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from access.events import AskRefused
from access.model import GrantState
from tests.bot.office import AUDIT, Office, button, is_card, shown
from tests.breaking import POLICY_WITH_GLASS, broken, ended, with_glass


@pytest.fixture(autouse=True)
def _glass(office: Office) -> None:
    with_glass(office)


async def opened_form(office: Office, text: str = "orders 10m because nobody answers", by: str = "linus") -> Any:
    await office.who(by).command(AUDIT, f"/prodaccess break-glass {text}")
    return await office.who(by).wait_view()


async def broken_in_slack(office: Office) -> Mapping[str, Any]:
    """The card, once it stands."""
    await opened_form(office)
    answer = await office.who("linus").submit({})
    assert answer.closed, answer.errors
    return await office.card(lambda text: "Break-glass" in text)


def loud(office: Office, part: str) -> list[Mapping[str, Any]]:
    """What stands in the channel beside the cards."""
    return [m for m in office.who("ada").messages(AUDIT) if part in shown(m) and not is_card(m)]


async def test_the_form_says_what_will_happen_before_it_does(office: Office) -> None:
    view = await opened_form(office)
    text = shown({"blocks": view["blocks"]})
    assert "without approval" in text
    assert "Told right away, in the channel and each by a message: ada, grace and margaret." in text
    assert "Somebody else than you has to review it afterwards." in text
    assert "you cannot ask for anything, nor break the glass again" in text
    assert "after 15 minutes at the latest" in text
    assert await office.store.grant(1) is None


async def test_it_is_loud_everywhere_at_once_and_access_is_there(office: Office) -> None:
    card = await broken_in_slack(office)
    card = await office.card(lambda text: "*Break-glass, active*" in text)
    assert "🔴 Break-glass · PA-1 · orders-db · write · 10 minutes" in shown(card)
    assert "Nobody approved it. It will be reviewed." in shown(card)
    assert "nobody answers" in shown(card)
    assert button(card, "approve") is None
    await office.settled()
    (told,) = loud(office, "*Break-glass*")
    assert "linus took PA-1" in shown(told)
    for account in ("<@U0ADA>", "<@U0GRACE>", "<@U0MARGARET>"):
        assert account in shown(told)
    for name in ("ada", "grace", "margaret"):
        letter = await office.letter(name, "*Break-glass*: linus took PA-1")
        assert button(letter, "open_card") is not None
    await office.line(card, "linus took this access without approval")
    assert not [line for line in office.thread(card) if "nobody was asked" in line]
    await office.letter("linus", "is yours until")
    await office.whisper("linus", "Somebody else reviews it; before that you cannot ask for anything.")
    assert (await office.grant(1)).state is GrantState.ACTIVE


async def test_what_is_wrong_stands_in_its_field(office: Office) -> None:
    await opened_form(office)
    linus = office.who("linus")
    answer = await linus.submit({"duration": {"duration": "1h"}})
    assert "At most 15 minutes" in answer.errors["duration"]
    answer = await linus.submit({"duration": {"duration": "soon"}})
    assert "is not a duration" in answer.errors["duration"]
    assert await office.store.grant(1) is None


async def test_too_long_is_cut_to_the_most_before_it_is_sent(office: Office) -> None:
    await opened_form(office, "orders 4h because nobody answers")
    assert (await office.who("linus").submit({})).closed
    await office.card(lambda text: "write · 15 minutes" in text)


async def test_whoever_is_not_named_gets_no_form_and_that_is_written_down(office: Office) -> None:
    await office.who("ada").command(AUDIT, "/prodaccess break-glass orders-db 10m because I can")
    await office.whisper("ada", "You cannot break the glass for orders-db")
    assert not office.who("ada").views
    refusal = await office.last(AskRefused)
    assert isinstance(refusal, AskRefused)
    assert refusal.glass


async def test_without_a_target_it_says_which_there_are(office: Office) -> None:
    await office.who("linus").command(AUDIT, "/prodaccess break-glass")
    await office.whisper("linus", "You can for orders-db/write.")
    await office.who("ada").command(AUDIT, "/prodaccess break-glass")
    await office.whisper("ada", "There is no glass that the policy lets you break.")


async def test_a_second_one_waits_for_the_review_of_the_first(office: Office) -> None:
    await broken_in_slack(office)
    await office.who("linus").command(AUDIT, "/prodaccess break-glass orders 5m because again")
    await office.whisper("linus", "You broke the glass for PA-1, and it has not been reviewed yet.")
    await office.who("linus").command(AUDIT, "/prodaccess orders-db 1h OPS-1 something else")
    told = await office.whisper("linus", "Before that you cannot ask for anything.")
    assert "It can be closed by ada, grace or margaret." in shown(told)


async def test_broken_while_slack_was_away_it_is_told_late_and_says_so(office: Office) -> None:
    device = await office.device()
    await office.shut()
    request = await broken(office, device=device)
    await ended(office, request)
    office.clock.pass_by(minutes=30)
    await office.open()
    await office.settled()
    (told,) = loud(office, "*Break-glass*")
    assert "This comes late: it was at" in shown(told)
    letter = await office.letter("ada", "*Break-glass*")
    assert "This comes late" in shown(letter)
    card = await office.card(lambda text: "Break-glass" in text)
    assert "*Ended*" in shown(card)
    assert "To be reviewed." in shown(card)


async def test_hostile_words_stay_harmless(office: Office) -> None:
    await opened_form(office, "orders 10m because <!channel> *Approved* by ada\u202e")
    await office.who("linus").submit({})
    card = await office.card(lambda text: "Break-glass" in text)
    await office.settled()
    for message in (card, *loud(office, "*Break-glass*"), await office.letter("ada", "*Break-glass*")):
        assert "<!channel>" not in message["text"]
        assert "\u202e" not in shown(message)


async def test_a_form_that_was_left_open_is_judged_by_the_policy_of_now(office: Office) -> None:
    await opened_form(office)
    with_glass(office, POLICY_WITH_GLASS.replace("who: [linus]", "who: [grace]"))
    answer = await office.who("linus").submit({})
    assert "You cannot break the glass" in " ".join(answer.errors.values())
    assert await office.store.grant(1) is None
    assert await office.store.open_reviews() == ()
