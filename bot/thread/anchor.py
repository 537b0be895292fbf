"""Slack as a witness: what our own receipts in the audit channel say the log has been."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from slack_sdk.web.async_client import AsyncWebClient

from access.errors import AccessError, BadInput, Unavailable
from audit.receipt import Receipt
from bot.settings import NotReady
from bot.slack.channel import AuditChannel
from bot.slack.identity import Identity
from bot.slack.people import SILENT, code
from bot.thread.proof import receipt_on

_PAGE = 200


@dataclass(frozen=True)
class SlackAnchor:
    """Reads at most `heads` messages of the channel, and of them the `threads` with the newest replies."""

    client: AsyncWebClient
    identity: Identity
    channel: AuditChannel
    origin: str
    heads: int = 200
    threads: int = 10

    async def newest(self) -> tuple[int, bytes] | None:
        """The largest size that Slack has seen, with its root; None where it has seen none. Raises Unavailable.

        A log that is smaller, or whose root at that size is another, is not the log that Slack has seen.
        """
        try:
            found = [receipt async for receipt in self._receipts()]
        except (*SILENT, AccessError, NotReady) as error:
            raise Unavailable(f"Slack does not show its receipts: {code(error) or error or 'no answer'}.") from error
        largest = max(found, key=lambda receipt: receipt.size, default=None)
        return None if largest is None else (largest.size, largest.root)

    async def _receipts(self) -> AsyncIterator[Receipt]:
        channel, us = await self.channel.id(), (await self.identity()).bot_id
        heads = await self._heads(channel)
        told = [m for m in heads if m.get("latest_reply")]
        for head in sorted(told, key=lambda m: str(m["latest_reply"]), reverse=True)[: self.threads]:
            heads += await self._replies(channel, head["ts"])
        for message in heads:
            if us and message.get("bot_id") == us and (receipt := self._read(message)) is not None:
                yield receipt

    def _read(self, message: Mapping[str, Any]) -> Receipt | None:
        try:
            receipt = Receipt.parse(receipt_on(message))
        except BadInput:
            return None
        return receipt if receipt.origin == self.origin else None

    async def _heads(self, channel: str) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        cursor: str | None = None
        while len(found) < self.heads:
            answer = await self.client.conversations_history(
                channel=channel, limit=min(_PAGE, self.heads - len(found)), cursor=cursor, include_all_metadata=True
            )
            found += answer["messages"]
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                break
        return found

    async def _replies(self, channel: str, ts: str) -> list[Mapping[str, Any]]:
        answer = await self.client.conversations_replies(channel=channel, ts=ts, limit=_PAGE, include_all_metadata=True)
        return list(answer["messages"])
