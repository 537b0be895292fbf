"""“Request access from this alert”, in a local Slack."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.policy import Rule
from bot.acts.shortcut import drafted, likely, reason_of, text_of
from tests.bot.acts.test_asking import block, filled
from tests.bot.office import AUDIT, Office, texts

FROM_ALERT = "request_from_alert"
HOUR = timedelta(hours=1)
ALERT: dict[str, Any] = {
    "text": "",
    "blocks": [
        {"type": "header", "text": {"type": "plain_text", "text": "Replication lag on orders-db"}},
        {"type": "section", "fields": [{"type": "mrkdwn", "text": "see OPS-77 <https://x.example/r|runbook>"}]},
    ],
    "attachments": [{"title": "lag 93 s", "text": "db2.example", "fallback": "ignored"}],
}


async def test_the_form_opens_with_the_text_the_link_and_the_likely_target(office: Office) -> None:
    linus = office.who("linus")
    said = linus.say(AUDIT, "ALERT: orders-db has <9> slow queries, OPS-91 & more")
    await linus.shortcut(AUDIT, said["ts"], FROM_ALERT)
    view = await linus.wait_view()
    assert block(view, "target")["element"]["initial_option"]["value"] == "orders-db"
    assert block(view, "ticket")["element"]["initial_value"] == "OPS-91"
    reason = block(view, "reason")["element"]["initial_value"]
    assert reason.startswith("ALERT: orders-db has <9> slow queries, OPS-91 & more http")
    assert reason.endswith(f"p{said['ts'].replace('.', '')}")
    assert (await linus.submit()).closed
    assert (await office.request(1)).reason == reason
    await office.whisper("linus", "PA-1: asked for")


async def test_without_a_likely_target_the_rest_is_kept_until_one_is_chosen(office: Office) -> None:
    linus = office.who("linus")
    said = linus.say(AUDIT, "everything is slow")
    await linus.shortcut(AUDIT, said["ts"], FROM_ALERT)
    await linus.wait_view()
    await linus.click_view("target", "orders-db")
    view = await linus.wait_view(predicate=lambda v: len(v["blocks"]) > 1)
    assert block(view, "reason")["element"]["initial_value"].startswith("everything is slow http")


async def test_a_channel_that_the_app_is_not_in_gives_the_text_alone(office: Office) -> None:
    office.slack.faults.add(
        {"where": "api", "do": "error", "method": "chat.getPermalink", "error": "channel_not_found"}
    )
    linus = office.who("linus")
    said = linus.say(AUDIT, "orders-db hangs")
    await linus.shortcut(AUDIT, said["ts"], FROM_ALERT)
    view = await linus.wait_view()
    assert block(view, "reason")["element"]["initial_value"] == "orders-db hangs"


async def test_who_may_ask_for_nothing_is_told_so(office: Office) -> None:
    margaret = office.who("margaret")
    said = office.who("linus").say(AUDIT, "orders-db hangs")
    await margaret.shortcut(AUDIT, said["ts"], FROM_ALERT)
    await office.whisper("margaret", "There is nothing here that you may ask for")
    assert not margaret.views


async def test_in_a_channel_shared_with_others_it_is_refused(office: Office) -> None:
    linus = office.who("linus")
    said = linus.say(AUDIT, "orders-db hangs")
    office.slack.world.share_externally(AUDIT)
    office.clock.pass_by(minutes=2)
    await linus.shortcut(AUDIT, said["ts"], FROM_ALERT)
    await office.whisper("linus", "This channel is shared with another organisation.")
    assert not linus.views


async def test_an_alert_cannot_make_markup_of_the_form(office: Office) -> None:
    linus = office.who("linus")
    said = linus.say(AUDIT, "<!channel> \u202eorders-db\u200b ✅ *Approved* by <@U0ADA>")
    await linus.shortcut(AUDIT, said["ts"], FROM_ALERT)
    view = await linus.wait_view()
    assert "\u202e" not in texts(view["blocks"])
    await linus.submit(filled(view, ticket="OPS-1"))
    card = (await office.card(lambda text: "Approved" in text))["blocks"]
    quoted = [b for b in card if b["type"] == "rich_text" and "Approved" in texts([b])]
    assert quoted
    assert "<!channel>" not in str([b for b in card if b["type"] not in ("rich_text",)])


def rule(target: str, *aliases: str) -> Rule:
    return Rule(target, "read", target, "memory", {}, frozenset(), frozenset(), 1, HOUR, HOUR, aliases=aliases)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("orders-db is down", "orders-db"), ("ORDERS-DB!", "orders-db"), ("host orders-db.prod.example:1", "orders-db"),
        ("the orders service", "orders-db"), ("billing and orders-db", "orders-db"), ("reorders", ""), ("", ""),
        ("orders-db-replica lags", ""), ("billing.", "billing"),
    ],
)  # fmt: skip
def test_the_likely_target(text: str, target: str) -> None:
    assert likely(text, (rule("billing"), rule("orders-db", "orders"))) == target


def test_an_alert_made_of_blocks_and_attachments_is_read() -> None:
    draft = drafted(ALERT, "https://x.slack.com/archives/C1/p1", (rule("orders-db"),), (r"[A-Z]+-[0-9]+",))
    assert draft.target == "orders-db"
    assert draft.ticket == "OPS-77"
    assert draft.reason == (
        "Replication lag on orders-db ↵ see OPS-77 https://x.example/r ↵ lag 93 s ↵ db2.example "
        "https://x.slack.com/archives/C1/p1"
    )


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["text", "blocks", "attachments", "fields", "elements", "type", "title", "value"]), inner
    ),
    max_leaves=25,
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(["text", "blocks", "attachments"]), junk), st.text(max_size=300))
def test_no_message_is_too_strange_to_ask_from(message: dict[str, Any], link: str) -> None:
    reason = reason_of(text_of(message), link)
    assert len(reason) <= 500
    assert not {"\u202e", "\u200b", "\0"} & set(reason[: len(reason) - len(link)])
