"""Block Kit, as small functions: a value in, a block out, inside Slack's limits.

`mrkdwn` takes only our own sentences; whatever a person or a provider wrote goes through `plain`, `said` or `facts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from access.events import Erased
from bot.look.words import LONGEST, visible

Block = dict[str, Any]
_EMPTY = "–"


@dataclass(frozen=True, slots=True)
class Message:
    """What is posted: `text` is for notifications and for readers without blocks, escaped like `mrkdwn`.

    `receipt` is the one that its blocks show, if they show one (`bot.thread.proof`).
    """

    text: str
    blocks: tuple[Block, ...]
    receipt: str = ""


@dataclass(frozen=True, slots=True)
class Button:
    """`value` names what it is about, never what to do."""

    label: str
    action: str
    value: str
    style: str = ""
    confirm: str = ""  # a question asked before it acts
    refrain: str = "Keep it"  # the other answer to it
    url: str = ""

    def element(self) -> Block:
        element: Block = {"type": "button", "action_id": self.action, "text": plain(self.label, 75)}
        element |= {"value": self.value} if self.value else {}
        element |= {"style": self.style} if self.style else {}
        element |= {"url": self.url} if self.url else {}
        if self.confirm:
            element["confirm"] = {
                "title": plain(self.label, 100),
                "text": plain(self.confirm, 300),
                "confirm": plain(self.label.rstrip("…"), 30),
                "deny": plain(self.refrain, 30),
            }
        return element


def plain(text: str, most: int = LONGEST) -> Block:
    """A plain_text object; `emoji` is off so that `:white_check_mark:` stays what was typed."""
    return {"type": "plain_text", "text": visible(text, most) or _EMPTY, "emoji": False}


def mrkdwn(text: str) -> Block:
    """Our own words, with what is foreign in them already escaped."""
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def header(text: str) -> Block:
    return {"type": "header", "text": plain(text, 150)}


def section(text: str, button: Button | None = None) -> Block:
    """A sentence of ours, with at most one button beside it."""
    block: Block = {"type": "section", "text": mrkdwn(text)}
    return block | {"accessory": button.element()} if button else block


def note(text: str) -> Block:
    """Small print of ours."""
    return {"type": "context", "elements": [mrkdwn(text)]}


def small(*texts: str) -> Block:
    """Small print that somebody else wrote."""
    return {"type": "context", "elements": [plain(text) for text in texts[:10]]}


def actions(*buttons: Button) -> Block:
    return {"type": "actions", "elements": [button.element() for button in buttons]}


def said(text: str, by: str = "") -> Block:
    """Somebody's words as a quotation, labelled so that they cannot pass for ours; what was erased is in italics."""
    label = [_rich_section(_text(f"{visible(by, 80)} wrote:"))] if by else []
    words = _text(text, "italic") if isinstance(text, Erased) else _text(visible(text) or _EMPTY)
    return {"type": "rich_text", "elements": [*label, _rich("quote", words)]}


def code(text: str) -> Block:
    """Something as it is, line by line; what cannot be seen in it must have been made visible."""
    return {"type": "rich_text", "elements": [_rich("preformatted", _text(text or _EMPTY))]}


def facts(rows: Sequence[tuple[str, str | Block | tuple[Block, ...]]]) -> Block:
    """Name and value, one pair a line; a value is a text or rich text elements."""
    elements: list[Block] = []
    for name, value in rows:
        elements.append(_text(f"{name}  ", "bold"))
        elements += value if isinstance(value, tuple) else (_element(value),)
        elements.append(_text("\n"))
    return {"type": "rich_text", "elements": [_rich_section(*elements[:-1])]}


def _element(value: str | Block) -> Block:
    return _text(visible(value) or _EMPTY) if isinstance(value, str) else value


def lines(rows: Sequence[Sequence[Block]]) -> Block:
    """Short lines one under the other, each of elements made by `word`, `link` and `moment`."""
    return {"type": "rich_text", "elements": [_rich_section(*_spaced(row)) for row in rows]}


def _spaced(row: Sequence[Block]) -> list[Block]:
    return [part for element in row for part in (element, _text("  "))][:-1]


def word(text: str, style: str = "", most: int = LONGEST) -> Block:
    """Anybody's words within a line; `style` is `bold`, `italic` or `code`."""
    return _text(visible(text, most) or _EMPTY, style)


def link(text: str, url: str) -> Block:
    """Our own link within a line, or only its text where there is no url."""
    return {"type": "link", "url": url, "text": visible(text)} if url else _text(visible(text))


def moment(when: datetime, form: str = "{date_short_pretty} {time_secs}") -> Block:
    """A time within a line, in its reader's own zone."""
    utc = when.astimezone(UTC)
    return {
        "type": "date",
        "timestamp": int(utc.timestamp()),
        "format": form,
        "fallback": f"{utc:%Y-%m-%d %H:%M:%S} UTC",
    }


def person(account: str) -> Block:
    """A mention, as an element of `facts`."""
    return {"type": "user", "user_id": account}


def _rich_section(*elements: Block) -> Block:
    return _rich("section", *elements)


def _rich(kind: str, *elements: Block) -> Block:
    return {"type": f"rich_text_{kind}", "elements": list(elements)}


def _text(text: str, style: str = "") -> Block:
    return {"type": "text", "text": text} | ({"style": {style: True}} if style else {})
