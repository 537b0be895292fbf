"""Faults of the Web API as the real SDK meets them, and that each is in the journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from slack_simulator import Simulator
from slack_simulator.faults import VERBS
from tests.slack_simulator.town import AUDIT, BOT_TOKEN, workspace


@pytest.fixture
def client(sim: Simulator) -> AsyncWebClient:
    return AsyncWebClient(BOT_TOKEN, base_url=sim.api_url, timeout=1, retry_handlers=[])


def texts(sim: Simulator) -> list[str]:
    return [m["text"] for m in sim.person("ada").messages(AUDIT)]


async def test_the_sdk_doubles_a_post_whose_answer_was_lost(sim: Simulator) -> None:
    sim.faults.add({"where": "api", "do": "reset", "method": "chat.postMessage", "after_commit": True})
    client = AsyncWebClient(BOT_TOKEN, base_url=sim.api_url)  # with its default retry
    await client.chat_postMessage(channel="C0AUDIT", text="twice")
    assert texts(sim) == ["twice", "twice"]
    assert [entry.what for entry in sim.journal.of("fault")] == ["api reset"]
    assert [entry.data["fault"] for entry in sim.journal.of("api", "chat.postMessage")] == [
        {"do": "reset", "after_commit": True},
        None,
    ]


@pytest.mark.parametrize("after_commit", [False, True])
@pytest.mark.parametrize("do", ["reset", "status", "error", "hang", "truncate", "garbage"])
async def test_a_fault_before_and_after_the_effect(
    sim: Simulator, client: AsyncWebClient, do: str, after_commit: bool
) -> None:
    more = {"seconds": 1.2} if do == "hang" else {}
    sim.faults.add({"where": "api", "do": do, "after_commit": after_commit, **more})
    with pytest.raises((SlackApiError, aiohttp.ClientError, asyncio.TimeoutError)):
        await client.chat_postMessage(channel="C0AUDIT", text="once")
    assert texts(sim) == (["once"] if after_commit else [])
    await client.chat_postMessage(channel="C0AUDIT", text="again")
    assert texts(sim)[-1] == "again"


@pytest.mark.parametrize(
    ("spec", "status", "check"),
    [
        ({"do": "rate_limit", "retry_after": 7}, 429, lambda r: r.headers["Retry-After"] == "7"),
        ({"do": "rate_limit", "retry_after": None}, 429, lambda r: "Retry-After" not in r.headers),
        ({"do": "error", "error": "ratelimited"}, 200, lambda r: r["error"] == "ratelimited"),
        ({"do": "error", "error": "missing_scope", "needed": "x"}, 200, lambda r: r["needed"] == "x"),
        ({"do": "status", "status": 500}, 500, lambda r: r["error"] == "fatal_error"),
        ({"do": "status", "status": 503}, 503, lambda r: r["error"] == "service_unavailable"),
    ],
)
async def test_what_the_client_is_told(
    sim: Simulator, client: AsyncWebClient, spec: dict[str, Any], status: int, check: Callable[[Any], bool]
) -> None:
    sim.faults.add({"where": "api", **spec})
    with pytest.raises(SlackApiError) as refused:
        await client.auth_test()
    assert refused.value.response.status_code == status
    assert check(refused.value.response)


async def test_a_rate_limit_is_waited_out_by_the_retry_handler(sim: Simulator) -> None:
    sim.faults.add({"where": "api", "do": "rate_limit", "retry_after": 0, "times": 2})
    handlers = [AsyncRateLimitErrorRetryHandler(max_retry_count=3)]
    client = AsyncWebClient(BOT_TOKEN, base_url=sim.api_url, retry_handlers=handlers)
    assert (await client.auth_test())["ok"] is True
    assert len(sim.journal.of("api", "auth.test")) == 3


async def test_a_slow_answer_is_whole(sim: Simulator, client: AsyncWebClient) -> None:
    sim.faults.add({"where": "api", "do": "drip", "seconds": 0.2})
    assert (await client.auth_test())["team"] == "Acme"


def test_matchers_counts_and_chance() -> None:
    faults = workspace().faults
    faults.add({"where": "api", "do": "error", "method": "m", "channel": "C1", "nth": 2, "times": 2})
    hits = [faults.take("api", method="m", channel="C1") is not None for _ in range(5)]
    assert hits == [False, True, True, False, False]
    faults.add({"where": "api", "do": "error", "method": "m", "times": None})
    assert faults.take("api", method="other") is None
    assert faults.take("delivery", method="m") is None
    assert all(faults.take("api", method="m") for _ in range(9))
    faults.clear()
    assert faults.take("api", method="m") is None
    faults.add({"where": "api", "do": "error", "probability": 0.5, "times": None})
    struck = sum(faults.take("api") is not None for _ in range(200))
    assert 60 < struck < 140


@pytest.mark.parametrize("spec", [{}, {"where": "api", "do": "sneeze"}, {"where": "api", "do": "error", "methd": "x"}])
def test_a_misspelt_fault_is_refused(spec: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="known are"):
        workspace().faults.add(spec)


@pytest.mark.parametrize("where", sorted(VERBS))
def test_every_verb_can_be_ordered(where: str) -> None:
    faults = workspace().faults
    assert [faults.add({"where": where, "do": do}).do for do in sorted(VERBS[where])] == sorted(VERBS[where])


async def test_the_journal_finds_a_canary_and_holds_no_token(sim: Simulator, client: AsyncWebClient) -> None:
    await client.chat_postMessage(channel="C0AUDIT", text='a "quoted" canary-7Q')
    await AsyncWebClient(base_url=sim.api_url).api_call("auth.test", params={"token": BOT_TOKEN})
    assert sim.journal.search("canary-7Q")
    assert sim.journal.search('a "quoted" canary')
    assert not sim.journal.search(BOT_TOKEN)
    assert not sim.journal.search("canary-8Q")
