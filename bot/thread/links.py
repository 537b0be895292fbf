"""The way to a request's thread, for private answers: without it they are told all the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from slack_sdk.web.async_client import AsyncWebClient

from access.errors import AccessError
from access.ports import Notebook
from bot.slack.outbox import Place
from bot.slack.people import SILENT
from bot.thread.orders import card_key


@dataclass(frozen=True)
class Links:
    """Asked of Slack each time; empty where the card is not known to stand, or Slack does not say."""

    client: AsyncWebClient
    notebook: Notebook

    async def to(self, ref: str) -> str:
        try:
            place = Place.of(await self.notebook.note(card_key(ref)))
            if place is None:
                return ""
            return str((await self.client.chat_getPermalink(channel=place.channel, message_ts=place.ts))["permalink"])
        except (*SILENT, AccessError):
            return ""

    async def to_all(self, refs: Iterable[str]) -> Mapping[str, str]:
        """By ref."""
        wanted = list(dict.fromkeys(ref for ref in refs if ref))
        return dict(zip(wanted, await asyncio.gather(*map(self.to, wanted)), strict=True))
