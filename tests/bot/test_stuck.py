"""Small things that could stop the whole bot: each is told or left out, and the rest goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from access.model import RequestState
from bot.acts.gate import Does
from bot.slack.outbox import Mark, Outbox, Place
from tests.bot.office import AUDIT, Office, button, shown, until
from tests.people import ADA, GRACE, POLICY

MISSPELT = POLICY.replace("grace: U0GRACE", "grace: U0TYPO")


@pytest.fixture
async def misspelt(tmp_path: Path) -> AsyncIterator[Office]:
    async with Office(tmp_path, MISSPELT) as made:
        yield made


async def test_an_approver_whom_slack_does_not_know_does_not_hold_up_the_thread(misspelt: Office) -> None:
    await misspelt.asked_in_slack()
    await misspelt.settled()
    assert [m for m in misspelt.who("ada").messages("BOT") if "waits for you" in shown(m)]


async def test_the_card_says_when_an_earlier_approval_no_longer_counts(office: Office) -> None:
    request = await office.asked(role="write")
    await office.broker.approve(request.id, ADA, request.digest)
    office.slack.world.set_flags("ada", deleted=True)
    await office.broker.approve(request.id, GRACE, request.digest)
    await office.settled()
    text = shown(office.cards()[0])
    assert "*Waiting* for 1 of margaret." in text
    assert "Approved by ada and grace. Of these, 1 counts now." in text


class Deleting(Outbox):
    """Somebody deletes the card as soon as it stands."""

    office: Office

    async def post(self, channel: str, message: Any, mark: Mark, thread: str | None = None) -> Place:
        place = await super().post(channel, message, mark, thread)
        if mark.kind == "card":
            del self.office.slack.world.channel("prod-access").messages[place.ts]
        return place


async def test_a_card_deleted_at_once_does_not_hold_up_the_letters(office: Office) -> None:
    outbox = Deleting(office.bot.client, office.bot.identity)
    outbox.__dict__["office"] = office
    office.bot.thread.painter.outbox = outbox
    await office.asked()
    await office.letter("ada", "waits for you")
    await office.settled()


async def test_a_duration_beyond_all_time_is_refused_in_words(office: Office) -> None:
    await office.who("linus").command(AUDIT, f"/prodaccess orders-db {'999999d' * 1300} OPS-1 x")
    await office.who("linus").wait_view()  # the form, with a word about it
    assert "At most 4 hours" in json.dumps(office.who("linus").views[-1])
    assert await office.store.request(1) is None


async def test_in_an_organisation_the_requester_ends_their_own_even_when_slack_is_silent(office: Office) -> None:
    """On Enterprise Grid a person is known by the organisation, and a payload names workspace and organisation."""
    gate, directory = office.bot.gate, office.bot.directory
    directory.__dict__["team_ids"] = frozenset({"E0ACME"})
    office.slack.faults.add({"where": "api", "do": "status", "status": 503, "method": "users.info", "times": None})
    body = {
        "user": {"id": "U0LINUS", "team_id": "T0ACME"}, "enterprise": {"id": "E0ACME"},
        "team": {"id": "T0ACME", "enterprise_id": "E0ACME"},
    }  # fmt: skip
    assert (await gate.admit(body, Does.TAKES)).id == "E0ACME/U0LINUS"


async def test_not_me_ends_what_is_open_though_one_of_it_fails(office: Office) -> None:
    device = await office.device()
    await office.asked()
    await office.asked()
    letter = await office.letter("linus", "A terminal signed in as you")
    cancel = office.broker.cancel

    async def failing(number: int, by: Any) -> Any:
        if number == 2:
            raise RuntimeError("a fault of ours")
        return await cancel(number, by)

    object.__setattr__(office.broker, "cancel", failing)
    await office.who("linus").click("BOT", letter["ts"], "not_me")
    told = await office.whisper("linus", "thinkpad is signed out.")
    assert "Ended: PA-1. Not ended, press again: PA-2." in shown(told)
    assert (await office.request(1)).state is RequestState.CANCELLED
    assert (await office.store.device(device.id)).ended_at is not None  # type: ignore[union-attr]


async def test_a_payload_with_parts_missing_or_of_the_wrong_kind_changes_nothing(office: Office) -> None:
    card = await office.asked_in_slack()
    value = button(card, "approve")["value"]
    good: dict[str, Any] = {
        "type": "block_actions", "user": {"id": "U0ADA", "team_id": "T0ACME"}, "team": {"id": "T0ACME"},
        "channel": {"id": office.slack.world.channel("prod-access").id}, "trigger_id": "1.2.3",
        "actions": [{"action_id": "approve", "value": value}],
    }  # fmt: skip
    bent: list[dict[str, Any]] = [
        {}, {"user": None}, {"user": "U0ADA"}, {"user": {}}, {"user": {"id": 7, "team_id": "T0ACME"}},
        {"user": {"id": "U0ADA"}, "team": None}, {"user": {"id": "U0ADA", "team_id": "T0EVIL"}}, {"actions": []},
        {"actions": None}, {"actions": ["approve"]}, {"actions": [{"value": None}]}, {"actions": [{"value": 7}]},
        {"actions": [{"value": f"{value}0"}]}, {"actions": [{"value": "a" * 100_000}]}, {"channel": "C1"},
        {"channel": {"id": ["C1"]}}, {"user": {"id": "U0LINUS", "team_id": "T0ACME"}},
    ]  # fmt: skip
    gate = office.bot.gate
    for i, change in enumerate(bent):
        body = {**good, **change, "trigger_id": f"1.2.{i}"} if change else {"trigger_id": f"1.2.{i}"}
        task = gate._once(body, lambda body=body: gate._run(body, approve(office), Does.GIVES))  # type: ignore[misc]
        await asyncio.wait({task})
        assert (await office.request(1)).state is RequestState.PENDING, change
    await until(lambda: all(t.get_name() in ("slack thread", "slack socket") for t in office.tasks._running))


def approve(office: Office) -> Any:
    async def handler(act: Any) -> None:
        from bot.look.forms import read_button

        pressed = read_button(act.value)
        await office.broker.approve(pressed.request_id, act.by, pressed.digest)

    return handler
