"""Socket Mode: the real client comes back after everything that can happen to a connection."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.web.async_client import AsyncWebClient

from slack_simulator import Simulator
from tests.slack_simulator.town import APP_TOKEN, AUDIT, Gatekeeper, connected, soon, until


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def address(sim: Simulator) -> str:
    client = AsyncWebClient(APP_TOKEN, base_url=sim.api_url)
    return str((await client.apps_connections_open(app_token=APP_TOKEN))["url"])


@pytest.mark.parametrize(
    "do", ["refresh", "warning", "link_disabled", "too_many_websockets", "close", "fin", "reset", "silence"]
)
async def test_the_client_comes_back(sim: Simulator, bot: Gatekeeper, do: str) -> None:
    sim.faults.add({"where": "socket", "do": do, **({"seconds": 0.2} if do == "refresh" else {})})
    await until(sim, lambda: len(sim.journal.of("socket", "open")) >= 2, seconds=15)
    await until(sim, lambda: len(sim.journal.of("socket", "closed")) >= 1 or do in ("silence", "warning"), seconds=15)
    linus = sim.person("linus")

    async def answered() -> bool:
        return (await linus.command(AUDIT, "/ask")).error is None

    async with asyncio.timeout(15):
        while not await answered():
            await sim.world.bell.next()
    assert bot.bodies("ask")


async def test_hello_envelope_acknowledgement(sim: Simulator, http: aiohttp.ClientSession) -> None:
    async with http.ws_connect(await address(sim)) as ws:
        hello = await ws.receive_json()
        assert (hello["type"], hello["num_connections"]) == ("hello", 1)
        assert hello["connection_info"] == {"app_id": "A0BOT"}
        typing = asyncio.create_task(sim.person("linus").command(AUDIT, "/ask x"))
        envelope = await ws.receive_json()
        assert (envelope["type"], envelope["accepts_response_payload"]) == ("slash_commands", True)
        await ws.send_json({"envelope_id": envelope["envelope_id"], "payload": {"text": "yes"}})
        assert (await typing).text == "yes"
        await ws.ping(b"session:1")
        sim.person("ada")
        sim.world.group_add("owners", "linus")
        event = await ws.receive_json()
        assert (event["type"], event["accepts_response_payload"]) == ("events_api", False)
        assert (event["retry_attempt"], event["retry_reason"]) == (0, "")
        assert event["payload"]["event"]["added_users"] == ["U0LINUS"]


async def test_a_ticket_is_good_for_one_connection(sim: Simulator, http: aiohttp.ClientSession) -> None:
    url = await address(sim)
    async with http.ws_connect(url) as ws:
        await ws.receive_json()
        with pytest.raises(aiohttp.WSServerHandshakeError) as again:
            await http.ws_connect(url)
    assert again.value.status == 404
    sim.faults.add({"where": "link", "do": "status", "status": 503})
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await http.ws_connect(await address(sim))
    assert refused.value.status == 503


async def test_the_eleventh_connection_is_sent_away(sim: Simulator, http: aiohttp.ClientSession) -> None:
    opened = [await http.ws_connect(await address(sim)) for _ in range(10)]
    assert [json.loads((await ws.receive()).data)["num_connections"] for ws in opened] == list(range(1, 11))
    late = await http.ws_connect(await address(sim))
    assert (await late.receive_json())["reason"] == "too_many_websockets"
    assert (await late.receive()).type is aiohttp.WSMsgType.CLOSE
    assert sim.sockets.count == 10
    for ws in [*opened, late]:
        await ws.close()


async def _split_ack(sim: Simulator, http: aiohttp.ClientSession) -> Any:
    """A command that goes to the first socket and is acknowledged on the second."""
    first = await http.ws_connect(await address(sim))
    second = await http.ws_connect(await address(sim))
    for ws in (first, second):
        await ws.receive_json()
    sim.faults.add({"where": "delivery", "do": "only_socket", "socket": 0})
    typing = asyncio.create_task(sim.person("linus").command(AUDIT, "/ask"))
    envelope = await first.receive_json()
    await second.send_json({"envelope_id": envelope["envelope_id"]})
    shown = await typing
    for ws in (first, second):
        await ws.close()
    return shown


async def test_an_acknowledgement_may_come_on_another_socket(sim: Simulator, http: aiohttp.ClientSession) -> None:
    assert (await _split_ack(sim, http)).error is None
    sim.sockets.strict_ack = True
    assert "operation_timeout" in (await _split_ack(sim, http)).error


async def test_two_connections_share_the_traffic(sim: Simulator) -> None:
    async with connected(sim) as first, connected(sim) as second:
        await soon(lambda: sim.sockets.count == 2)
        for _ in range(20):
            assert (await sim.person("linus").command(AUDIT, "/ask")).error is None
        counts = [len(first.bodies("ask")), len(second.bodies("ask"))]
    assert sum(counts) == 20
    assert min(counts) > 0


async def test_the_server_stops_with_silent_sockets_open(sim: Simulator, http: aiohttp.ClientSession) -> None:
    ws = await http.ws_connect(await address(sim))
    await ws.receive_json()
    sim.faults.add({"where": "socket", "do": "silence"})
    async with asyncio.timeout(4):
        await sim.stop()
    await ws.close()
