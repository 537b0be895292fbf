"""Posting to Slack so that a message stands once, whatever breaks in between.

Slack has no idempotency key: a call whose answer never came may have been carried out. So each message carries a
mark in its metadata, and whoever is in doubt looks for the mark before posting again.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from copy import copy
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.look.blocks import Message
from bot.slack.identity import Identity
from bot.slack.people import code

log = logging.getLogger(__name__)

EVENT_TYPE = "prodaccess_entry"
PAYLOAD_RECEIPT = "receipt"
_PAGE = 200
_PAGES = 5  # pages of history looked through for a mark: far more than is posted between a crash and its restart
_LONGEST = 3000  # characters of `text`


class Outcome(Enum):
    """What a failed call means."""

    #: it may have been carried out
    UNKNOWN = "unknown"
    #: not carried out; the same call can succeed later
    NOT_NOW = "not now"
    #: not carried out: Slack does not take these blocks
    CONTENT = "content"
    #: not carried out: the message or thread it belongs to is gone
    GONE = "gone"
    #: not carried out, and never will be for this person
    NEVER = "never"


_CODES: dict[Outcome, frozenset[str]] = {
    Outcome.UNKNOWN: frozenset({"fatal_error", "internal_error", "request_timeout", "service_unavailable"}),
    Outcome.CONTENT: frozenset({
        "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "metadata_too_large",
        "invalid_metadata_format", "invalid_metadata_schema", "no_text", "invalid_arguments",
    }),
    Outcome.GONE: frozenset({
        "message_not_found", "thread_not_found", "cant_update_message", "edit_window_closed", "cannot_reply_to_message",
    }),
    Outcome.NEVER: frozenset({
        "user_disabled", "user_not_found", "user_not_visible", "cannot_dm_bot", "messages_tab_disabled",
        "restricted_action", "access_denied", "user_is_restricted",
    }),
}  # fmt: skip


def outcome(error: BaseException) -> Outcome:
    """What is known after this error; anything that is not a clear no is unknown."""
    if not isinstance(error, SlackApiError):
        return Outcome.UNKNOWN
    status, said = getattr(error.response, "status_code", 200), code(error)
    if status >= 500 or not said:
        return Outcome.NOT_NOW if status == 429 else Outcome.UNKNOWN
    return next((kind for kind, codes in _CODES.items() if said in codes), Outcome.NOT_NOW)


def is_unreachable(error: BaseException) -> bool:
    """Whether a direct message cannot be written at all: an account that Slack does not know is a channel unknown."""
    return outcome(error) is Outcome.NEVER or code(error) == "channel_not_found"


def retry_after(error: BaseException) -> float:
    """Seconds that Slack wants us to wait; 0 when it did not say."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    value = next((v for k, v in headers.items() if k.lower() == "retry-after"), "0")
    text = str(value[0] if isinstance(value, list) else value)
    return float(text) if text.isdigit() else 0.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message stands. `ts` is an opaque id within its channel.

    The receipt is the one on the message, and not noted with its place: whoever can write the notes could else
    have it painted over.
    """

    channel: str
    ts: str
    receipt: str = ""

    @classmethod
    def of(cls, noted: Mapping[str, Any] | None) -> Place | None:
        return cls(noted["channel"], noted["ts"]) if noted else None

    def noted(self) -> dict[str, str]:
        return {"channel": self.channel, "ts": self.ts}


@dataclass(frozen=True, slots=True)
class Mark:
    """Tells our message apart from every other: the audit entry it speaks of, and which of its messages it is."""

    seq: int
    kind: str

    def metadata(self, receipt: str = "") -> dict[str, Any]:
        payload = {"seq": self.seq, "kind": self.kind} | ({PAYLOAD_RECEIPT: receipt} if receipt else {})
        return {"event_type": EVENT_TYPE, "event_payload": payload}

    def is_on(self, message: Mapping[str, Any]) -> bool:
        payload = payload_of(message)
        return (payload.get("seq"), payload.get("kind")) == (self.seq, self.kind)


def payload_of(message: Mapping[str, Any]) -> Mapping[str, Any]:
    """What our metadata on a message says; empty where it has none of ours."""
    metadata = message.get("metadata") or {}
    return (metadata.get("event_payload") or {}) if metadata.get("event_type") == EVENT_TYPE else {}


@dataclass(frozen=True)
class Outbox:
    """Post, read, update, find. Errors come out as they are; `outcome` reads them."""

    client: AsyncWebClient
    identity: Identity

    def hasty(self) -> Outbox:
        """The same, which does not sit out Slack's limits: a call over them fails at once."""
        client = copy(self.client)  # with the same connections
        client.retry_handlers = []
        return replace(self, client=client)

    async def post(self, channel: str, message: Message, mark: Mark, thread: str | None = None) -> Place:
        """Where the message stands now. When Slack does not take the blocks, the text alone is posted."""
        call: dict[str, Any] = {
            "channel": channel, "text": message.text[:_LONGEST], "thread_ts": thread,
            "metadata": mark.metadata(message.receipt), "unfurl_links": False, "unfurl_media": False,
        }  # fmt: skip
        try:
            answer = await self.client.chat_postMessage(**call, blocks=list(message.blocks))
        except SlackApiError as error:
            if outcome(error) is not Outcome.CONTENT:
                raise
            log.warning("Slack refused our blocks", extra={"action": "post", "mark": mark.kind, "code": code(error)})
            answer = await self.client.chat_postMessage(**call)
        return Place(answer["channel"], answer["ts"], message.receipt)

    async def read(self, place: Place, mark: Mark) -> Mapping[str, Any] | None:
        """The message at this place as Slack has it; None where another one stands there, or none."""
        answer = await self.client.conversations_replies(  # of a message's own `ts`, whether it heads a thread or not
            channel=place.channel, ts=place.ts, oldest=place.ts, latest=place.ts, inclusive=True, limit=2,
            include_all_metadata=True,
        )  # fmt: skip
        return next((m for m in answer["messages"] if m["ts"] == place.ts and mark.is_on(m)), None)

    async def update(self, place: Place, message: Message, mark: Mark) -> None:
        await self.client.chat_update(
            channel=place.channel, ts=place.ts, text=message.text[:_LONGEST], blocks=list(message.blocks),
            metadata=mark.metadata(message.receipt),
        )  # fmt: skip

    async def find(self, channel: str, mark: Mark, thread: str | None = None) -> Place | None:
        """Our message with this mark, if it stands. `channel` may be a person's account: their direct messages."""
        us = (await self.identity()).bot_id
        if channel.startswith(("U", "W")):
            channel = (await self.client.conversations_open(users=channel))["channel"]["id"]
        async for message in self._messages(channel, thread):
            if message.get("bot_id") == us and mark.is_on(message):  # any app in the channel can write our marks
                return Place(channel, message["ts"], str(payload_of(message).get(PAYLOAD_RECEIPT) or ""))
        return None

    async def link(self, place: Place) -> str:
        answer = await self.client.chat_getPermalink(channel=place.channel, message_ts=place.ts)
        return str(answer["permalink"])

    async def _messages(self, channel: str, thread: str | None) -> AsyncIterator[Mapping[str, Any]]:
        cursor: str | None = None
        for _ in range(_PAGES):
            page: dict[str, Any] = {
                "channel": channel, "limit": _PAGE, "cursor": cursor, "include_all_metadata": True
            }  # fmt: skip
            answer = await (
                self.client.conversations_replies(**page, ts=thread)
                if thread
                else self.client.conversations_history(**page)
            )
            for message in answer["messages"]:
                yield message
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return
