"""Message shortcuts: offered by the manifest, delivered as Slack documents them; and what becomes of channels."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slack_simulator import ActError, SeedError, Simulator, Workspace
from slack_simulator.manifest import Manifest
from slack_simulator.screen import screen
from tests.slack_simulator.town import AUDIT, SEED, Gatekeeper, connected, manifest, modal

SHORTCUT = {"name": "Ask from this", "type": "message", "callback_id": "from_this", "description": "Ask from a message"}
#: the keys of the payload in Slack's reference for message shortcuts
DOCUMENTED = {
    "type", "token", "action_ts", "team", "user", "channel", "callback_id", "trigger_id", "message_ts", "message",
    "response_url",
}  # fmt: skip


def with_shortcut(**changes: Any) -> dict[str, Any]:
    made = manifest()
    return {**made, "features": {**made["features"], "shortcuts": [{**SHORTCUT, **changes}]}}


async def test_a_shortcut_arrives_with_slacks_keys_and_opens_a_modal() -> None:
    async with Simulator(Workspace.from_seed(SEED, with_shortcut()), ack_seconds=1.0) as sim, connected(sim) as bot:
        got: list[dict[str, Any]] = []

        @bot.app.message_shortcut("from_this")
        async def asks(ack: Any, body: dict[str, Any], client: Any) -> None:
            await ack()
            got.append(body)
            await client.views_open(trigger_id=body["trigger_id"], view=modal())

        ada, linus = sim.person("ada"), sim.person("linus")
        said = linus.say(AUDIT, "orders-db is <down>")
        assert (await ada.shortcut(AUDIT, said["ts"], "from_this")).error is None
        assert (await ada.wait_view())["callback_id"] == "ask"
        (body,) = got
        assert set(body) >= DOCUMENTED
        assert body["type"] == "message_action"
        assert body["message"]["text"] == "orders-db is &lt;down&gt;"
        assert body["message_ts"] == body["message"]["ts"] == said["ts"]
        assert body["channel"] == {"id": "C0AUDIT", "name": "prod-access"}
        assert body["user"] == {"id": "U0ADA", "name": "ada"}


async def test_its_answer_is_for_its_person_alone() -> None:
    async with Simulator(Workspace.from_seed(SEED, with_shortcut()), ack_seconds=1.0) as sim, connected(sim) as bot:

        @bot.app.message_shortcut("from_this")
        async def answers(ack: Any, respond: Any) -> None:
            await ack()
            await respond("Not you.")

        ada = sim.person("ada")
        said = ada.say(AUDIT, "x")
        await ada.shortcut(AUDIT, said["ts"], "from_this")
        assert (await ada.wait_message(AUDIT, lambda m: m["text"] == "Not you."))["is_ephemeral"]
        assert not [m for m in sim.person("linus").messages(AUDIT) if m["text"] == "Not you."]


async def test_only_what_the_manifest_names_is_offered_and_not_to_people_from_elsewhere(
    sim: Simulator, bot: Gatekeeper
) -> None:
    said = sim.person("ada").say("#shared", "x")
    for name in ("ada", "oscar"):
        with pytest.raises(ActError, match="There is no shortcut"):
            await sim.person(name).shortcut("#shared", said["ts"], "from_this")
    async with Simulator(Workspace.from_seed(SEED, with_shortcut())) as other:
        assert _state(other, "ada")["shortcuts"][0]["name"] == "Ask from this"
        assert _state(other, "oscar")["shortcuts"] == []


def _state(sim: Simulator, name: str) -> dict[str, Any]:
    return json.loads(json.dumps(screen(sim.world, sim.person(name), "C0SHARED")))


def test_names_are_as_long_as_slack_takes_them() -> None:
    assert Manifest.parse(with_shortcut(name="x" * 24)).shortcut("from_this") is not None
    with pytest.raises(SeedError, match="1 to 24"):
        Manifest.parse(with_shortcut(name="x" * 25))
    with pytest.raises(SeedError, match="1 to 150"):
        Manifest.parse(with_shortcut(description="x" * 151))


async def test_an_archived_channel_takes_posts_again_once_it_is_unarchived(sim: Simulator, bot: Gatekeeper) -> None:
    sim.world.channel_archive(AUDIT)
    with pytest.raises(Exception, match="is_archived"):
        await bot.client.chat_postMessage(channel="C0AUDIT", text="x")
    sim.world.channel_unarchive(AUDIT)
    assert (await bot.client.chat_postMessage(channel="C0AUDIT", text="x"))["ok"]


async def test_a_renamed_channel_keeps_its_id(sim: Simulator, bot: Gatekeeper) -> None:
    sim.world.channel_rename(AUDIT, "access-log")
    assert (await bot.client.conversations_info(channel="C0AUDIT"))["channel"]["name"] == "access-log"
    assert (await bot.client.chat_postMessage(channel="C0AUDIT", text="x"))["ok"]
