"""From the slash command to the click: real Bolt on Socket Mode, every acknowledgement rule on the way."""

from __future__ import annotations

from typing import Any

import pytest

from slack_simulator import ActError, Simulator
from slack_simulator.submission import TROUBLE
from tests.slack_simulator.town import AUDIT, Gatekeeper, card, modal, plain, section


async def opens_modal(ack: Any, body: dict[str, Any], client: Any) -> None:
    await ack()
    await client.views_open(trigger_id=body["trigger_id"], view=modal())


async def test_from_command_to_click(sim: Simulator, bot: Gatekeeper) -> None:
    async def posts(ack: Any, body: dict[str, Any], client: Any) -> None:
        await ack()
        ticket = body["view"]["state"]["values"]["ticket"]["v"]["value"]
        await client.chat_postMessage(channel="C0AUDIT", text=ticket, blocks=card())

    async def approves(ack: Any, body: dict[str, Any], client: Any) -> None:
        await ack()
        await client.chat_update(channel="C0AUDIT", ts=body["message"]["ts"], text="approved")

    bot.on = {"ask": opens_modal, "submit": posts, "click": approves}
    linus, ada = sim.person("linus"), sim.person("U0ADA")
    assert (await linus.command(AUDIT, "/ask orders-db")).error is None
    assert (await linus.wait_view())["callback_id"] == "ask"
    assert (await linus.submit({"ticket": {"v": "OPS-1"}})).closed
    assert linus.views == []
    message = await ada.wait_message(AUDIT, lambda m: m["text"] == "OPS-1")
    assert (await ada.click(AUDIT, message["ts"], "approve")).error is None
    repainted = await ada.wait_message(AUDIT, lambda m: m["text"] == "approved")
    assert repainted["ts"] == message["ts"]
    assert "blocks" not in repainted


async def test_a_command_arrives_with_slacks_keys(sim: Simulator, bot: Gatekeeper) -> None:
    await sim.person("linus").command(AUDIT, "/ask @ada in #general for @owners & <b>")
    body = bot.bodies("ask")[0]
    assert body["text"] == "<@U0ADA> in <#C0GENERAL|general> for <!subteam^S0OWNERS|@owners> &amp; &lt;b&gt;"
    assert body["is_enterprise_install"] == "false"
    assert {"token", "team_domain", "response_url", "trigger_id", "user_name", "api_app_id"} <= set(body)


async def test_a_message_click_carries_the_message_and_its_state(sim: Simulator, bot: Gatekeeper) -> None:
    posted = await bot.client.chat_postMessage(channel="C0AUDIT", text="x", blocks=card())
    await sim.person("ada").click(AUDIT, posted["ts"], "approve")
    body = bot.bodies("click")[0]
    assert body["container"] == {
        "type": "message",
        "message_ts": posted["ts"],
        "channel_id": "C0AUDIT",
        "is_ephemeral": False,
    }
    assert body["actions"][0]["value"] == "PA-1"
    assert body["actions"][0]["block_id"] == "decide"
    assert body["message"]["blocks"] == posted["message"]["blocks"]
    assert body["user"]["team_id"] == "T0ACME"


async def test_a_click_on_an_ephemeral_has_no_message(sim: Simulator, bot: Gatekeeper) -> None:
    ada = sim.person("ada")
    await bot.client.chat_postEphemeral(channel="C0AUDIT", user="U0ADA", text="x", blocks=card())
    seen = await ada.wait_message(AUDIT, lambda m: m["is_ephemeral"])
    await ada.click(AUDIT, seen["ts"], "deny")
    body = bot.bodies("click")[0]
    assert body["container"]["is_ephemeral"] is True
    assert "message" not in body
    assert not [m for m in sim.person("grace").messages(AUDIT) if m["is_ephemeral"]]


@pytest.mark.parametrize(
    ("body", "text", "public"),
    [
        ("", "", False),
        ("plain words", "plain words", False),
        ({"text": "only you"}, "only you", False),
        ({"response_type": "in_channel", "text": "all"}, "all", True),
        ({"text": "drawn", "blocks": [section("*drawn*")]}, "drawn", False),
    ],
)
async def test_what_an_acknowledged_command_shows(
    sim: Simulator, bot: Gatekeeper, body: Any, text: str, public: bool
) -> None:
    bot.on["ask"] = lambda ack, _body, _client: ack(body)
    shown = await sim.person("linus").command(AUDIT, "/ask")
    assert (shown.text, shown.error) == (text, None)
    others = [m["text"] for m in sim.person("ada").messages(AUDIT)]
    assert others == ([text] if public else [])


async def test_an_answer_that_slack_refuses_is_an_error(sim: Simulator, bot: Gatekeeper) -> None:
    bot.on["ask"] = lambda ack, _body, _client: ack({"blocks": [{"type": "section"}], "text": "x"})
    shown = await sim.person("linus").command(AUDIT, "/ask")
    assert shown.error == "/ask failed with the error invalid_blocks"


async def test_only_declared_commands_exist(sim: Simulator, bot: Gatekeeper) -> None:
    assert (await sim.person("linus").command(AUDIT, "/other")).error == "/other is not a valid command."
    assert (await sim.person("oscar").command("#shared", "/ask")).error == "/ask is not a valid command."
    assert bot.got == []


async def test_silence_is_shown_to_everybody_who_waits(sim: Simulator, bot: Gatekeeper) -> None:
    async def silent(*_: Any) -> None:
        return None

    linus = sim.person("linus")
    posted = await bot.client.chat_postMessage(channel="C0AUDIT", text="x", blocks=card())
    bot.on["ask"] = opens_modal
    await linus.command(AUDIT, "/ask")
    await linus.wait_view()
    bot.on = {"ask": silent, "click": silent, "submit": silent}
    assert (await linus.command(AUDIT, "/ask")).error == "/ask failed with the error operation_timeout"
    assert (await linus.click(AUDIT, posted["ts"], "approve")).error == "operation_timeout"
    failed = await linus.submit({"ticket": {"v": "OPS-1"}})
    assert (failed.closed, failed.error, failed.reason) == (False, TROUBLE, "operation_timeout")
    bot.on["submit"] = lambda ack, _body, _client: ack()
    assert (await linus.submit()).closed  # what was typed is still there


async def test_nobody_connected_fails_at_once(sim: Simulator) -> None:
    shown = await sim.person("linus").command(AUDIT, "/ask")
    assert shown.error == "/ask failed because the app is not connected."


@pytest.mark.parametrize(
    ("answer", "closed", "errors", "reason"),
    [
        ({}, True, {}, None),
        ({"response_action": "clear"}, True, {}, None),
        ({"response_action": "errors", "errors": {"ticket": "closed"}}, False, {"ticket": "closed"}, None),
        ({"response_action": "update", "view": modal(section("done"))}, False, {}, None),
        ({"response_action": "push", "view": modal(section("more"))}, False, {}, None),
        ({"response_action": "explode"}, False, {}, "unknown_response_action"),
        ({"response_action": "errors", "errors": {"nobody": "x"}}, False, {}, "errors_for_unknown_block"),
        ({"response_action": "update", "view": {"type": "modal"}}, False, {}, "invalid_arguments"),
    ],
)
async def test_answers_to_a_submission(  # noqa: PLR0917 - one row of the table above
    sim: Simulator, bot: Gatekeeper, answer: Any, closed: bool, errors: dict[str, str], reason: str | None
) -> None:
    linus = sim.person("linus")
    bot.on["ask"] = opens_modal
    bot.on["submit"] = lambda ack, _body, _client: ack(**answer)
    await linus.command(AUDIT, "/ask")
    first = await linus.wait_view()
    seen = await linus.submit({"ticket": {"v": "OPS-1"}})
    assert (seen.closed, seen.errors) == (closed, errors)
    assert (seen.reason or "").startswith(reason or "")
    assert (seen.error == TROUBLE) == (reason is not None)
    depth = 0 if closed else 2 if answer.get("response_action") == "push" else 1
    assert len(linus.views) == depth
    if answer.get("response_action") == "update" and reason is None:
        assert linus.views[0]["hash"] != first["hash"]


async def test_the_client_checks_before_it_sends(sim: Simulator, bot: Gatekeeper) -> None:
    linus = sim.person("linus")
    bot.on["ask"] = opens_modal
    await linus.command(AUDIT, "/ask")
    await linus.wait_view()
    assert (await linus.submit()).errors == {"ticket": "Please complete this required field."}
    assert (await linus.submit({"ticket": {"v": "x" * 21}})).errors == {"ticket": "Please use at most 20 characters."}
    assert bot.bodies("submit") == []
    assert (await linus.submit({"ticket": {"v": "x" * 20}})).closed


async def test_closing_tells_the_app_only_when_asked_to(sim: Simulator, bot: Gatekeeper) -> None:
    linus = sim.person("linus")

    async def opens(ack: Any, body: dict[str, Any], client: Any) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=modal(notify_on_close=body["text"] == "loud"))

    bot.on["ask"] = opens
    for text in ("quiet", "loud", "loud"):
        await linus.command(AUDIT, f"/ask {text}")
        await linus.wait_view()
        await linus.close_view(all_views=len(bot.bodies("close")) == 1)
    assert [body["is_cleared"] for body in bot.bodies("close")] == [False, True]
    with pytest.raises(ActError):
        await linus.close_view()


async def test_home_is_published_on_opening(sim: Simulator, bot: Gatekeeper) -> None:
    async def publishes(ack: Any, body: dict[str, Any], client: Any) -> None:
        await ack()
        user = body["event"]["user"]
        await client.views_publish(user_id=user, view={"type": "home", "blocks": [section("mine"), *card()[1:]]})

    bot.on["app_home_opened"] = publishes
    ada = sim.person("ada")
    assert ada.home is None
    await ada.open_home()
    home = await ada.wait_home()
    assert home["type"] == "home"
    assert (await ada.click_view("approve")).error is None
    click = bot.bodies("click")[0]
    assert click["container"] == {"type": "view", "view_id": home["id"]}
    assert "response_url" not in click
    assert "channel" not in click


async def test_an_external_select_asks_the_app(sim: Simulator, bot: Gatekeeper) -> None:
    who = {"type": "external_select", "action_id": "who", "min_query_length": 1}
    view = modal({"type": "input", "block_id": "w", "label": plain("Who"), "element": who})

    async def opens(ack: Any, body: dict[str, Any], client: Any) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=view)

    option = {"text": plain("Ada"), "value": "ada"}
    bot.on = {"ask": opens, "options": lambda ack, _body, _client: ack(options=[option])}
    linus = sim.person("linus")
    await linus.command(AUDIT, "/ask")
    await linus.wait_view()
    assert await linus.suggest("who", "a") == [option]
    assert (await linus.submit({"w": {"who": option}})).closed
    chosen = bot.bodies("submit")[0]["view"]["state"]["values"]["w"]["who"]["selected_option"]
    assert chosen["value"] == "ada"


async def test_people_cannot_do_what_their_client_would_not(sim: Simulator, bot: Gatekeeper) -> None:
    with pytest.raises(ActError, match="does not see"):
        sim.person("linus").messages("#hidden")
    with pytest.raises(ActError, match="does not see"):
        sim.person("gus").messages(AUDIT)
    sim.world.deactivate("ada")
    with pytest.raises(ActError, match="deactivated"):
        await sim.person("ada").command(AUDIT, "/ask")


async def test_waiting_says_what_was_there(sim: Simulator) -> None:
    sim.person("ada").say(AUDIT, "nearly")
    with pytest.raises(TimeoutError, match="nearly"):
        await sim.person("ada").wait_message(AUDIT, lambda m: m["text"] == "never", timeout=0.02)
