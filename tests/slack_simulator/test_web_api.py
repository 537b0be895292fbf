"""The Web API as the real SDK calls it: wire forms, checks in Slack's order, every refusal our bot must handle."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from slack_simulator import Simulator, Workspace
from slack_simulator.api import METHODS
from tests.slack_simulator.town import (
    APP_TOKEN,
    BOT_TOKEN,
    SCOPES,
    SEED,
    button,
    card,
    manifest,
    modal,
    section,
    workspace,
)


@pytest.fixture
def client(sim: Simulator) -> AsyncWebClient:
    return AsyncWebClient(BOT_TOKEN, base_url=sim.api_url, timeout=5)


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def refusal(client: AsyncWebClient, method: str, **args: Any) -> str:
    """The error code of a call that is refused, or ok."""
    try:
        await client.api_call(method, json=args)
    except SlackApiError as error:
        return str(error.response["error"])
    return "ok"


REFUSALS = [
    ("chat.postMessage", {"channel": "C0NONE", "text": "x"}, "channel_not_found"),
    ("chat.postMessage", {"text": "x"}, "invalid_arguments"),
    ("chat.postMessage", {"channel": "G0HIDDEN", "text": "x"}, "channel_not_found"),
    ("chat.postMessage", {"channel": "C0GENERAL", "text": "x"}, "not_in_channel"),
    ("chat.postMessage", {"channel": "C0OLD", "text": "x"}, "is_archived"),
    ("chat.postMessage", {"channel": "C0AUDIT"}, "no_text"),
    ("chat.postMessage", {"channel": "C0AUDIT", "blocks": "[{"}, "invalid_blocks_format"),
    ("chat.postMessage", {"channel": "C0AUDIT", "blocks": [{"type": "x"}]}, "invalid_blocks"),
    ("chat.postMessage", {"channel": "C0AUDIT", "text": "x", "thread_ts": "1.000001"}, "thread_not_found"),
    ("chat.postMessage", {"channel": "C0AUDIT", "text": "x", "metadata": {"event_type": 1}}, "invalid_metadata_schema"),
    ("chat.postMessage", {"channel": "C0AUDIT", "text": "x", "attachments": [{}] * 101}, "too_many_attachments"),
    ("chat.postMessage", {"channel": "#prod-access", "text": "x"}, "ok"),
    ("chat.postMessage", {"channel": "U0ADA", "text": "x"}, "ok"),
    ("chat.update", {"channel": "C0AUDIT", "ts": "1.000001", "text": "x"}, "message_not_found"),
    ("chat.update", {"channel": "U0ADA", "ts": "1.000001", "text": "x"}, "channel_not_found"),
    ("chat.delete", {"channel": "C0AUDIT", "ts": "1.000001"}, "message_not_found"),
    ("chat.getPermalink", {"channel": "C0AUDIT", "message_ts": "1.000001"}, "message_not_found"),
    ("chat.postEphemeral", {"channel": "C0AUDIT", "user": "U0GUS", "text": "x"}, "user_not_in_channel"),
    ("chat.postEphemeral", {"channel": "C0AUDIT", "user": "U0NOBODY", "text": "x"}, "user_not_found"),
    ("chat.postEphemeral", {"channel": "C0OLD", "user": "U0ADA", "text": "x"}, "is_archived"),
    ("conversations.open", {}, "users_list_not_supplied"),
    ("conversations.open", {"users": "U0NOBODY"}, "user_not_found"),
    ("conversations.open", {"users": "U0FAR"}, "user_not_visible"),
    ("conversations.info", {"channel": "G0HIDDEN"}, "channel_not_found"),
    ("conversations.replies", {"channel": "C0AUDIT", "ts": "1.000001"}, "thread_not_found"),
    ("conversations.history", {"channel": "C0GENERAL"}, "not_in_channel"),
    ("conversations.members", {"channel": "C0AUDIT", "cursor": "odd"}, "invalid_cursor"),
    ("conversations.join", {"channel": "G0SECRET"}, "method_not_supported_for_channel_type"),
    ("conversations.join", {"channel": "C0OLD"}, "is_archived"),
    ("conversations.invite", {"channel": "C0AUDIT", "users": "U0ADA"}, "already_in_channel"),
    ("users.info", {"user": "U0NOBODY"}, "user_not_found"),
    ("users.lookupByEmail", {"email": "nobody@acme.example"}, "users_not_found"),
    ("users.lookupByEmail", {"email": "oscar@wayfarer.example"}, "users_not_found"),
    ("usergroups.users.list", {"usergroup": "S0NONE"}, "no_such_subteam"),
    ("bots.info", {"bot": "B0NONE"}, "bot_not_found"),
    ("views.open", {"trigger_id": "nonsense", "view": modal()}, "invalid_trigger_id"),
    ("views.open", {"trigger_id": "1.2.abc", "view": "{"}, "invalid_arguments"),
    ("views.open", {"view": modal()}, "invalid_arguments"),
    ("views.update", {"view": modal()}, "invalid_arguments"),
    ("views.update", {"view_id": "V0NONE", "view": modal()}, "not_found"),
    ("views.publish", {"user_id": "U0ADA", "view": modal()}, "invalid_arguments"),
    ("canvases.create", {}, "unknown_method"),
]


@pytest.mark.parametrize(("method", "args", "expected"), REFUSALS)
async def test_refusals(client: AsyncWebClient, method: str, args: dict[str, Any], expected: str) -> None:
    assert await refusal(client, method, **args) == expected


async def test_tokens_are_checked_before_anything_else(sim: Simulator) -> None:
    def of(token: str) -> AsyncWebClient:
        return AsyncWebClient(token, base_url=sim.api_url)

    assert await refusal(of("xoxb-wrong"), "auth.test") == "invalid_auth"
    assert await refusal(of(APP_TOKEN), "auth.test") == "not_allowed_token_type"
    assert await refusal(of(BOT_TOKEN), "apps.connections.open") == "not_allowed_token_type"
    sim.world.revoke_token()
    assert await refusal(of(BOT_TOKEN), "auth.test") == "token_revoked"
    sim.world.uninstall()
    assert await refusal(of(BOT_TOKEN), "auth.test") == "account_inactive"


async def test_every_wire_form_is_read(sim: Simulator, http: aiohttp.ClientSession) -> None:
    post = f"{sim.api_url}chat.postMessage"
    args = {"channel": "C0AUDIT", "text": "x", "blocks": json.dumps([section("x")])}
    bearer = {"Authorization": f"bearer {BOT_TOKEN}"}
    answers = [
        await (await http.post(post, headers=bearer, json=args)).json(),
        await (await http.post(post, headers=bearer, data=args)).json(),
        await (await http.post(post, data={**args, "token": BOT_TOKEN})).json(),
        await (await http.get(post, headers=bearer, params=args)).json(),
    ]
    assert [answer["ok"] for answer in answers] == [True] * 4
    empty = {**bearer, "Content-Type": "application/json"}
    assert (await (await http.post(f"{sim.api_url}auth.test", headers=empty)).json())["ok"] is True
    assert (await (await http.post(f"{sim.api_url}auth.test")).json())["error"] == "not_authed"
    bad = await http.post(post, headers=empty, data=b"{")
    assert (bad.status, (await bad.json())["error"]) == (200, "invalid_json")
    listed = await http.post(post, headers=empty, data=b"[]")
    assert (await listed.json())["error"] == "json_not_object"
    in_body = await http.post(f"{sim.api_url}apps.connections.open", data={"token": APP_TOKEN})
    assert (await in_body.json())["error"] == "not_authed"


def _call_for_scope(method: str) -> dict[str, Any]:
    return {"channel": "C0AUDIT", "user": "U0ADA", "users": "U0ADA", "text": "x", "email": "x", "usergroup": "S0OWNERS"}


@pytest.mark.parametrize(
    "method", [*(m.name for m in METHODS.values() if m.scopes), "conversations.info", "conversations.replies"]
)
async def test_a_missing_scope_is_named(method: str) -> None:
    async with Simulator(workspace(scopes=["commands"])) as sim:
        client = AsyncWebClient(BOT_TOKEN, base_url=sim.api_url)
        with pytest.raises(SlackApiError) as refused:
            await client.api_call(method, json=_call_for_scope(method))
        assert refused.value.response["error"] == "missing_scope"
        assert refused.value.response["needed"]
        assert refused.value.response["provided"] == "commands"


async def test_emails_need_their_scope() -> None:
    scopes = [scope for scope in SCOPES if scope != "users:read.email"]
    async with Simulator(workspace(scopes=scopes)) as sim:
        client = AsyncWebClient(BOT_TOKEN, base_url=sim.api_url)
        assert "email" not in (await client.users_info(user="U0ADA"))["user"]["profile"]
        assert await refusal(client, "users.lookupByEmail", email="ada@acme.example") == "missing_scope"


async def test_threads_count_and_broadcast(sim: Simulator, client: AsyncWebClient) -> None:
    parent = await client.chat_postMessage(channel="C0AUDIT", text="head")
    ts = parent["ts"]
    first = await client.chat_postMessage(channel="C0AUDIT", text="one", thread_ts=ts)
    await client.chat_postMessage(channel="C0AUDIT", text="two", thread_ts=ts, reply_broadcast=True)
    sim.person("ada").say("#prod-access", "three", thread=ts)
    assert first["message"]["parent_user_id"] == "U0BOT"
    again = await refusal(client, "chat.postMessage", channel="C0AUDIT", text="x", thread_ts=first["ts"])
    assert again == "cannot_reply_to_message"
    replies = (await client.conversations_replies(channel="C0AUDIT", ts=ts))["messages"]
    assert [m["text"] for m in replies] == ["head", "one", "two", "three"]
    assert (replies[0]["reply_count"], replies[0]["reply_users"]) == (3, ["U0BOT", "U0ADA"])
    history = (await client.conversations_history(channel="C0AUDIT"))["messages"]
    assert [m["text"] for m in history] == ["two", "head"]
    assert [m["text"] for m in sim.person("ada").messages("#prod-access", thread=ts)] == ["head", "one", "two", "three"]
    await client.chat_delete(channel="C0AUDIT", ts=first["ts"])
    await client.chat_delete(channel="C0AUDIT", ts=ts)
    assert sim.person("ada").messages("#prod-access", thread=ts)[0]["subtype"] == "tombstone"
    link = await client.chat_getPermalink(channel="C0AUDIT", message_ts=history[0]["ts"])
    assert link["permalink"].endswith(f"?thread_ts={ts}&cid=C0AUDIT")


@pytest.mark.parametrize(
    ("given", "has_blocks", "text"),
    [
        ({"text": "new"}, False, "new"),
        ({"text": "new", "blocks": [section("y")]}, True, "new"),
        ({"blocks": []}, False, "old"),
        ({"metadata": {"event_type": "t", "event_payload": {"n": 2}}}, True, "old"),
    ],
)
async def test_update_keeps_and_removes_blocks(
    client: AsyncWebClient, given: dict[str, Any], has_blocks: bool, text: str
) -> None:
    metadata = {"event_type": "t", "event_payload": {"n": 1}}
    posted = await client.chat_postMessage(channel="C0AUDIT", text="old", blocks=card(), metadata=metadata)
    answer = await client.api_call("chat.update", json={"channel": "C0AUDIT", "ts": posted["ts"], **given})
    message = answer["message"]
    assert ("blocks" in message, message["text"]) == (has_blocks, text)
    assert message["metadata"] == given.get("metadata", metadata)
    assert ("edited" in message) is not has_blocks


async def test_metadata_is_read_back_on_request_and_cleared(client: AsyncWebClient) -> None:
    metadata = {"event_type": "t", "event_payload": {"id": "PA-1"}}
    ts = (await client.chat_postMessage(channel="C0AUDIT", text="x", metadata=metadata))["ts"]
    hidden = (await client.conversations_replies(channel="C0AUDIT", ts=ts))["messages"][0]
    shown = (await client.conversations_replies(channel="C0AUDIT", ts=ts, include_all_metadata=True))["messages"][0]
    assert "metadata" not in hidden
    assert shown["metadata"] == metadata
    await client.chat_update(channel="C0AUDIT", ts=ts, text="x", metadata={})
    after = (await client.conversations_replies(channel="C0AUDIT", ts=ts, include_all_metadata=True))["messages"][0]
    assert "metadata" not in after


async def test_only_own_messages_are_changed(sim: Simulator, client: AsyncWebClient) -> None:
    ts = sim.person("ada").say("#prod-access", "mine & <yours>")["ts"]
    assert await refusal(client, "chat.update", channel="C0AUDIT", ts=ts, text="x") == "cant_update_message"
    assert await refusal(client, "chat.delete", channel="C0AUDIT", ts=ts) == "cant_delete_message"
    own = (await client.chat_postMessage(channel="C0AUDIT", text="x"))["ts"]
    assert await refusal(client, "chat.update", channel="C0AUDIT", ts=own, text="x" * 4000) == "ok"
    assert await refusal(client, "chat.update", channel="C0AUDIT", ts=own, text="x" * 4001) == "msg_too_long"
    assert await refusal(client, "chat.update", channel="C0AUDIT", ts=own) == "no_text"
    sim.world.channel_archive("#prod-access")
    assert await refusal(client, "chat.update", channel="C0AUDIT", ts=own, text="x") == "is_inactive"


async def test_people_who_cannot_be_written_to(sim: Simulator, client: AsyncWebClient) -> None:
    await client.conversations_open(users="U0ADA")
    sim.world.deactivate("ada")
    assert await refusal(client, "conversations.open", users="U0ADA") == "user_disabled"
    assert await refusal(client, "chat.postMessage", channel="U0ADA", text="x") == "user_disabled"
    dm = sim.world.dm("U0ADA", "U0BOT").id
    assert await refusal(client, "chat.postMessage", channel=dm, text="x") == "user_disabled"


async def test_pages_follow_their_cursor(client: AsyncWebClient) -> None:
    seen: list[str] = []
    async for page in await client.conversations_members(channel="C0AUDIT", limit=3):
        seen += page["members"]
    assert seen == ["U0BOT", "U0ADA", "U0GRACE", "U0LINUS"]


async def test_flags_of_people(sim: Simulator, client: AsyncWebClient) -> None:
    async def user(name: str) -> Any:
        return (await client.users_info(user=name))["user"]

    sim.world.set_flags("linus", is_ultra_restricted=True, is_restricted=True)
    assert (await user("U0LINUS"))["is_ultra_restricted"] is True
    assert ((await user("U0OSCAR"))["team_id"], (await user("U0OSCAR"))["is_stranger"]) == ("T0OTHER", False)
    assert (await user("U0FAR"))["is_stranger"] is True
    assert (await user("U0BOT"))["is_bot"] is True


async def test_timestamps_rise_and_ids_repeat_with_the_seed(client: AsyncWebClient) -> None:
    stamps = [(await client.chat_postMessage(channel="C0AUDIT", text=str(n)))["ts"] for n in range(20)]
    assert sorted(set(stamps)) == stamps
    first, second = (Workspace.from_seed(SEED, manifest()) for _ in range(2))
    assert first.triggers.issue("U0ADA") == second.triggers.issue("U0ADA")


async def test_budgets_when_switched_on(sim: Simulator, client: AsyncWebClient) -> None:
    sim.world.rates.on = True
    await client.chat_postMessage(channel="C0AUDIT", text="one")
    with pytest.raises(SlackApiError) as limited:
        await client.chat_postMessage(channel="C0AUDIT", text="two")
    assert limited.value.response.status_code == 429
    assert limited.value.response.headers["Retry-After"] == "1"
    await client.chat_postMessage(channel="U0ADA", text="elsewhere")
    for _ in range(20):
        await client.usergroups_list()
    assert await refusal(client, "usergroups.list") == "ratelimited"
    sim.world.clock.advance(61)
    assert await refusal(client, "usergroups.list") == "ok"


async def test_a_click_that_names_no_element_says_what_there_is(sim: Simulator, client: AsyncWebClient) -> None:
    blocks = [{"type": "actions", "elements": [button("one")]}]
    ts = (await client.chat_postMessage(channel="C0AUDIT", text="x", blocks=blocks))["ts"]
    with pytest.raises(LookupError, match="one"):
        await sim.person("ada").click("#prod-access", ts, "two")
