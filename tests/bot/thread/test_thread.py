"""The thread reads the log: in order, once, through every kind of failure."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from access.events import CATALOGUE
from bot.look.blocks import Message
from bot.look.kinds import KINDS
from bot.look.lines import TOLD
from bot.look.operations import OPERATIONS
from bot.look.untold import UNTOLD
from bot.slack.identity import Identity
from bot.slack.outbox import Mark, Outbox, Place
from tests.bot.office import AUDIT, Office, button, is_card, shown, until
from tests.people import ADA

STORY = [
    "linus asked", "ada approved (1 of 1).", "Active until", "Credential 1 issued to linus's terminal",
    "Ending early, handed back by its requester (linus).",
    "Ended early, handed back by its requester.",
]  # fmt: skip


class SlowOutbox(Outbox):
    """Its first painting takes as long as the test wants."""

    begun: asyncio.Event
    go_on: asyncio.Event

    def __init__(self, client: AsyncWebClient, identity: Identity) -> None:
        super().__init__(client, identity)
        self.__dict__.update(begun=asyncio.Event(), go_on=asyncio.Event())

    async def update(self, place: Place, message: Message, mark: Mark) -> None:
        if not self.begun.is_set():
            self.begun.set()
            await self.go_on.wait()
        await super().update(place, message, mark)


def down(office: Office, **changes: Any) -> None:
    """Every post is refused until `up`."""
    office.slack.faults.add(
        {"where": "api", "do": "status", "status": 503, "method": "chat.postMessage", "times": None, **changes}
    )


def up(office: Office) -> None:
    office.slack.faults.clear()


async def a_whole_life(office: Office) -> None:
    device = await office.device()
    await office.opened()
    await office.grants.collect(1, device)
    await office.endings.end(1, device.person)


def order_of(texts: Sequence[str]) -> list[int]:
    """Which sentence of the story each text is; a card counts as the first."""
    return [
        next(i for i, part in enumerate(STORY) if part in text or (i == 0 and text.startswith("PA-"))) for text in texts
    ]


def marks(office: Office) -> list[tuple[int, str]]:
    """The marks of everything that the app has posted anywhere."""
    payloads = [
        (m.get("metadata") or {}).get("event_payload")
        for channel in office.slack.world.channels.values()
        for m in channel.messages.values()
    ]
    return sorted((p["seq"], p["kind"]) for p in payloads if p)


async def test_a_whole_life_is_one_thread_in_order(office: Office) -> None:
    device = await office.device()
    await office.opened()
    await office.grants.collect(1, device)
    await office.letter("linus", "is yours until")
    await office.endings.end(1, device.person)
    await office.settled()
    (card,) = office.cards()
    assert order_of(office.thread(card)) == [0, 1, 2, 3, 4, 5]
    assert "⚪ *Ended* early, handed back by its requester" in shown(card)
    assert button(card, "end") is None
    private = [shown(m) for m in office.who("linus").messages("BOT")]
    assert [part in text for part, text in zip(("signed in", "was yours until", "has ended"), private, strict=True)]


async def test_slack_down_then_catching_up_in_order_without_doubles(office: Office) -> None:
    down(office)
    await a_whole_life(office)
    await until(lambda: office.bot.thread.trouble)
    assert office.cards() == []
    office.clock.pass_by(minutes=5)
    up(office)
    await office.settled()
    (card,) = office.cards()
    assert all(text.startswith("<!date^1795442400^{time}|14:00 UTC>  ") for text in office.thread(card)[1:])
    assert order_of(office.thread(card)) == [0, 1, 2, 3, 4, 5]
    assert len(marks(office)) == len(set(marks(office)))
    assert office.bot.thread.trouble == ""


async def test_deciders_are_not_called_to_what_was_settled_while_slack_was_away(office: Office) -> None:
    down(office)
    await a_whole_life(office)
    await until(lambda: office.bot.thread.trouble)
    up(office)
    await office.settled()
    assert office.who("ada").messages("BOT") == []


@pytest.mark.parametrize("fault", ["reset", "truncate", "garbage", "error"])
async def test_a_post_whose_answer_was_lost_is_found_and_not_repeated(office: Office, fault: str) -> None:
    office.slack.faults.add(
        {"where": "api", "do": fault, "method": "chat.postMessage", "times": 4, "after_commit": True}
    )
    await a_whole_life(office)
    await office.settled()
    (card,) = office.cards()
    assert order_of(office.thread(card)) == [0, 1, 2, 3, 4, 5]
    assert len(marks(office)) == len(set(marks(office)))


async def test_a_rate_limit_is_waited_for(office: Office) -> None:
    office.slack.faults.add(
        {"where": "api", "do": "rate_limit", "retry_after": 0, "method": "chat.postMessage", "times": 2}
    )
    await a_whole_life(office)
    await office.settled()
    assert order_of(office.thread(office.cards()[0])) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("survives", range(8))
async def test_killed_between_post_and_cursor_save_nothing_is_doubled_or_lost(office: Office, survives: int) -> None:
    """The notebook stops taking notes after so many, as if the process had died right there; then it restarts."""
    await office.bot_stops_noting_after(survives)
    await a_whole_life(office)
    await until(lambda: office.notes_refused > 0)
    await office.reopen()
    await office.settled()
    (card,) = office.cards()
    assert order_of(office.thread(card)) == [0, 1, 2, 3, 4, 5]
    assert len(marks(office)) == len(set(marks(office)))


async def test_a_restart_at_rest_posts_nothing(office: Office) -> None:
    await a_whole_life(office)
    await office.settled()
    before = marks(office)
    await office.reopen()
    await office.settled()
    assert marks(office) == before


async def test_what_happened_while_the_bot_was_away_is_told(office: Office) -> None:
    card = await office.asked_in_slack()
    await office.settled()
    await office.shut()
    office.restart()
    request = await office.request(1)
    await office.broker.approve(request.id, ADA, request.digest)
    await office.open()
    await office.line(card, "ada approved")
    await office.letter("linus", "is yours until")


async def test_a_deleted_card_is_replaced_and_the_story_goes_on(office: Office) -> None:
    card = await office.asked_in_slack()
    await office.settled()
    channel = office.slack.world.channel("prod-access")
    del channel.messages[card["ts"]]
    await office.who("linus").command(AUDIT, "/prodaccess end PA-1")
    again = await office.card(lambda text: "*Taken back*" in text)
    await office.line(again, "linus took it back.")


async def test_blocks_that_slack_refuses_are_posted_as_text(office: Office) -> None:
    office.slack.faults.add({"where": "api", "do": "error", "error": "invalid_blocks", "method": "chat.postMessage"})
    await office.asked()
    await office.settled()
    message = next(m for m in office.who("ada").messages(AUDIT) if is_card(m))
    assert message["text"].startswith("PA-1 · orders-db · read · 1 hour")
    assert not message.get("blocks")


async def test_somebody_who_cannot_be_written_to_does_not_hold_up_the_thread(office: Office) -> None:
    office.slack.faults.add(
        {"where": "api", "do": "error", "error": "messages_tab_disabled", "method": "chat.postMessage", "nth": 2}
    )
    await office.asked()
    await office.settled()
    assert office.who("ada").messages("BOT") == []
    assert [m for m in office.who("grace").messages("BOT") if "waits for you" in shown(m)]


async def test_a_failing_repaint_does_not_hold_up_the_thread(office: Office) -> None:
    office.slack.faults.add(
        {"where": "api", "do": "error", "error": "message_not_found", "method": "chat.update", "times": None}
    )
    await a_whole_life(office)
    await office.settled()
    assert order_of(office.thread(office.cards()[0])) == [0, 1, 2, 3, 4, 5]


async def test_a_trouble_with_ending_is_told_and_escalated(office: Office) -> None:
    await office.opened()
    office.provider.faults.stuck = 2
    office.clock.pass_by(hours=1, seconds=1)
    for _ in range(4):
        await office.sweeper.sweep()
        await until(lambda: all(t.get_name().startswith("slack ") for t in office.tasks._running))
        office.clock.pass_by(seconds=61)
    await office.settled()
    told = "\n".join(office.thread(office.cards()[0]))
    assert "⚠️ *Warning*: not confirmed as ended after 1 try." in told
    assert "🔴 *Escalated*: not confirmed as ended after 2 tries." in told
    assert "Ended at the deadline." in told


async def test_no_secret_ever_reaches_slack(office: Office) -> None:
    device = await office.device()
    await office.opened()
    issued = (await office.grants.collect(1, device)).issued
    await office.endings.end(1, device.person)
    await office.settled()
    secrets = [*issued.secret.reveal().values(), issued.locator]
    grant = await office.grant(1)
    secrets += [handle.locator for handle in grant.handles] + [
        device.token_hash,
        "xoxb-",
        "xapp-",
        "local-demo-signing",
    ]
    public = {issued.public_id, "postgres", ""}
    for secret in set(secrets) - public:
        assert office.slack.journal.search(secret) == [], "a secret was sent to Slack"


async def test_two_requests_keep_their_own_threads(office: Office) -> None:
    first, second = await office.asked_in_slack(), await office.asked_in_slack("orders-db/write 30m OPS-2 other")
    await office.who("linus").command(AUDIT, "/prodaccess end PA-2")
    await office.line(second, "linus took it back.")
    assert len(office.thread(first)) == 1


def test_every_kind_of_fact_has_its_line_or_a_reason_for_none() -> None:
    kinds = set(CATALOGUE.values())
    assert set(TOLD) | set(UNTOLD) | set(OPERATIONS) == kinds
    assert len(TOLD) + len(UNTOLD) + len(OPERATIONS) == len(kinds)
    assert set(KINDS) == kinds


def test_a_mark_is_recognised_only_on_its_own_message() -> None:
    mark = Mark(7, "line")
    assert mark.is_on({"metadata": mark.metadata()})
    others: list[Mapping[str, Any]] = [
        {},
        {"metadata": Mark(8, "line").metadata()},
        {"metadata": Mark(7, "card").metadata()},
    ]
    assert not any(mark.is_on(message) for message in others)


async def test_a_late_repaint_does_not_paint_over_a_newer_state(office: Office) -> None:
    await office.asked_in_slack()
    await office.settled()
    slow = office.bot.thread.painter.outbox = SlowOutbox(office.bot.client, office.bot.identity)
    repaint = asyncio.create_task(office.bot.thread.repaint("PA-1"))
    await slow.begun.wait()  # it has read the log, and its painting is on its way
    await office.who("linus").command(AUDIT, "/prodaccess end PA-1")
    await until(lambda: len(office.thread(office.cards()[0])) == 2)
    await asyncio.sleep(0.05)
    slow.go_on.set()
    await repaint
    await office.settled()
    assert "*Taken back*" in shown(office.cards()[0])
