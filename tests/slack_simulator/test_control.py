"""The control API: the same verbs from another process, refused to other websites."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from slack_simulator import Simulator
from tests.slack_simulator.town import Gatekeeper, modal


@pytest.fixture
async def http(sim: Simulator) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(sim.url) as session:
        yield session


async def post(http: aiohttp.ClientSession, path: str, body: Any) -> Any:
    async with http.post(path, json=body) as answer:
        return await answer.json()


async def get(http: aiohttp.ClientSession, path: str) -> Any:
    async with http.get(path) as answer:
        return await answer.json()


async def test_a_whole_visit(http: aiohttp.ClientSession, bot: Gatekeeper) -> None:
    async def opens(ack: Any, body: dict[str, Any], client: Any) -> None:
        await client.views_open(trigger_id=body["trigger_id"], view=modal())
        await ack("opened")

    bot.on["ask"] = opens
    act = {"as": "linus", "verb": "command", "args": {"channel": "#prod-access", "line": "/ask"}}
    assert (await post(http, "/sim/act", act))["text"] == "opened"
    state = await get(http, "/sim/state?as=linus&channel=C0AUDIT")
    assert state["views"][0]["callback_id"] == "ask"
    assert [m["text"] for m in state["messages"]] == ["opened"]
    assert state["connected"] is True
    assert (await get(http, "/sim/state?as=ada"))["views"] == []
    submit = {"as": "linus", "verb": "submit", "args": {"values": {"ticket": {"v": "OPS-1"}}}}
    assert (await post(http, "/sim/act", submit))["closed"] is True
    said = await get(http, "/sim/journal?search=OPS-1")
    assert [entry["what"] for entry in said] == ["view_submission"]
    assert await get(http, f"/sim/journal?after={said[0]['n'] + 50}") == []


async def test_guests_and_outsiders_see_less(http: aiohttp.ClientSession) -> None:
    async def channels(name: str) -> set[str]:
        return {c["name"] for c in (await get(http, f"/sim/state?as={name}"))["channels"] if c["name"]}

    assert await channels("gus") == {"general"}
    assert await channels("oscar") == {"shared"}
    assert "hidden" not in await channels("linus")


async def test_the_world_the_clock_and_faults(sim: Simulator, http: aiohttp.ClientSession) -> None:
    await post(http, "/sim/world", {"verb": "deactivate", "args": {"user": "ada"}})
    assert sim.world.user("ada").deleted
    before = await get(http, "/sim/clock")
    after = await post(http, "/sim/clock", {"advance": 3600})
    assert after["now"] - before["now"] >= 3600
    assert (await post(http, "/sim/clock", {"advance": -1}))["error"] == "The clock only goes forward."
    await post(http, "/sim/faults", {"where": "api", "do": "error", "method": "auth.test"})
    assert [fault["do"] for fault in await get(http, "/sim/faults")] == ["error"]
    async with http.delete("/sim/faults") as answer:
        assert answer.status == 200
    assert await get(http, "/sim/faults") == []
    assert await post(http, "/sim/faults/release", {}) == {"released": 0}
    assert (await get(http, "/sim/healthz"))["ok"] is True
    assert {"id": "U0ADA", "name": "ada", "is_bot": False, "deleted": True} in await get(http, "/sim/people")


@pytest.mark.parametrize(
    "act",
    [
        {"as": "nobody", "verb": "command"},
        {"as": "linus", "verb": "__init__"},
        {"as": "linus", "verb": "command", "args": {"channel": "#hidden", "line": "/ask"}},
        {"as": "linus", "verb": "command", "args": {"colour": "red"}},
    ],
)
async def test_what_cannot_be_done_is_a_sentence(http: aiohttp.ClientSession, act: dict[str, Any]) -> None:
    async with http.post("/sim/act", json=act) as answer:
        assert answer.status == 400
        assert len((await answer.json())["error"]) > 10


async def test_other_websites_are_refused(sim: Simulator, http: aiohttp.ClientSession) -> None:
    act = {"as": "linus", "verb": "say", "args": {"channel": "#prod-access", "text": "x"}}
    async with http.post("/sim/act", json=act, headers={"Origin": "https://evil.example"}) as answer:
        assert answer.status == 403
    async with http.get("/sim/state?as=ada", headers={"Host": "evil.example"}) as answer:
        assert answer.status == 403
    async with http.post("/sim/act", json=act, headers={"Origin": sim.url}) as answer:
        assert answer.status == 200
    assert len(sim.person("ada").messages("#prod-access")) == 1


async def test_the_strip(sim: Simulator, http: aiohttp.ClientSession) -> None:
    pressed: list[str] = []

    async def jump(request: web.Request) -> web.Response:
        pressed.append(request.path)
        return web.Response(status=409, text="Nothing to jump to.")

    app = web.Application()
    app.router.add_post("/jump", jump)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/jump"
    try:
        lines = '{"label": "Vault", "value": "1 lease"}\n{"label": "Vault", "value": "2 leases", "tone": "good"}\n'
        async with http.post("/sim/strip", data=lines) as answer:
            assert (await answer.json())["items"] == [{"label": "Vault", "value": "2 leases", "tone": "good"}]
        shown = await post(http, "/sim/strip", [{"label": "Jump", "action_url": url}])
        assert shown["actions"] == [{"label": "Jump"}]
        assert await post(http, "/sim/strip/act", {"label": "Jump"}) == {"status": 409, "said": "Nothing to jump to."}
        assert pressed == ["/jump"]
        assert (await post(http, "/sim/strip/act", {"label": "Leap"}))["status"] == 404
        rung = sim.world.bell.rung
        await post(http, "/sim/strip", [{"clear": True}, shown["items"][0], {"label": "Jump", "action_url": url}])
        assert sim.world.bell.rung == rung  # nothing changed, so nobody looks again
        away = await post(http, "/sim/strip", {"label": "x", "action_url": "https://example.com/"})
        assert "this machine" in away["error"]
        assert await post(http, "/sim/strip", {"clear": True}) == {"items": [], "actions": []}
    finally:
        await runner.cleanup()


async def test_the_stream_tells_of_changes(sim: Simulator, http: aiohttp.ClientSession) -> None:
    async with http.get("/ui/events") as stream:
        first = await stream.content.readuntil(b"\n\n")
        sim.person("ada").say("#prod-access", "x")
        second = await stream.content.readuntil(b"\n\n")
    assert first.startswith(b"data: ")
    assert first != second


@pytest.mark.parametrize(("path", "kind"), [("", "text/html"), ("app.js", "text/javascript"), ("base.css", "text/css")])
async def test_the_page_is_served_with_a_strict_policy(http: aiohttp.ClientSession, path: str, kind: str) -> None:
    async with http.get(f"/ui/{path}") as answer:
        assert (answer.status, answer.content_type) == (200, kind)
        policy = answer.headers["Content-Security-Policy"]
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("path", ["../server.py", "%2e%2e%2fserver.py", "nothing.js"])
async def test_nothing_else_is_served(http: aiohttp.ClientSession, path: str) -> None:
    async with http.get(f"/ui/{path}") as answer:
        assert answer.status == 404


async def test_old_links_lead_to_the_page(sim: Simulator, http: aiohttp.ClientSession) -> None:
    message = sim.person("ada").say("#prod-access", "x")
    link = sim.world.link(sim.world.channel("#prod-access"), message)
    async with http.get(link, allow_redirects=False) as answer:
        assert answer.headers["Location"] == f"/ui/?channel=C0AUDIT&message={message['ts']}"
    async with http.get("/?as=ada", allow_redirects=False) as answer:
        assert answer.headers["Location"] == "/ui/?as=ada"
