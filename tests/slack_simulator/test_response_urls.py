"""Response URLs: five answers in thirty minutes, to messages and ephemerals, through Bolt's respond and by hand."""

from __future__ import annotations

from typing import Any

import pytest
from slack_sdk.webhook.async_client import AsyncWebhookClient

from slack_simulator import Simulator
from tests.slack_simulator.town import AUDIT, Gatekeeper, card, section


async def clicked(sim: Simulator, bot: Gatekeeper, *, ephemeral: bool = False) -> tuple[str, AsyncWebhookClient]:
    """The ts of a card that Ada has clicked, and the way to answer."""
    if ephemeral:
        await bot.client.chat_postEphemeral(channel="C0AUDIT", user="U0ADA", text="card", blocks=card())
    else:
        await bot.client.chat_postMessage(channel="C0AUDIT", text="card", blocks=card())
    ts = sim.person("ada").messages(AUDIT)[-1]["ts"]
    await sim.person("ada").click(AUDIT, ts, "approve")
    return ts, AsyncWebhookClient(bot.bodies("click")[-1]["response_url"])


def seen(sim: Simulator, name: str) -> list[tuple[str, bool]]:
    return [(m["text"], m["is_ephemeral"]) for m in sim.person(name).messages(AUDIT)]


@pytest.mark.parametrize("ephemeral", [False, True])
async def test_replace_and_delete(sim: Simulator, bot: Gatekeeper, ephemeral: bool) -> None:
    ts, url = await clicked(sim, bot, ephemeral=ephemeral)
    answer = await url.send(text="done", replace_original=True)
    assert (answer.status_code, answer.body) == (200, "ok")
    message = sim.person("ada").messages(AUDIT)[-1]
    assert (message["ts"], message["text"], "blocks" in message) == (ts, "done", False)
    await url.send_dict({"delete_original": True})
    assert seen(sim, "ada") == []


async def test_new_answers_are_private_unless_said_otherwise(sim: Simulator, bot: Gatekeeper) -> None:
    _, url = await clicked(sim, bot)
    await url.send(text="only ada", replace_original=False)
    await url.send(text="all", response_type="in_channel", replace_original=False)
    assert seen(sim, "ada") == [("card", False), ("only ada", True), ("all", False)]
    assert seen(sim, "grace") == [("card", False), ("all", False)]


async def test_five_uses_in_thirty_minutes(sim: Simulator, bot: Gatekeeper) -> None:
    _, url = await clicked(sim, bot)
    statuses = [(await url.send(text=str(n), replace_original=False)).status_code for n in range(6)]
    assert statuses == [200] * 5 + [404]
    _, other = await clicked(sim, bot)
    sim.world.clock.advance(1799)
    assert (await other.send(text="just in time")).status_code == 200
    sim.world.clock.advance(2)
    late = await other.send(text="too late")
    assert (late.status_code, "expired_url" in late.body) == (404, True)


@pytest.mark.parametrize("body", [{"blocks": [{"type": "x"}], "text": "x"}, {}, {"blocks": "x"}])
async def test_a_bad_body_is_refused(sim: Simulator, bot: Gatekeeper, body: dict[str, Any]) -> None:
    _, url = await clicked(sim, bot)
    assert (await url.send_dict(body)).status_code == 400


async def test_a_command_answers_where_the_app_is_not_a_member(sim: Simulator, bot: Gatekeeper) -> None:
    async def answers(ack: Any, body: dict[str, Any], _client: Any) -> None:
        await ack()
        await AsyncWebhookClient(body["response_url"]).send(text="here", blocks=[section("here")])

    bot.on["ask"] = answers
    await sim.person("ada").command("#general", "/ask")
    message = await sim.person("ada").wait_message("#general", lambda m: m["text"] == "here")
    assert message["is_ephemeral"] is True
    sim.person("ada").dismiss(message["ts"])
    assert sim.person("ada").messages("#general") == []


async def test_reloading_loses_ephemerals(sim: Simulator, bot: Gatekeeper) -> None:
    await clicked(sim, bot, ephemeral=True)
    sim.person("ada").reload()
    assert seen(sim, "ada") == []
