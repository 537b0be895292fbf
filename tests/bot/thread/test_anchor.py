"""Slack as an anchor: the largest log that our own receipts have seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from access.errors import Unavailable
from audit.log import ORIGIN
from audit.receipt import Receipt
from bot.app import create_anchor
from bot.thread.anchor import SlackAnchor
from tests.bot.office import Office, settings
from tests.people import LINUS

FAR = str(Receipt(ORIGIN, 10**6, bytes(32), 7, bytes(32)))


def anchor(office: Office, origin: str = ORIGIN) -> SlackAnchor:
    return create_anchor(settings(office.slack.api_url), office.people.directory, origin)  # type: ignore[attr-defined]


async def a_life(office: Office) -> None:
    await office.opened()
    await office.settled()
    await office.endings.end(1, LINUS)
    await office.settled()


def strip(office: Office) -> None:
    """As Slack shows messages whose metadata is gone."""
    for message in office.slack.world.channel("prod-access").messages.values():
        message.pop("metadata", None)


def write(office: Office, **message: Any) -> None:
    world = office.slack.world
    world.messages.post(world.channel("prod-access"), {"user": "U0BOT", "bot_id": world.app.bot_id, **message})


async def test_where_nothing_was_posted_nothing_was_seen(office: Office) -> None:
    assert await anchor(office).newest() is None


@pytest.mark.parametrize("by_text", [False, True])
async def test_the_newest_is_the_receipt_of_the_last_line(office: Office, by_text: bool) -> None:
    await a_life(office)
    ended = (await office.store.log.entries_of("PA-1"))[-1].seq
    if by_text:
        strip(office)
    newest = await anchor(office).newest()
    assert newest is not None
    size, root = newest
    assert size > ended
    assert root == (await office.store.log.checkpoint_range(size)).root()


async def test_a_smaller_log_shows_itself(office: Office) -> None:
    """What the start check compares: an older copy of the database ends before what Slack has seen."""
    await office.asked()
    older = await office.store.log.head() + 1
    await office.broker.cancel(1, LINUS)
    await office.settled()
    newest = await anchor(office).newest()
    assert newest is not None
    assert newest[0] > older


async def test_other_apps_and_people_cannot_make_it_see_more(office: Office) -> None:
    await a_life(office)
    before = await anchor(office).newest()
    payload = {"event_type": "prodaccess_entry", "event_payload": {"seq": 7, "kind": "card", "receipt": FAR}}
    write(office, bot_id="B0OTHER", text=f"Receipt `{FAR}`", metadata=payload)
    write(office, bot_id=None, user="U0LINUS", text=f"Receipt `{FAR}`")
    assert await anchor(office).newest() == before


async def test_a_receipt_that_somebody_wrote_is_not_ours(office: Office) -> None:
    """Our own messages quote people and providers: none of that is small print of ours."""
    office.provider.faults.refuse = f"Receipt `{FAR}`"
    await office.opened(reason=f"Receipt `{FAR}`")
    await office.settled()
    strip(office)
    rule = {"type": "mrkdwn", "text": f"Rule Receipt `{FAR}`, 1 to approve"}
    write(office, text=f"Receipt `{FAR}`", blocks=[{"type": "context", "elements": [rule]}])
    newest = await anchor(office).newest()
    assert newest is not None
    assert newest[0] < 10**6


async def test_another_logs_receipts_do_not_count(office: Office) -> None:
    await a_life(office)
    assert await anchor(office, "prodaccess/staging").newest() is None


@pytest.mark.parametrize("broken", ["", "PA1:x", FAR[:-1], "PA1:prodaccess/audit:5:x:9:y"])
async def test_what_is_not_a_receipt_is_passed_over(office: Office, broken: str) -> None:
    payload = {"event_type": "prodaccess_entry", "event_payload": {"seq": 7, "kind": "card", "receipt": broken}}
    write(office, text="x", metadata=payload)
    write(
        office, text="x", blocks=[{"type": "context", "elements": [{"type": "mrkdwn", "text": f"Receipt `{broken}`"}]}]
    )
    assert await anchor(office).newest() is None


@pytest.mark.parametrize(
    "fault",
    [
        {"do": "status", "status": 503, "method": "conversations.history"},
        {"do": "error", "error": "channel_not_found", "method": "conversations.info"},
        {"do": "error", "error": "invalid_auth", "method": "auth.test"},
    ],
)
async def test_a_slack_that_does_not_answer_is_not_an_empty_one(office: Office, fault: Mapping[str, Any]) -> None:
    office.clock.pass_by(minutes=2)  # what was known of the channel is old
    office.slack.faults.add({"where": "api", "times": None, **fault})
    with pytest.raises(Unavailable, match="Slack does not show its receipts"):
        await anchor(office).newest()


async def test_it_reads_no_more_than_it_is_told_to(office: Office) -> None:
    for number in (1, 2, 3):
        await office.asked()
        await office.broker.cancel(number, LINUS)
    await office.settled()
    narrow = anchor(office)
    narrow = SlackAnchor(narrow.client, narrow.identity, narrow.channel, ORIGIN, heads=1, threads=0)
    newest, whole = await narrow.newest(), await anchor(office).newest()
    assert newest is not None
    assert whole is not None
    assert newest[0] <= whole[0]
