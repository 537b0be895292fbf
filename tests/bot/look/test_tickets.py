"""A ticket in the conversation: its link and title where decisions are made, and the end that its closing brings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.bot.office import AUDIT, Office, shown
from tests.people import ADA, POLICY
from tests.tickets.desk import SITE, Desk

BY_JIRA = POLICY.replace("max: 4h,", "max: 4h, ticket: {system: jira, projects: [OPS], closing_ends: yes},")
LINK = f"{SITE}OPS-412"


class TicketOffice(Office):
    """Its tickets are kept in Jira."""

    def __init__(self, directory: Path) -> None:
        self.desk = Desk()
        self.tickets = {"jira": self.desk}
        super().__init__(directory, BY_JIRA)
        self.desk.clock = self.clock


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[TicketOffice]:
    assert BY_JIRA != POLICY
    async with TicketOffice(tmp_path) as made:
        yield made


def elements(message: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    """Every rich text element of a kind."""
    found: list[Mapping[str, Any]] = []

    def walk(value: Any) -> None:
        if isinstance(value, Mapping):
            if value.get("type") == kind:
                found.append(value)
            for each in value.values():
                walk(each)
        elif isinstance(value, list | tuple):
            for each in value:
                walk(each)

    walk(message["blocks"])
    return found


async def test_card_and_letter_show_the_tickets_link_and_title(office: TicketOffice) -> None:
    card = await office.asked_in_slack()
    letter = await office.letter("ada", "waits for you")
    for message in (card, letter):
        assert [(each["url"], each["text"]) for each in elements(message, "link")] == [(LINK, "OPS-412")]
        assert "Refunds stuck" in shown(message)


async def test_a_title_is_text_whatever_stands_in_it(office: TicketOffice) -> None:
    office.desk.title = "<!channel> <https://evil.example|Approved> *✓ Approved by ada* \u202edevorppa\n" + "x" * 400
    card = await office.asked_in_slack()
    texts = [each["text"] for each in elements(card, "text")]
    (title,) = [text for text in texts if "<!channel>" in text]
    assert len(title) <= 120
    assert "\u202e" not in title
    assert "\n" not in title
    assert "<!channel>" not in card["text"]
    assert [each["url"] for each in elements(card, "link")] == [LINK]
    assert not elements(card, "broadcast")


async def test_after_a_restart_the_key_is_shown_until_the_ticket_is_asked_for_again(office: TicketOffice) -> None:
    card = await office.asked_in_slack()
    await office.reopen()
    office.desk.silent = True
    request = await office.request(1)
    office.clock.pass_by(minutes=1)
    await office.broker.deny(request.id, ADA, "not today")
    await office.line(card, "denied it")
    await office.settled()
    (card,) = office.cards()
    assert "OPS-412" in shown(card)
    assert elements(card, "link") == []


async def test_a_closed_ticket_ends_the_grant_and_the_thread_says_so(office: TicketOffice) -> None:
    card = await office.asked_in_slack()
    await office.who("ada").click(AUDIT, card["ts"], "approve")
    await office.line(card, "Active until")
    office.desk.states["OPS-412"] = "closed"
    await office.rights.check_all()
    await office.line(card, "Ended early, because its ticket was closed.")
    await office.letter("linus", "because its ticket was closed")


async def test_a_ticket_that_was_closed_meanwhile_stops_the_click_and_says_what_to_do(office: TicketOffice) -> None:
    card = await office.asked_in_slack()
    office.desk.states["OPS-412"] = "closed"
    await office.who("ada").click(AUDIT, card["ts"], "approve")
    assert "Reopen it" in shown(await office.whisper("ada", "OPS-412 is closed."))
    office.desk.silent = True
    await office.who("grace").click(AUDIT, card["ts"], "approve")
    await office.whisper("grace", "Jira did not answer in time. Try again in a moment.")
    assert await office.store.grant(1) is None


async def test_the_form_says_in_its_field_what_is_wrong_with_the_ticket(office: TicketOffice) -> None:
    linus = office.who("linus")
    await linus.command(AUDIT, "/prodaccess orders-db read 1h refunds stuck")
    view = await linus.wait_view()
    block = next(each["block_id"] for each in view["blocks"] if each.get("element", {}).get("action_id") == "ticket")
    office.desk.states["OPS-7"] = "closed"
    for typed, said in (
        ("OPS-7", "OPS-7 is closed. Reopen it"),
        ("OPS-8", "Jira has no such ticket"),
        ("nonsense", "does not look like a ticket"),
    ):
        answer = await linus.submit({block: {"ticket": typed}})
        assert answer.errors is not None
        assert said in answer.errors[block]
    office.desk.silent = True
    answer = await linus.submit({block: {"ticket": "OPS-9"}})
    assert answer.errors == {block: "Jira did not answer in time. Try again in a moment."}
    office.desk.silent = False
    assert (await linus.submit({block: {"ticket": LINK}})).closed
    assert (await office.request(1)).ticket == "OPS-412"
