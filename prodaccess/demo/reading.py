"""What a message of the local Slack says."""

from __future__ import annotations

import re
from typing import Any


def everything(message: dict[str, Any]) -> str:
    """All text of a message, however it is laid out."""
    return str(message.get("text", "")) + str(message.get("blocks", ""))


def text_of(message: dict[str, Any]) -> str:
    """The message in one line, its times in UTC."""
    return re.sub(r"<!date\^[^|]*\|([^>]*)>", r"\1", str(message.get("text", "")))


def plain_texts(part: Any) -> list[str]:
    """Every piece of text in some blocks, in order, its times in UTC."""
    if isinstance(part, list):
        return [text for item in part for text in plain_texts(item)]
    if not isinstance(part, dict):
        return []
    if isinstance(part.get("text"), str):
        return [text_of(part)]
    return [text for value in part.values() for text in plain_texts(value)]


def button(message: dict[str, Any], action_id: str) -> bool:
    """Whether it has this button."""
    return any(e.get("action_id") == action_id for b in message.get("blocks", ()) for e in b.get("elements", ()))


def code_in(message: dict[str, Any]) -> str | None:
    """The sign-in code that it shows."""
    found = re.search(r"\b[A-Z2-7]{4}-[A-Z2-7]{4}\b", everything(message))
    return found.group() if found else None
