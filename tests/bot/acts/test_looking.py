"""`help`, `list`, `show`, `login` and `end`, in a local Slack."""

from __future__ import annotations

import re

from access.model import RequestState
from bot.acts.command import VERBS
from tests.bot.office import AUDIT, Office, button, shown
from tests.people import ADA


async def test_help_names_every_verb(office: Office) -> None:
    await office.who("linus").command(AUDIT, "/prodaccess help")
    told = shown(await office.whisper("linus", "How to use prodaccess"))
    assert all(f"/prodaccess {verb}" in told for verb in VERBS if verb not in ("help", "audit"))
    assert "/prodaccess audit" not in told


async def test_every_verb_is_done_by_somebody(office: Office) -> None:
    """Whatever it answers to somebody with nothing open, it is never that the verb is not known."""
    linus = office.who("linus")
    for verb in VERBS:
        await linus.command(AUDIT, f"/prodaccess {verb} PA-1 1h because refunds")
    await office.settled()
    private = [shown(m) for m in office.slack.world.messages.ephemerals]
    assert len(private) + len(linus.views) >= len(VERBS)
    assert not [text for text in private if "is not known here" in text or "Something went wrong" in text]


async def test_an_empty_list_says_what_to_type(office: Office) -> None:
    await office.who("linus").command(AUDIT, "/prodaccess list")
    await office.whisper("linus", "Nothing of yours is open. Ask for something: `/prodaccess orders-db")


async def test_the_list_shows_time_left_and_the_command_to_use(office: Office) -> None:
    await office.opened()
    await office.asked(by=ADA)
    office.clock.pass_by(minutes=18)
    await office.who("linus").command(AUDIT, "/prodaccess list")
    told = await office.whisper("linus", "42 minutes left")
    assert "`prodaccess run PA-1 -- psql`" in shown(told)
    assert "PA-2" not in shown(told)
    assert button(told, "end") is not None


async def test_a_waiting_request_can_be_taken_back_from_the_list(office: Office) -> None:
    await office.asked()
    await office.who("linus").command(AUDIT, "/prodaccess list")
    told = await office.whisper("linus", "waiting, lapses at")
    await office.who("linus").click(AUDIT, told["ts"], "cancel")
    await office.whisper("linus", "PA-1 is taken back")
    assert (await office.request(1)).state is RequestState.CANCELLED


async def test_show_says_how_it_stands_who_decides_and_why(office: Office) -> None:
    await office.asked_in_slack()
    await office.settled()
    await office.who("ada").command(AUDIT, "/prodaccess show PA-1")
    told = shown(await office.whisper("ada", "PA-1 · *orders-db · read*: pending"))
    assert "ada or grace can approve." in told
    assert "nobody approves their own request" in told
    assert "refunds stuck" in told
    assert "|Its thread>" in told


async def test_what_is_not_mine_to_see_looks_like_nothing(office: Office) -> None:
    await office.asked_in_slack(by="ada")
    await office.who("linus").command(AUDIT, "/prodaccess show PA-1")
    await office.whisper("linus", "There is no such request that you may see.")
    await office.who("linus").command(AUDIT, "/prodaccess show PA-99")
    await office.who("linus").command(AUDIT, "/prodaccess end PA-99")
    await office.whisper("linus", "There is no such grant that you may end.")


async def test_a_verb_without_its_number_is_explained(office: Office) -> None:
    await office.who("linus").command(AUDIT, "/prodaccess end")
    await office.whisper("linus", "Say which one: `/prodaccess end PA-7`.")


async def test_login_shows_a_code_to_its_person_alone_and_never_in_a_kept_message(office: Office) -> None:
    await office.who("linus").command(AUDIT, "/prodaccess login")
    told = shown(await office.whisper("linus", "Only into your own terminal."))
    match = re.search(r"prodaccess login ([A-Z2-7]{4}-[A-Z2-7]{4})", told)
    assert match is not None
    calls = [entry for entry in office.slack.journal.search(match[1]) if entry.kind == "api"]
    assert calls == []


async def test_login_that_cannot_be_whispered_is_not_written(office: Office) -> None:
    office.slack.world.response_urls.issue = lambda *_, **__: "/nowhere"  # type: ignore[method-assign]
    await office.who("linus").command(AUDIT, "/prodaccess login")
    letter = await office.letter("linus", "Slack could not show the code in private.")
    assert not re.search(r"[A-Z2-7]{4}-[A-Z2-7]{4}", shown(letter))
