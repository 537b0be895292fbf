"""What can become of the audit channel: renamed, private, archived, shared, left. It is said, and nothing is lost."""

from __future__ import annotations

from access.events import RequestAsked
from bot.slack.trouble import ARCHIVED, OUTSIDE, SHARED, of_channel, why_not
from tests.bot.office import AUDIT, Office, shown, until
from tests.people import ADA


async def trouble(office: Office, sentence: str) -> None:
    await until(lambda: office.runner is not None and office.runner.trouble() == sentence)


async def test_a_renamed_channel_keeps_its_cards(office: Office) -> None:
    await office.asked_in_slack()
    office.slack.world.channel_rename(AUDIT, "access-log")
    await office.who("linus").command("#access-log", "/prodaccess orders-db 1h OPS-1 because again")
    await office.who("ada").wait_message("#access-log", lambda m: "PA-2" in shown(m))


async def test_a_private_channel_serves_as_well(office: Office) -> None:
    await office.shut()
    office.slack.world.channel(AUDIT).kind = "private"
    await office.open()
    card = await office.asked_in_slack()
    await office.who("ada").click(AUDIT, card["ts"], "approve")
    await office.letter("linus", "is yours until")


async def test_an_archived_channel_is_a_trouble_with_its_remedy_and_posts_again_once_it_is_back(office: Office) -> None:
    office.slack.world.channel_archive(AUDIT)
    await office.asked()
    await office.asked(by=ADA)
    await trouble(office, ARCHIVED)
    assert office.cards() == []
    office.slack.world.channel_unarchive(AUDIT)
    await office.settled()
    assert [shown(card).partition(" ")[0] for card in office.cards()] == ["PA-1", "PA-2"]
    await trouble(office, "")


async def test_deciding_and_ending_go_on_while_it_is_archived(office: Office) -> None:
    office.slack.world.channel_archive(AUDIT)
    await office.opened()
    await office.who("linus").command("#general", "/prodaccess end PA-1")
    await office.whisper("linus", "PA-1 has ended")


async def test_an_archived_channel_is_told_of_before_there_is_anything_to_post_and_stops_no_start(
    office: Office,
) -> None:
    await office.shut()
    office.slack.world.channel_archive(AUDIT)
    await office.open()
    await trouble(office, ARCHIVED)
    assert not [e for e in await office.store.log.entries(-1, 10) if isinstance(e.event, RequestAsked)]


async def test_a_channel_that_takes_its_name_goes_before_an_archived_one(office: Office) -> None:
    office.slack.world.channel_archive(AUDIT)
    office.slack.world.channel_rename("#general", "prod-access")
    office.slack.world.join("C0GENERAL", "BOT")
    assert await office.bot.channel.id() == "C0GENERAL"


async def test_a_channel_shared_with_others_gets_no_card_until_it_is_ours_again(office: Office) -> None:
    office.slack.world.share_externally(AUDIT)
    office.clock.pass_by(minutes=2)
    await office.asked()
    await trouble(office, SHARED)
    channel = office.slack.world.channel(AUDIT)
    assert not [m for m in channel.messages.values() if "PA-1" in shown(m)]
    channel.is_ext_shared = False
    office.clock.pass_by(minutes=2)
    await office.settled()
    assert len(office.cards()) == 1


async def test_an_app_that_was_put_out_of_it_says_how_to_let_it_in(office: Office) -> None:
    office.slack.world.leave(AUDIT, "BOT")
    await office.asked()
    await trouble(office, OUTSIDE)
    office.slack.world.join(AUDIT, "BOT")
    await office.settled()
    assert len(office.cards()) == 1


async def test_a_revoked_token_is_named_with_its_remedy(office: Office) -> None:
    revoked = {"where": "api", "do": "error", "error": "token_revoked", "method": "chat.postMessage", "times": None}
    office.slack.faults.add(revoked)
    await office.asked()
    await until(lambda: office.runner is not None and "set SLACK_BOT_TOKEN" in office.runner.trouble())
    office.slack.faults.clear()
    await office.settled()
    assert len(office.cards()) == 1


def test_every_trouble_is_a_sentence() -> None:
    assert of_channel({"is_member": True}) == ""
    assert of_channel({"is_member": True, "is_pending_ext_shared": True}) == SHARED
    assert of_channel({}) == OUTSIDE
    assert why_not(RuntimeError("secret")) == "The thread waits: RuntimeError."
