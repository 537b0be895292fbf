"""Slack user groups, in the local Slack workspace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from slack_sdk.http_retry.builtin_async_handlers import AsyncRateLimitErrorRetryHandler
from slack_sdk.web.async_client import AsyncWebClient

from access.errors import NotFound, Unavailable
from access.ports import Looked, NotLooked
from directory.memberships import Directories
from directory.slack_groups import EVENTS, SlackGroups, forget_changed
from slack_simulator import Simulator
from tests.people import ManualClock
from tests.slack_simulator.town import BOT_TOKEN, SCOPES, connected, workspace
from tests.slack_simulator.town import EVENTS as HEARD

OWNERS = "slack:S0OWNERS"


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(workspace(), ack_seconds=1.0) as serving:
        yield serving


def groups(sim: Simulator, **more: Any) -> SlackGroups:
    patient = AsyncRateLimitErrorRetryHandler(max_retry_count=1)
    client = AsyncWebClient(BOT_TOKEN, base_url=sim.api_url, timeout=5, retry_handlers=[patient])
    return SlackGroups(client, **{"timeout": 0.6, **more})


async def test_the_members_of_a_group(sim: Simulator) -> None:
    assert (await groups(sim).find("S0OWNERS")).people == {"U0ADA", "U0GRACE"}


async def test_an_empty_group_is_empty(sim: Simulator) -> None:
    for user in ("ada", "grace"):
        sim.world.group_remove("owners", user)
    assert (await groups(sim).find("S0OWNERS")).people == frozenset()


@pytest.mark.parametrize("disabled", [True, False])
async def test_a_group_that_is_not_there_is_not_an_empty_one(sim: Simulator, disabled: bool) -> None:
    if disabled:
        sim.world.group_disable("owners")
    with pytest.raises(NotFound, match=r"no user group S0.*, or it is disabled"):
        await groups(sim).find("S0OWNERS" if disabled else "S0NONE")


async def test_a_missing_scope_is_named() -> None:
    scopes = [scope for scope in SCOPES if scope != "usergroups:read"]
    async with Simulator(workspace(scopes=scopes, events=["user_change"]), ack_seconds=1.0) as sim:
        with pytest.raises(Unavailable, match="add the scope usergroups:read"):
            await groups(sim).find("S0OWNERS")


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"do": "error", "error": "plan_upgrade_required"}, "no user groups"),
    ({"do": "error", "error": "ratelimited"}, "no more questions"),
    ({"do": "error", "error": "fatal_error"}, "does not say"),
    ({"do": "rate_limit", "retry_after": 30}, "does not say"),  # longer than anybody waits
    ({"do": "status", "status": 503, "html": True}, "does not say"),
    ({"do": "reset"}, "does not say"),
    ({"do": "hang", "seconds": 3}, "does not say"),
    ({"do": "truncate"}, "does not say"),
    ({"do": "garbage"}, "does not say"),
]


@pytest.mark.parametrize(("fault", "why"), FAULTS)
async def test_whatever_goes_wrong_is_said_and_is_not_an_empty_group(
    sim: Simulator, clock: ManualClock, fault: dict[str, Any], why: str
) -> None:
    sim.faults.add({"where": "api", "method": "usergroups.users.list", "times": None, **fault})
    found = (await Directories({"slack": groups(sim)}, clock).members([OWNERS]))[OWNERS]
    assert isinstance(found, NotLooked)
    assert why in found.why
    assert BOT_TOKEN not in found.why


async def test_a_short_rate_limit_is_waited_for(sim: Simulator) -> None:
    sim.faults.add({"where": "api", "method": "usergroups.users.list", "do": "rate_limit", "retry_after": 1})
    assert (await groups(sim, timeout=3.0).find("S0OWNERS")).people == {"U0ADA", "U0GRACE"}


async def test_a_change_is_heard_and_known_at_once(sim: Simulator, clock: ManualClock) -> None:
    directories = Directories({"slack": groups(sim, timeout=3.0)}, clock)
    await directories.members([OWNERS])
    async with connected(sim) as bot:
        heard = asyncio.Event()

        async def changed(ack: Any, body: dict[str, Any], client: Any) -> None:
            await ack()
            forget_changed(directories, body["event"])
            heard.set()

        bot.on["subteam_members_changed"] = changed
        sim.world.group_remove("owners", "ada")
        async with asyncio.timeout(5):
            await heard.wait()
    found = (await directories.members([OWNERS]))[OWNERS]
    assert isinstance(found, Looked)
    assert found.people == {"U0GRACE"}


async def test_a_disabled_group_is_told_by_its_other_event(clock: ManualClock, sim: Simulator) -> None:
    directories = Directories({"slack": groups(sim)}, clock)
    await directories.members([OWNERS])
    sim.world.group_disable("owners")
    forget_changed(directories, {"type": "subteam_updated", "subteam": {"id": "S0OWNERS", "date_delete": 1}})
    assert isinstance((await directories.members([OWNERS]))[OWNERS], NotLooked)


@pytest.mark.parametrize("event", [{}, {"subteam": None}, {"subteam": {}}, {"subteam_id": 7}, {"subteam": {"id": []}}])
async def test_news_that_make_no_sense_change_nothing(
    sim: Simulator, clock: ManualClock, event: dict[str, Any]
) -> None:
    directories = Directories({"slack": groups(sim)}, clock)
    before = await directories.members([OWNERS])
    forget_changed(directories, event)
    sim.world.group_remove("owners", "ada")
    assert await directories.members([OWNERS]) == before


def test_the_events_are_slacks() -> None:
    assert EVENTS[0] in HEARD
