"""A small workspace and a small bot on real Bolt, shared by the tests of the local Slack workspace."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from slack_simulator import Simulator, Workspace

AUDIT = "#prod-access"
BOT_TOKEN, APP_TOKEN, SECRET = "xoxb-local-test", "xapp-local-test", "local-test-signing"

SEED: dict[str, Any] = {
    "seed": 3,
    "team": {"id": "T0ACME", "name": "Acme", "domain": "acme"},
    "other_teams": [{"id": "T0OTHER", "name": "Wayfarer", "domain": "wayfarer"}],
    "app": {
        "id": "A0BOT",
        "name": "gatekeeper",
        "bot_id": "B0BOT",
        "bot_user_id": "U0BOT",
        "bot_token": BOT_TOKEN,
        "app_token": APP_TOKEN,
        "signing_secret": SECRET,
    },
    "users": [
        {"id": "U0ADA", "name": "ada", "real_name": "Ada Lovelace", "email": "ada@acme.example"},
        {"id": "U0GRACE", "name": "grace", "email": "grace@acme.example"},
        {"id": "U0LINUS", "name": "linus", "email": "linus@acme.example"},
        {"id": "U0GUS", "name": "gus", "email": "gus@acme.example", "is_restricted": True},
        {"id": "U0OSCAR", "name": "oscar", "email": "oscar@wayfarer.example", "team_id": "T0OTHER"},
        {"id": "U0FAR", "name": "far", "email": "far@wayfarer.example", "team_id": "T0OTHER"},
    ],
    "groups": [{"id": "S0OWNERS", "handle": "owners", "name": "Owners", "users": ["ada", "grace"]}],
    "channels": [
        {"id": "C0AUDIT", "name": "prod-access", "members": ["app", "ada", "grace", "linus"]},
        {"id": "C0GENERAL", "name": "general", "members": ["ada", "gus"]},
        {"id": "G0SECRET", "name": "secret", "kind": "private", "members": ["app", "ada"]},
        {"id": "G0HIDDEN", "name": "hidden", "kind": "private", "members": ["ada"]},
        {"id": "C0SHARED", "name": "shared", "members": ["app", "ada", "oscar"], "is_ext_shared": True},
        {"id": "C0OLD", "name": "old", "members": ["app", "ada"], "is_archived": True},
    ],
}

EVENTS = [
    *("app_home_opened", "app_uninstalled", "tokens_revoked", "channel_archive", "group_archive", "user_change"),
    *("channel_id_changed", "member_joined_channel", "member_left_channel", "subteam_members_changed"),
]
SCOPES = [
    *("commands", "chat:write", "im:write", "im:read", "channels:read", "groups:read", "users:read", "team:read"),
    *("users:read.email", "usergroups:read", "channels:history", "groups:history", "channels:join"),
    "channels:manage",
]


def manifest(
    scopes: list[str] = SCOPES, events: list[str] = EVENTS, *, interactive: bool = True, home: bool = True
) -> dict[str, Any]:
    """A manifest with one command, `/ask`."""
    return {
        "display_information": {"name": "gatekeeper"},
        "features": {
            "app_home": {"home_tab_enabled": home, "messages_tab_enabled": True},
            "slash_commands": [{"command": "/ask", "description": "Ask for access", "should_escape": True}],
        },
        "oauth_config": {"scopes": {"bot": scopes}},
        "settings": {
            "event_subscriptions": {"bot_events": events},
            "interactivity": {"is_enabled": interactive},
        },
    }


def workspace(**changes: Any) -> Workspace:
    return Workspace.from_seed(SEED, manifest(**changes))


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def section(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def button(action_id: str, value: str | None = None) -> dict[str, Any]:
    made = {"type": "button", "action_id": action_id, "text": plain(action_id)}
    return made if value is None else {**made, "value": value}


def card() -> list[dict[str, Any]]:
    return [
        section("*PA-1*"),
        {"type": "actions", "block_id": "decide", "elements": [button("approve", "PA-1"), button("deny", "PA-1")]},
    ]


def modal(*blocks: dict[str, Any], **more: Any) -> dict[str, Any]:
    ticket = {
        "type": "input",
        "block_id": "ticket",
        "label": plain("Ticket"),
        "element": {"type": "plain_text_input", "action_id": "v", "max_length": 20},
    }
    return {
        "type": "modal",
        "callback_id": "ask",
        "title": plain("Ask"),
        "submit": plain("Ask"),
        "blocks": list(blocks) or [ticket],
        **more,
    }


class Gatekeeper:
    """A bot whose handlers a test replaces: `bot.on["ask"] = handler`. Everything it got is in `bot.got`."""

    def __init__(self, api_url: str, **retries: Any) -> None:
        self.client = AsyncWebClient(BOT_TOKEN, base_url=api_url, timeout=5, **retries)
        self.app = AsyncApp(client=self.client, signing_secret=SECRET)
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.on: dict[str, Callable[..., Awaitable[Any]]] = {}
        self._register()

    def _register(self) -> None:
        app = self.app
        for name, decorate in {
            "ask": app.command("/ask"),
            "submit": app.view("ask"),
            "close": app.view_closed("ask"),
            "click": app.action(re.compile(".*")),
            "options": app.options("who"),
        }.items():
            decorate(self._handler(name))
        for event in ("app_home_opened", "user_change", "subteam_members_changed", "channel_id_changed"):
            app.event(event)(self._handler(event))

    def _handler(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def handle(ack: Any, body: dict[str, Any], client: AsyncWebClient) -> None:
            self.got.append((name, body))
            act = self.on.get(name)
            await (act(ack, body, client) if act else ack())

        return handle

    def bodies(self, name: str) -> list[dict[str, Any]]:
        return [body for kind, body in self.got if kind == name]


@asynccontextmanager
async def connected(sim: Simulator, **retries: Any) -> AsyncIterator[Gatekeeper]:
    """The bot on a Socket Mode connection, ping every 0.3 s."""
    bot = Gatekeeper(sim.api_url, **retries)
    handler = AsyncSocketModeHandler(bot.app, APP_TOKEN, ping_interval=0.3)
    await handler.connect_async()
    try:
        yield bot
    finally:
        await handler.close_async()


async def until(sim: Simulator, look: Callable[[], Any], seconds: float = 5.0) -> Any:
    """What `look` finds once it finds something true; looked at after every change of the workspace."""
    return await sim.world.bell.until(lambda: look() or None, seconds)


async def soon(look: Callable[[], Any], seconds: float = 5.0) -> Any:
    """Like `until` for things the workspace is not told about."""
    async with asyncio.timeout(seconds):
        while not (found := look()):  # noqa: ASYNC110 - nothing rings for these
            await asyncio.sleep(0.01)
    return found
