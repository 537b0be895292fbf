"""Starting and stopping the bot: says what is wrong before it serves anybody, and leaves nothing half done."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler

from access.errors import AccessError
from bot.app import Bot, create_bot
from bot.client import proxy_for
from bot.people import SILENT, code
from bot.settings import BotParts, NotReady, revealed

log = logging.getLogger(__name__)

PING = 3  # seconds: a dead socket is noticed within about as many
_SOCKETS = "https://wss-primary.slack.com"
_PAGE = 200


class BotRunner:
    """`start` fails fast and in words; `stop` first closes the door, then the thread."""

    def __init__(self, parts: BotParts) -> None:
        self._parts = parts
        self.bot: Bot = create_bot(parts)
        self._socket: AsyncSocketModeHandler | None = None
        self._reading: asyncio.Task[Any] | None = None

    async def start(self) -> None:
        """Raises NotReady."""
        try:
            await self._check_identity()
            self.bot.thread.channel = await self._audit_channel()
            await self._connect()
        except (*SILENT, AccessError) as error:
            await self.stop()
            raise NotReady(f"Slack does not let us start: {code(error) or error or type(error).__name__}.") from error
        except NotReady:
            await self.stop()
            raise
        self._reading = self._parts.tasks.start(self.bot.thread.run(), name="slack thread")

    async def stop(self) -> None:
        """Harmless when it is not running."""
        if self._socket is not None:
            await self._socket.client.close()  # type: ignore[no-untyped-call]
            self._socket = None
        if self._reading is not None:
            self._reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reading
            self._reading = None

    def trouble(self) -> str:
        """Empty when well, else a sentence."""
        if self._reading is None or self._reading.done():
            return "The Slack thread is not being written."
        return self.bot.thread.trouble

    async def _check_identity(self) -> None:
        us = await self.bot.identity()
        if not {us.team_id, us.enterprise_id} & self._parts.settings.team_ids:
            raise NotReady(f"The bot token belongs to workspace {us.team_id}, which team_ids does not name.")

    async def _audit_channel(self) -> str:
        """The audit channel's id, once we know that we are in it and that nobody else is."""
        wanted = self._parts.settings.audit_channel
        found = await self._named(wanted.removeprefix("#")) if wanted.startswith("#") else wanted
        facts = await self.bot.directory.channel(found)
        if not facts.get("is_member"):
            raise NotReady(f"The app is not in the audit channel {wanted}. Invite it there: /invite @prodaccess")
        if facts.get("is_ext_shared") or facts.get("is_pending_ext_shared"):
            raise NotReady(f"The audit channel {wanted} is shared with another organisation. Choose one of your own.")
        return found

    async def _named(self, name: str) -> str:
        cursor: str | None = None
        while True:
            answer = await self.bot.client.conversations_list(
                types="public_channel,private_channel", exclude_archived=True, limit=_PAGE, cursor=cursor
            )
            for channel in answer["channels"]:
                if channel["name"] == name:
                    return str(channel["id"])
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                raise NotReady(f"There is no channel #{name} that the app can see. Create it, and invite the app.")

    async def _connect(self) -> None:
        if self._parts.settings.app_token is None:
            return  # signed HTTP: `bolt_asgi` is mounted by whoever serves
        token = revealed(self._parts.settings.app_token)
        self._socket = AsyncSocketModeHandler(self.bot.app, token, web_client=self.bot.client, ping_interval=PING)
        socket = self._socket.client
        socket.proxy = proxy_for(self._parts.settings.base_url or _SOCKETS)
        socket.wss_uri = await socket.issue_new_wss_url()  # a bad token shows here, and not as a loop of retries
        await socket.connect()  # type: ignore[no-untyped-call]
