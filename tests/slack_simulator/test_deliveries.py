"""Deliveries that go wrong on order, retries of events, and HTTP mode."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request

from slack_simulator import Simulator, Workspace
from slack_simulator.signing import signature
from slack_simulator.submission import TROUBLE
from tests.slack_simulator.town import AUDIT, SECRET, SEED, Gatekeeper, card, manifest, modal, soon, until

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def posted(bot: Gatekeeper) -> str:
    return str((await bot.client.chat_postMessage(channel="C0AUDIT", text="x", blocks=card()))["ts"])


@pytest.mark.parametrize(("do", "envelopes"), [("duplicate", 1), ("redeliver", 2)])
async def test_a_click_delivered_twice(sim: Simulator, bot: Gatekeeper, do: str, envelopes: int) -> None:
    ts = await posted(bot)
    sim.faults.add({"where": "delivery", "do": do, "what": "block_actions"})
    assert (await sim.person("ada").click(AUDIT, ts, "approve")).error is None
    await soon(lambda: len(bot.bodies("click")) == 2)
    first, second = (body["actions"][0]["action_ts"] for body in bot.bodies("click"))
    assert first == second
    await until(sim, lambda: len(sim.journal.of("delivery", "block_actions")) == 2)
    deliveries = sim.journal.of("delivery", "block_actions")
    assert len({e.data["envelope_id"] for e in deliveries}) == envelopes
    assert [e.data["outcome"] for e in deliveries] == ["acked", "acked"]
    assert sim.journal.of("fault")[0].what == f"delivery {do}"


async def test_a_dropped_click_never_arrives(sim: Simulator, bot: Gatekeeper) -> None:
    ts = await posted(bot)
    sim.faults.add({"where": "delivery", "do": "drop", "user": "U0ADA"})
    assert (await sim.person("ada").click(AUDIT, ts, "approve")).error == "operation_timeout"
    assert bot.bodies("click") == []
    assert (await sim.person("ada").click(AUDIT, ts, "approve")).error is None


async def test_a_click_that_is_late_still_arrives(sim: Simulator, bot: Gatekeeper) -> None:
    ts = await posted(bot)
    sim.faults.add({"where": "delivery", "do": "delay", "seconds": 1.3})
    assert (await sim.person("ada").click(AUDIT, ts, "approve")).error == "operation_timeout"
    assert bot.bodies("click") == []
    await soon(lambda: bot.bodies("click"))


async def test_a_held_click_arrives_after_the_world_has_changed(sim: Simulator, bot: Gatekeeper) -> None:
    ts = await posted(bot)
    sim.faults.add({"where": "delivery", "do": "hold"})
    await sim.person("ada").click(AUDIT, ts, "approve")
    sim.world.deactivate("ada")
    assert await sim.release() == 1
    assert bot.bodies("click")[0]["user"]["id"] == "U0ADA"


async def test_a_stale_command_is_too_late_for_a_view(sim: Simulator, bot: Gatekeeper) -> None:
    refused: list[str] = []

    async def opens(ack: Any, body: dict[str, Any], client: Any) -> None:
        await ack()
        try:
            await client.views_open(trigger_id=body["trigger_id"], view=modal())
        except Exception as error:
            refused.append(error.response["error"])  # type: ignore[attr-defined]

    bot.on["ask"] = opens
    sim.faults.add({"where": "delivery", "do": "stale"})
    await sim.person("linus").command(AUDIT, "/ask")
    await soon(lambda: refused)
    assert refused == ["expired_trigger_id"]


async def test_an_old_copy_of_a_message_can_still_be_clicked(sim: Simulator, bot: Gatekeeper) -> None:
    ts = await posted(bot)
    ada = sim.person("ada")
    before = ada.messages(AUDIT)[-1]
    await bot.client.chat_update(channel="C0AUDIT", ts=ts, text="done")
    with pytest.raises(LookupError):
        await ada.click(AUDIT, ts, "approve")
    assert (await ada.click(AUDIT, ts, "approve", message=before)).error is None
    assert bot.bodies("click")[0]["message"]["text"] == "x"


async def test_two_people_and_double_clicks_at_once(sim: Simulator, bot: Gatekeeper) -> None:
    ts = await posted(bot)
    ada, grace = sim.person("ada"), sim.person("grace")
    await asyncio.gather(*(who.click(AUDIT, ts, "approve") for who in (ada, grace, ada)))
    clicks = {(b["user"]["id"], b["actions"][0]["action_ts"]) for b in bot.bodies("click")}
    assert len(clicks) == 3


async def test_a_modal_submitted_twice_has_one_hash(sim: Simulator, bot: Gatekeeper) -> None:
    async def opens(ack: Any, body: dict[str, Any], client: Any) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=modal())

    bot.on["ask"] = opens
    linus = sim.person("linus")
    await linus.command(AUDIT, "/ask")
    await linus.wait_view()
    linus.fill({"ticket": {"v": "OPS-1"}})
    first, second = await asyncio.gather(linus.submit(), linus.submit())
    assert first.closed
    assert second.closed
    assert len({body["view"]["hash"] for body in bot.bodies("submit")}) == 1
    assert len(bot.bodies("submit")) == 2


async def test_an_event_is_retried_on_slacks_schedule(sim: Simulator, bot: Gatekeeper) -> None:
    sim.world.courier.ack_seconds = 0.05
    sim.faults.add({"where": "delivery", "do": "drop", "kind": "events_api", "times": None})
    sim.world.group_add("owners", "linus")
    dropped = lambda: sim.journal.of("fault", "delivery drop")  # noqa: E731
    await until(sim, lambda: len(dropped()) == 2)  # the first try, and the retry at once
    for wait in (61, 301):
        before = len(dropped())
        await asyncio.sleep(0.1)
        assert len(dropped()) == before
        sim.world.clock.advance(wait)
        await until(sim, lambda count=before: len(dropped()) == count + 1)
    sim.world.clock.advance(4000)
    await asyncio.sleep(0.1)
    assert len(dropped()) == 4


async def test_only_subscribed_events_with_their_scope(sim: Simulator, bot: Gatekeeper) -> None:
    world = sim.world
    world.group_remove("owners", "grace")
    world.set_flags("linus", is_restricted=True)
    world.share_externally("#secret")
    await soon(lambda: len(bot.got) >= 3)
    names = {name for name, _ in bot.got}
    assert names == {"user_change", "subteam_members_changed", "channel_id_changed"}
    moved = bot.bodies("channel_id_changed")[0]["event"]
    assert (moved["old_channel_id"], moved["new_channel_id"]) == ("G0SECRET", "C0SECRET")
    assert world.channel("#secret").is_ext_shared
    quiet = Workspace.from_seed(SEED, manifest(scopes=["commands"], events=["message.channels"]))
    async with Simulator(quiet) as other:
        other.world.group_remove("owners", "grace")
        other.person("ada").say(AUDIT, "x")
        assert other.journal.of("delivery") == []


async def test_the_bots_own_messages_are_echoed_when_subscribed() -> None:
    heard = Workspace.from_seed(SEED, manifest(events=["message.channels"]))
    async with Simulator(heard) as sim:
        bot = Gatekeeper(sim.api_url)
        await bot.client.chat_postMessage(channel="C0AUDIT", text="own")
        await until(sim, lambda: sim.journal.of("delivery", "message"))
        event = sim.journal.of("delivery", "message")[0].data["payload"]["event"]
        assert (event["bot_id"], event["channel_type"]) == ("B0BOT", "channel")


async def test_without_interactivity_a_button_shows_an_error() -> None:
    async with Simulator(Workspace.from_seed(SEED, manifest(interactive=False, home=False))) as sim:
        bot = Gatekeeper(sim.api_url)
        ts = await posted(bot)
        assert "not configured" in ((await sim.person("ada").click(AUDIT, ts, "approve")).error or "")
        with pytest.raises(Exception, match="not_enabled"):
            await bot.client.views_publish(user_id="U0ADA", view={"type": "home", "blocks": []})


# HTTP mode.


@asynccontextmanager
async def http_app(*routes: tuple[str, Handler]) -> AsyncIterator[str]:
    app = web.Application()
    for path, handler in routes:
        app.router.add_post(path, handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def over_http(url: str) -> Simulator:
    paths = {"commands_url": f"{url}/c", "interactivity_url": f"{url}/i", "events_url": f"{url}/e"}
    seed = {**SEED, "app": {**SEED["app"], "delivery": "http", **paths}}
    return Simulator(Workspace.from_seed(seed, manifest()), ack_seconds=1.0)


def test_the_published_signature() -> None:
    body = (
        "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        "&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        "&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        "&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    signed = signature("8f742231b10e8888abcd99yyyzzz85a5", 1531420618, body.encode())
    assert signed == "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"


async def test_bolt_over_signed_http() -> None:
    bots: list[Gatekeeper] = []

    async def bolt(request: web.Request) -> web.Response:
        response = await bots[0].app.async_dispatch(await to_bolt_request(request))
        made: web.Response = await to_aiohttp_response(response)
        return made

    async with http_app(("/c", bolt), ("/i", bolt), ("/e", bolt)) as url, over_http(url) as sim:
        bots.append(Gatekeeper(sim.api_url))
        bots[0].on["ask"] = lambda ack, _body, _client: ack("signed and read")
        assert (await sim.person("linus").command(AUDIT, "/ask")).text == "signed and read"
        ts = await posted(bots[0])
        assert (await sim.person("ada").click(AUDIT, ts, "approve")).error is None
        sim.world.group_add("owners", "linus")
        await soon(lambda: bots[0].bodies("subteam_members_changed"))
        sim.world.app.signing_secret = "rotated"
        assert (await sim.person("linus").command(AUDIT, "/ask")).error == "/ask failed with the error dispatch_failed"
        sim.world.app.signing_secret = SECRET
        sim.world.clock.advance(301)
        assert "dispatch_failed" in ((await sim.person("linus").command(AUDIT, "/ask")).error or "")


async def test_http_failures_as_people_see_them() -> None:
    async def broken(_request: web.Request) -> web.Response:
        return web.Response(status=500)

    async def slow(_request: web.Request) -> web.Response:
        await asyncio.sleep(1.2)
        return web.Response()

    async def words(request: web.Request) -> web.Response:
        form = parse_qs(await request.text())
        kind = json.loads(form["payload"][0])["type"]
        return web.json_response({"response_action": "clear"} if kind == "view_submission" else {})

    async with http_app(("/c", slow), ("/i", words), ("/e", broken)) as url, over_http(url) as sim:
        ada = sim.person("ada")
        assert "operation_timeout" in ((await ada.command(AUDIT, "/ask")).error or "")
        sim.world.views.open("U0ADA", modal())
        assert (await ada.submit({"ticket": {"v": "x"}})).closed
        sim.world.app.interactivity_url = f"{url}/e"
        sim.world.views.open("U0ADA", modal())
        failed = await ada.submit({"ticket": {"v": "x"}})
        assert (failed.error, failed.reason) == (TROUBLE, "dispatch_failed")
        sim.world.app.commands_url = "http://127.0.0.1:9/none"
        assert (await ada.command(AUDIT, "/ask")).error == "/ask failed because the app is not connected."


@pytest.mark.parametrize("no_retry", [False, True])
async def test_http_events_are_retried_with_their_headers(no_retry: bool) -> None:
    seen: list[tuple[str | None, str | None, str]] = []

    async def failing(request: web.Request) -> web.Response:
        body = json.loads(await request.text())
        headers = request.headers
        seen.append((headers.get("x-slack-retry-num"), headers.get("x-slack-retry-reason"), body["event_id"]))
        assert abs(int(headers["X-Slack-Request-Timestamp"]) - time.time()) < 5
        return web.Response(status=500, headers={"x-slack-no-retry": "1"} if no_retry else {})

    async with http_app(("/e", failing)) as url, over_http(url) as sim:
        sim.world.group_add("owners", "linus")
        await soon(lambda: len(seen) == (1 if no_retry else 2))
        await asyncio.sleep(0.05)
    expected = [(None, None)] if no_retry else [(None, None), ("1", "http_error")]
    assert [one[:2] for one in seen] == expected
    assert len({one[2] for one in seen}) == 1
