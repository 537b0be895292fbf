"""The small forms that a button of a card opens: approve for less, and say something."""

from __future__ import annotations

import json
from datetime import timedelta

from access.duration import in_words, short
from bot.look.blocks import Block, plain, section
from bot.look.names import COMMENT_FORM, LESS_FORM
from bot.look.words import LONGEST

_USUAL = tuple(timedelta(minutes=m) for m in (5, 10, 15, 30, 45, 60, 120, 240, 480, 720, 1440, 2880, 10080))


def less_than(asked: timedelta) -> tuple[timedelta, ...]:
    """The choices below what was asked for; none where that is short already."""
    return tuple(length for length in _USUAL if length < asked)


def less_form(pressed: str, what: str, asked: timedelta, back: str) -> Block:
    """How long instead; `pressed` is the button's value, `what` the request in our own words, escaped."""
    options = [{"text": plain(in_words(length), 75), "value": short(length)} for length in less_than(asked)]
    element = {"type": "static_select", "action_id": "duration", "options": options, "initial_option": options[-1]}
    question = {"type": "input", "block_id": "duration", "label": plain("For at most"), "element": element}
    question |= {"hint": plain(f"{in_words(asked)} was asked for. Of several approvals the shortest counts.")}
    return _form(LESS_FORM, "Approve for less", [section(what), question], (back, pressed)) | {
        "submit": plain("Approve", 24)
    }


def comment_form(pressed: str, what: str, back: str) -> Block:
    """What to say; everybody who can see the request can read it."""
    element = {"type": "plain_text_input", "action_id": "text", "max_length": LONGEST, "multiline": True}
    question: Block = {"type": "input", "block_id": "text", "label": plain("Comment"), "element": element}
    question |= {"hint": plain("It stands in the thread, and those whom it concerns get it as a message.")}
    return _form(COMMENT_FORM, "Comment", [section(what), question], (back, pressed)) | {"submit": plain("Say it", 24)}


def _form(name: str, title: str, blocks: list[Block], note: tuple[str, str]) -> Block:
    return {
        "type": "modal", "callback_id": name, "title": plain(title, 24), "close": plain("Cancel", 24),
        "blocks": blocks, "private_metadata": json.dumps(note),
    }  # fmt: skip
