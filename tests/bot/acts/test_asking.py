"""`/prodaccess …` and the request form, in a local Slack."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from access.events import AskRefused
from access.policy import Rule
from bot.look.forms import Draft
from bot.look.modal import Offers, ask_form
from tests.bot.office import AUDIT, Office, button, shown, texts


def block(view: dict[str, Any], name: str) -> dict[str, Any]:
    """The block of a field, whatever its id carries along."""
    return next(b for b in view["blocks"] if b["block_id"].partition(":")[0] == name)


def filled(view: dict[str, Any], **values: str) -> dict[str, dict[str, str]]:
    return {block(view, name)["block_id"]: {name: value} for name, value in values.items()}


async def test_a_complete_command_asks_and_says_who_decides(office: Office) -> None:
    card = await office.asked_in_slack()
    told = await office.whisper("linus", "PA-1: asked for")
    assert "orders-db · read* for 1 hour" in told["text"]
    assert "ada or grace can approve." in told["text"]
    assert "refunds stuck" in shown(card)
    assert "OPS-412" in shown(card)
    assert [button(card, name) is not None for name in ("approve", "deny", "who")] == [True, True, True]


async def test_the_deciders_get_one_direct_message_with_the_way_to_the_card(office: Office) -> None:
    card = await office.asked_in_slack(by="grace")
    letter = await office.letter("ada", "waits for you")
    link = button(letter, "open_card")
    assert link is not None
    assert link["url"].endswith(f"p{card['ts'].replace('.', '')}")
    assert not [m for m in office.who("grace").messages("BOT") if "waits for you" in shown(m)]


async def test_a_duration_left_out_is_the_default(office: Office) -> None:
    await office.asked_in_slack("orders OPS-412 refunds stuck")
    assert (await office.request(1)).duration.total_seconds() == 3600


async def test_the_command_alone_opens_a_form_with_what_i_may_ask_for(office: Office) -> None:
    await office.who("linus").command(AUDIT, "/prodaccess")
    view = await office.who("linus").wait_view()
    assert [o["value"] for o in block(view, "target")["element"]["options"]] == ["orders-db"]
    assert len(view["blocks"]) == 1


async def test_role_and_duration_follow_the_target_and_what_was_typed_stays(office: Office) -> None:
    linus = office.who("linus")
    await linus.command(AUDIT, "/prodaccess")
    first = await linus.wait_view()
    await linus.click_view("target", "orders-db")
    view = await linus.wait_view(predicate=lambda v: len(v["blocks"]) > 1 and v["hash"] != first["hash"])
    roles = block(view, "role")["element"]["options"]
    assert "needs 1 of 2 (ada, grace), up to 4 hours" in texts(roles)
    linus.fill(filled(view, reason="refunds stuck", ticket="OPS-9"))
    await linus.click_view("role", "write")
    view = await linus.wait_view(predicate=lambda v: "write" in block(v, "duration")["block_id"])
    lengths = [o["value"] for o in block(view, "duration")["element"]["options"]]
    assert lengths == ["15m", "30m", "1h"]
    state = view["state"]["values"]
    assert state["reason"]["reason"]["value"] == "refunds stuck"
    assert state["ticket"]["ticket"]["value"] == "OPS-9"
    assert (await linus.submit()).closed
    request = await office.request(1)
    assert (request.role, request.reason, request.ticket) == ("write", "refunds stuck", "OPS-9")
    assert (await office.whisper("linus", "needs 2 of ada, grace and margaret"))["is_ephemeral"]


async def test_a_refusal_stands_in_its_field_and_nothing_is_created(office: Office) -> None:
    linus = office.who("linus")
    await linus.command(AUDIT, "/prodaccess orders-db 1h refunds stuck")
    view = await linus.wait_view()
    assert "This target needs a ticket." in texts(view["blocks"])
    answer = await linus.submit(filled(view, ticket="the one from Tuesday"))
    assert list(answer.errors) == ["ticket"]
    assert "does not look like a ticket" in answer.errors["ticket"]
    answer = await linus.submit(filled(view, ticket="https://jira.example/browse/OPS-7?x=1"))
    assert answer.closed
    assert (await office.request(1)).ticket == "OPS-7"
    refused = await office.last(AskRefused)
    assert refused.why.startswith("“the one")  # type: ignore[attr-defined]


async def test_too_long_is_said_at_the_duration_with_the_choices_that_exist(office: Office) -> None:
    await office.who("linus").command(AUDIT, "/prodaccess orders-db 9h OPS-1 backfill")
    view = await office.who("linus").wait_view()
    assert "At most 4 hours" in texts(view["blocks"])
    assert block(view, "duration")["element"]["options"][-1]["value"] == "4h"
    assert block(view, "reason")["element"]["initial_value"] == "backfill"


async def test_a_misspelt_target_offers_the_nearest_as_a_button_that_asks_for_it(office: Office) -> None:
    linus = office.who("linus")
    await linus.command(AUDIT, "/prodaccess ordesr-db 1h OPS-1 because <b> & refunds")
    told = await office.whisper("linus", "There is no “ordesr-db” that you can ask for. Did you mean this?")
    meant = button(told, "meant")
    assert meant is not None
    assert meant["text"]["text"] == "orders-db 1h OPS-1 because <b> & refunds"
    assert await office.store.request(1) is None
    await linus.click(AUDIT, told["ts"], "meant")
    await office.whisper("linus", "PA-1: asked for *orders-db · read* for 1 hour")
    assert (await office.request(1)).reason == "<b> & refunds"


async def test_pressing_what_was_meant_twice_asks_once(office: Office) -> None:
    linus = office.who("linus")
    await linus.command(AUDIT, "/prodaccess ordesr-db 1h OPS-1 because refunds")
    told = await office.whisper("linus", "Did you mean this?")
    await asyncio.gather(*(linus.click(AUDIT, told["ts"], "meant") for _ in range(3)))
    await office.settled()
    assert len(office.cards()) == 1
    assert await office.store.request(2) is None


async def test_what_was_meant_can_be_opened_in_the_form(office: Office) -> None:
    linus = office.who("linus")
    await linus.command(AUDIT, "/prodaccess ordesr-db 30m refunds")
    told = await office.whisper("linus", "Did you mean this?")
    await linus.click(AUDIT, told["ts"], "fill_in")
    view = await linus.wait_view()
    assert block(view, "target")["element"]["initial_option"]["value"] == "orders-db"
    assert block(view, "duration")["element"]["initial_option"]["value"] == "30m"
    assert block(view, "reason")["element"]["initial_value"] == "refunds"


async def test_a_misspelt_verb_offers_the_nearest_as_a_button_that_does_it(office: Office) -> None:
    await office.asked()
    linus = office.who("linus")
    await linus.command(AUDIT, "/prodaccess shwo PA-1")
    told = await office.whisper("linus", "There is no “shwo” that you can ask for.")
    await linus.click(AUDIT, told["ts"], "meant")
    await office.whisper("linus", "PA-1 · *orders-db · read*: pending")


async def test_a_misspelt_role_is_said_in_its_field_with_the_nearest_chosen(office: Office) -> None:
    await office.who("linus").command(AUDIT, "/prodaccess orders-db wirte 1h because refunds")
    view = await office.who("linus").wait_view()
    assert "There is no “wirte” here that you can ask for. This is the nearest." in texts(view["blocks"])
    assert block(view, "role")["element"]["initial_option"]["value"] == "write"


async def test_a_command_in_ones_own_words_asks(office: Office) -> None:
    await office.asked_in_slack("please write access to orders for half an hour because refunds are stuck")
    request = await office.request(1)
    assert (request.target, request.role, request.reason) == ("orders-db", "write", "refunds are stuck")
    assert request.duration == timedelta(minutes=30)


async def test_until_is_a_time_where_its_person_is(office: Office) -> None:
    office.slack.world.user("linus").tz = "America/New_York"
    office.clock.time = office.clock.time.replace(hour=14)  # 09:00 there
    await office.asked_in_slack("orders-db until 10:30 OPS-1 because refunds are stuck")
    assert (await office.request(1)).duration == timedelta(minutes=90)


async def test_an_unknown_role_is_said_in_its_field(office: Office) -> None:
    await office.who("linus").command(AUDIT, "/prodaccess orders-db/owner 1h OPS-1 refunds")
    view = await office.who("linus").wait_view()
    assert "There is no “owner” here" in texts(view["blocks"])


async def test_what_is_not_mine_is_refused_and_written_down(office: Office) -> None:
    await office.who("linus").command(AUDIT, "/prodaccess vault-of-gold 1h OPS-1 curious")
    told = await office.whisper("linus", "You cannot ask for vault-of-gold")
    assert "You can ask for orders-db." in told["text"]
    assert (await office.last(AskRefused)).target == "vault-of-gold"  # type: ignore[attr-defined]


async def test_somebody_with_nothing_to_ask_for_is_told_so(office: Office) -> None:
    await office.who("margaret").command(AUDIT, "/prodaccess")
    assert await office.whisper("margaret", "There is nothing here that you may ask for")


async def test_an_expired_trigger_is_explained(office: Office) -> None:
    office.slack.faults.add({"where": "api", "do": "error", "method": "views.open", "error": "expired_trigger_id"})
    await office.who("linus").command(AUDIT, "/prodaccess")
    assert await office.whisper("linus", "Slack closed the form before it could open")
    assert not office.who("linus").views


async def test_a_form_waits_out_a_rate_limit_as_long_as_slack_asks(office: Office) -> None:
    office.slack.faults.add({"where": "api", "do": "rate_limit", "retry_after": 1, "method": "views.open"})
    await office.who("linus").command(AUDIT, "/prodaccess")
    assert await office.who("linus").wait_view()
    first, second = [e for e in office.slack.journal.of("api") if e.what == "views.open"][:2]
    assert second.at - first.at >= 1


async def test_a_slow_answer_shows_that_work_goes_on_and_then_the_outcome(office: Office) -> None:
    linus = office.who("linus")
    await linus.command(AUDIT, "/prodaccess orders-db 1h refunds stuck")
    view = await linus.wait_view()
    office.bot.gate.patience = 0.05
    slow = {"where": "api", "do": "drip", "seconds": 0.3, "method": "users.info", "after_commit": True}
    office.slack.faults.add(slow)
    answer = await linus.submit(filled(view, ticket="OPS-3"))
    assert answer.error is None
    assert "Working on it" in texts((await linus.wait_view())["blocks"])
    assert await linus.wait_view(predicate=lambda v: "Done." in texts(v["blocks"]))
    assert (await office.request(1)).ticket == "OPS-3"


async def test_the_same_form_twice_is_one_request(office: Office) -> None:
    linus = office.who("linus")
    await linus.command(AUDIT, "/prodaccess orders-db 1h refunds stuck")
    view = await linus.wait_view()
    office.slack.faults.add({"where": "delivery", "do": "redeliver", "what": "view_submission"})
    assert (await linus.submit(filled(view, ticket="OPS-3"))).closed
    await office.settled()
    assert len(office.cards()) == 1
    assert await office.store.request(2) is None


async def test_pressing_ask_twice_is_one_request(office: Office) -> None:
    linus = office.who("linus")
    await linus.command(AUDIT, "/prodaccess orders-db 1h refunds stuck")
    values = filled(await linus.wait_view(), ticket="OPS-3")
    await asyncio.gather(linus.submit(values), linus.submit(values))
    await office.settled()
    assert len(office.cards()) == 1
    assert await office.store.request(2) is None


async def test_the_form_answers_in_a_direct_message_when_the_channel_is_out_of_reach(office: Office) -> None:
    linus = office.who("linus")
    await linus.command(AUDIT, "/prodaccess orders-db 1h refunds stuck")
    view = await linus.wait_view()
    for used in list(office.slack.world.response_urls._all.values()):
        used.expires = 0.0
    await linus.submit(filled(view, ticket="OPS-3"))
    assert await office.letter("linus", "PA-1: asked for")


def test_more_targets_than_a_select_holds_become_groups() -> None:
    hour = timedelta(hours=1)
    rules = tuple(
        Rule(f"db-{n}", "read", f"db-{n}", "memory", {}, frozenset(), frozenset(), 1, hour, hour) for n in range(250)
    )
    view = ask_form(Offers(rules, lambda _: ("ada",)), Draft(), "")
    groups = view["blocks"][0]["element"]["option_groups"]
    assert [len(group["options"]) for group in groups] == [100, 100, 50]
