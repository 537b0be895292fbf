"""The forms of break-glass and of reviews. Block ids are field names, so that a refusal finds its field."""

from __future__ import annotations

import json
from collections.abc import Sequence

from access.duration import in_words, short
from access.model import Review
from access.policy import BreakGlass, Rule
from bot.look.blocks import Block, plain, section
from bot.look.forms import Draft
from bot.look.names import FLAG_FORM, GLASS_FORM, REVIEW_FORM
from bot.look.words import LONGEST, escaped, listed, named, storable

_MOST_NAMED = 20


def glass_form(rule: Rule, glass: BreakGlass, draft: Draft, told: Sequence[str], back: str) -> Block:
    """Says what will happen before it does; `told` are names, as the policy has them."""
    most = in_words(glass.maximum)
    whom = _names(told) or "nobody: the policy names nobody else"
    text = "\n".join([
        f"*{escaped(rule.what, 200)}*, at once and *without approval*. This is what happens:",
        f"• Told right away, in the channel and each by a message: {whom}.",
        "• Somebody else than you has to review it afterwards.",
        "• Before that you cannot ask for anything, nor break the glass again.",
        f"• It ends by itself, after {most} at the latest.",
    ])  # fmt: skip
    wanted = glass.maximum if draft.duration is None or draft.duration > glass.maximum else draft.duration
    fields = [
        _line("duration", "For how long", (short(wanted), 40), f"At most {most}", optional=False),
        _text("reason", "Why", draft.reason, "Everybody who is told reads this.", optional=not glass.reason_required),
        _line("ticket", "Ticket", (draft.ticket, 100), "If there is one", optional=True),
    ]
    view = _form(
        GLASS_FORM,
        "Break the glass",
        [section(text), *fields],
        (back, json.dumps([rule.target, rule.role], ensure_ascii=False)),
    )
    return view | {"submit": plain("Break the glass", 24)}


def review_form(review: Review, pressed: str, back: str) -> Block:
    """That somebody has looked at it."""
    hint = "It stands in the thread. Leave it empty where there is nothing to say."
    question = _text("reason", "Note", "", hint, optional=True) | {"block_id": "note"}
    text = f"{_what(review)}: you have looked at what was done, and it is in order or has been put in order."
    return _form(REVIEW_FORM, "Review", [section(text), question], (back, pressed)) | {
        "submit": plain("Close the review", 24)
    }


def flag_form(review: Review, pressed: str, back: str) -> Block:
    """That something has to be looked into."""
    hint = "Admins and auditors are told. It stands in the thread, and the review stays open."
    question = _text("reason", "What did you see?", "", hint, optional=False) | {"block_id": "note"}
    return _form(FLAG_FORM, "Flag", [section(_what(review)), question], (back, pressed)) | {"submit": plain("Flag", 24)}


def _what(review: Review) -> str:
    what = f"{review.ref} · *{escaped(f'{review.target} · {review.role}', 200)}*"
    return f"{what} by {escaped(review.requester.name, 80)}"


def _names(names: Sequence[str]) -> str:
    shown = [named(name) for name in names[:_MOST_NAMED]]
    more = [f"{len(names) - _MOST_NAMED} more"] if len(names) > _MOST_NAMED else []
    return listed([*shown, *more], "and")


def _line(name: str, label: str, typed: tuple[str, int], hint: str, *, optional: bool) -> Block:
    """`typed`: what stands in it already, and the most characters that it takes."""
    text, most = typed
    element: Block = {"type": "plain_text_input", "action_id": name, "max_length": most}
    return _input(name, label, element | ({"initial_value": storable(text[:most])} if text else {}), hint) | {
        "optional": optional
    }


def _text(name: str, label: str, typed: str, hint: str, *, optional: bool) -> Block:
    element: Block = {"type": "plain_text_input", "action_id": name, "max_length": LONGEST, "multiline": True}
    element |= {"initial_value": storable(typed[:LONGEST])} if typed else {}
    return _input(name, label, element, hint) | {"optional": optional}


def _input(name: str, label: str, element: Block, hint: str) -> Block:
    return {"type": "input", "block_id": name, "label": plain(label), "element": element, "hint": plain(hint)}


def _form(name: str, title: str, blocks: list[Block], note: tuple[str, str]) -> Block:
    return {
        "type": "modal", "callback_id": name, "title": plain(title, 24), "close": plain("Cancel", 24),
        "blocks": blocks, "private_metadata": json.dumps(note),
    }  # fmt: skip
