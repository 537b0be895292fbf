"""Starting and stopping the bot: says what is wrong before it serves anybody, and leaves nothing half done."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_sdk.socket_mode.aiohttp import SocketModeClient

from access.errors import AccessError
from bot.app import Bot, create_bot
from bot.settings import BotParts, NotReady, revealed
from bot.slack.client import close_connections, keep_connections, proxy_for
from bot.slack.people import SILENT, code

log = logging.getLogger(__name__)

PING = 3  # seconds: a dead socket is noticed within about as many
_FIRST_CONNECTION = 20  # seconds
_SOCKETS = "https://wss-primary.slack.com"


class BotRunner:
    """`start` fails fast and in words; `stop` first closes the door, then the thread."""

    def __init__(self, parts: BotParts, ping: float = PING) -> None:
        self._parts = parts
        self._ping = ping
        self.bot: Bot = create_bot(parts)
        self._socket: SocketModeClient | None = None
        self._connected = True
        self._running: list[asyncio.Task[Any]] = []

    async def start(self) -> None:
        """Raises NotReady."""
        keep_connections(self.bot.client)
        try:
            await self._check_identity()
            self.bot.thread.channel = await self.bot.channel.id()
            await self._connect()
        except (*SILENT, AccessError) as error:
            await self.stop()
            raise NotReady(f"Slack does not let us start: {code(error) or error or type(error).__name__}.") from error
        except NotReady:
            await self.stop()
            raise
        self._running.append(self._parts.tasks.start(self.bot.thread.run(), name="slack thread"))
        if self._socket is not None:
            self._running.append(self._parts.tasks.start(self._watch(self._socket), name="slack socket"))

    async def stop(self) -> None:
        """Harmless when it is not running."""
        if self._socket is not None:
            await self._socket.close()  # type: ignore[no-untyped-call]
            self._socket = None
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        self._running.clear()
        await close_connections(self.bot.client)

    def trouble(self) -> str:
        """Empty when well, else a sentence."""
        if not self._running or self._running[0].done():
            return "The Slack thread is not being written."
        if not self._connected:
            return "The connection to Slack is down: nobody can ask or decide."
        return self.bot.thread.trouble or self.bot.thread.channel_trouble

    async def _check_identity(self) -> None:
        us = await self.bot.identity()
        if not {us.team_id, us.enterprise_id} & self._parts.settings.team_ids:
            raise NotReady(f"The bot token belongs to workspace {us.team_id}, which team_ids does not name.")

    async def _connect(self) -> None:
        if self._parts.settings.app_token is None:
            return  # signed HTTP: `bolt_asgi` is mounted by whoever serves
        token = revealed(self._parts.settings.app_token)
        handler = AsyncSocketModeHandler(self.bot.app, token, web_client=self.bot.client, ping_interval=self._ping)
        self._socket = handler.client
        self._socket.proxy = proxy_for(self._parts.settings.base_url or _SOCKETS)
        self._socket.wss_uri = (
            await self._socket.issue_new_wss_url()
        )  # a bad token shows here, not in a loop of retries
        async with asyncio.timeout(_FIRST_CONNECTION):
            await self._socket.connect()  # type: ignore[no-untyped-call]

    async def _watch(self, socket: SocketModeClient) -> None:
        """The SDK retries a failed connection with the same address for ever, but its ticket is good only once."""
        while True:
            await asyncio.sleep(2 * self._ping)
            was, self._connected = self._connected, await socket.is_connected()
            if not was and not self._connected:
                log.warning("the connection to Slack is down", extra={"action": "slack socket"})
                socket.wss_uri = None  # the SDK's next try asks for a new one
