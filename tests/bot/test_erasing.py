"""Words that were erased are gone from Slack too, and the thread says who erased them and why."""

from __future__ import annotations

from typing import Any

import pytest

from access.afterwards.erasing import Erasing
from access.events import Erased
from bot.look.blocks import said
from tests.bot.office import AUDIT, Office, shown, texts
from tests.people import ADA, MARGARET

REASON = "Frau Kowalczyk's invoices"
NO = "ask Mr. Oyelaran first"


async def denied(office: Office) -> None:
    request = await office.asked(reason=REASON)
    await office.settled()
    await office.broker.deny(request.id, ADA, NO)
    await office.settled()


async def erase(office: Office, why: str = "a customer's name, DSR-7") -> None:
    await Erasing(office.store, office.people, office.policies, office.clock).erase("PA-1", why, MARGARET)
    await office.settled()


def everything(office: Office) -> str:
    """All that anybody can read in this Slack."""
    return "\n".join(
        f"{shown(message)} {message.get('metadata')}"
        for channel in office.slack.world.channels.values()
        for message in channel.messages.values()
    )


async def test_the_words_are_gone_from_every_copy(office: Office) -> None:
    await denied(office)
    assert everything(office).count(REASON) == 3  # the card, and a letter to each of two deciders
    assert everything(office).count(NO) == 3  # the card, the thread, and the requester's letter
    await erase(office)
    assert REASON not in everything(office)
    assert NO not in everything(office)
    assert everything(office).count("(erased)") == 6


async def test_the_thread_says_once_who_erased_how_much_and_why(office: Office) -> None:
    await denied(office)
    await erase(office)
    (card,) = office.cards()
    assert [text for text in office.thread(card) if "erased" in text] == ["2 texts were erased by margaret."]
    line = await office.line(card, "2 texts were erased by margaret.")
    assert "a customer's name, DSR-7" in shown(line)


async def test_what_is_erased_is_in_italics(office: Office) -> None:
    await denied(office)
    await erase(office)
    quotes = [
        element["elements"][0]
        for block in office.cards()[0]["blocks"]
        if block["type"] == "rich_text"
        for element in block["elements"]
        if element["type"] == "rich_text_quote"
    ]
    assert quotes == [{"type": "text", "text": "(erased)", "style": {"italic": True}}] * 2


async def test_a_repainted_letter_no_longer_calls_its_reader(office: Office) -> None:
    await denied(office)
    await erase(office)
    told = shown(await office.letter("grace", "(erased)"))
    assert "no longer waits for you. 🔴 *Denied* by ada" in told
    assert "|14:00 UTC>." in told


async def test_erased_while_slack_was_away_the_words_never_arrive(office: Office) -> None:
    await office.settled()
    await office.shut()
    office.restart()
    request = await office.asked(reason=REASON)
    await office.broker.deny(request.id, ADA, NO)
    await Erasing(office.store, office.people, office.policies, office.clock).erase("PA-1", "DSR-7", MARGARET)
    await office.open()
    await office.settled()
    assert office.slack.journal.search(REASON) == []
    assert office.slack.journal.search(NO) == []
    assert "2 texts were erased by margaret." in "\n".join(office.thread(office.cards()[0]))


async def test_a_letter_that_slack_no_longer_has_does_not_keep_the_others_from_being_erased(office: Office) -> None:
    await denied(office)
    for channel in office.slack.world.channels.values():
        for ts in [ts for ts, m in channel.messages.items() if "waits for you" in m["text"]][:1]:
            del channel.messages[ts]
    await erase(office)
    assert REASON not in everything(office)


async def test_home_pages_that_still_show_the_words_are_drawn_anew(office: Office) -> None:
    request = await office.asked(reason=REASON)
    await office.who("grace").open_home()
    await office.who("grace").wait_home(lambda view: REASON in texts(view["blocks"]))
    await office.broker.deny(request.id, ADA, NO)
    await erase(office)
    home = await office.who("grace").wait_home(lambda view: "Nothing waits for you." in texts(view["blocks"]))
    assert REASON not in texts(home["blocks"])


async def test_an_account_without_a_home_page_does_not_hold_up_the_thread(office: Office) -> None:
    await denied(office)
    office.slack.faults.add(
        {"where": "api", "do": "error", "error": "not_enabled", "method": "views.publish", "times": None}
    )
    await erase(office)
    assert REASON not in everything(office)


@pytest.mark.parametrize("survives", [0, 1])
async def test_killed_while_erasing_it_is_finished_after_the_restart(office: Office, survives: int) -> None:
    await denied(office)
    await office.bot_stops_noting_after(survives)
    await Erasing(office.store, office.people, office.policies, office.clock).erase("PA-1", "DSR-7", MARGARET)
    await office.reopen()
    await office.settled()
    assert REASON not in everything(office)
    assert "\n".join(office.thread(office.cards()[0])).count("erased by margaret") == 1


async def test_show_says_that_the_reason_was_erased(office: Office) -> None:
    await denied(office)
    await erase(office)
    await office.who("linus").command(AUDIT, "/prodaccess show PA-1")
    told = shown(await office.whisper("linus", "PA-1 · *orders-db · read*: denied"))
    assert "(erased)" in told
    assert "no reason given" not in told


def test_somebody_who_types_erased_is_quoted_plainly() -> None:
    def style(block: Any) -> Any:
        return block["elements"][-1]["elements"][0].get("style")

    assert texts(said("(erased)")).strip() == texts(said(Erased(9))).strip() == "(erased)"
    assert style(said("(erased)")) is None
    assert style(said(Erased(9))) == {"italic": True}
