"""Receipts on messages: Slack keeps what the log's head was, and so notices with us when the log is rewritten."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from bot.look.blocks import Message, note
from bot.look.words import escaped
from bot.slack.outbox import PAYLOAD_RECEIPT, payload_of

FOLLOWS = "Receipt follows."
_LONGEST = 400  # characters: an origin and two hashes
_LINE = re.compile(r"Receipt `([^`]+)`")


def proven(message: Message, receipt: str) -> Message:
    """With the receipt as its last, quiet line; an empty one is still to come."""
    line = f"Receipt `{escaped(receipt, _LONGEST)}`" if receipt else FOLLOWS
    return replace(message, blocks=(*message.blocks, note(line)), receipt=receipt)


def receipt_on(message: Mapping[str, Any]) -> str:
    """What one of our own messages carries, empty where it carries none.

    Only a line that is nothing but a receipt counts: a message also quotes people, who may write what they like.
    """
    told = str(payload_of(message).get(PAYLOAD_RECEIPT) or "")
    return told or next((match[1] for line in _small_print(message) if (match := _LINE.fullmatch(line))), "")


def _small_print(message: Mapping[str, Any]) -> Iterator[str]:
    """Our own sentences in it: people's words are never `mrkdwn`."""
    for block in message.get("blocks") or ():
        for element in block.get("elements") or () if block.get("type") == "context" else ():
            if element.get("type") == "mrkdwn":
                yield html.unescape(str(element.get("text") or ""))
