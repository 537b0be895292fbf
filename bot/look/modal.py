"""The forms: values in, views out. Block ids are field names, so that a refusal finds its field.

Slack keeps what was typed where block and action id stay the same. A choice that must start anew when another one
changes (the roles of a target, the durations of a role) carries that other choice in its block id.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from access.broker import explain_offer
from access.duration import in_words, short
from access.policy import Rule
from bot.look.blocks import Block, Button, actions, plain, section, small
from bot.look.forms import Draft
from bot.look.names import ASK_FORM, DENY_FORM, ROLE, TARGET, WHO_WILL
from bot.look.words import LONGEST

_MOST = 100  # options in a select, and groups of options


@dataclass(frozen=True, slots=True)
class Problem:
    """A refusal, and the field it stands under."""

    field: str
    why: str


@dataclass(frozen=True, slots=True)
class Offers:
    """What one person may ask for, and the names of those who would decide each."""

    rules: tuple[Rule, ...]
    deciders: Callable[[Rule], tuple[str, ...]]

    def roles(self, target: str) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if rule.target == target)

    def chosen(self, draft: Draft) -> Rule | None:
        """The rule that the draft means: its role, or the target's first."""
        roles = self.roles(draft.target)
        return next((rule for rule in roles if rule.role == draft.role), roles[0] if roles else None)

    def targets(self) -> tuple[Rule, ...]:
        """One rule per target, in the policy's order."""
        return tuple({rule.target: rule for rule in reversed(self.rules)}[name] for name in self._names())

    def _names(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(rule.target for rule in self.rules))


def ask_form(offers: Offers, draft: Draft, back: str, problem: Problem | None = None) -> Block:
    """The request form; `back` is where to answer once it is submitted."""
    rule = offers.chosen(draft)
    blocks = [_target(offers, draft)]
    if rule is not None:
        blocks += [_role(offers, rule), _duration(rule, draft), _ticket(rule, draft), _reason(rule, draft)]
        blocks.append(actions(Button("What it takes, and who is asked", WHO_WILL, "")) | {"block_id": "what it takes"})
    elif draft.reason or draft.ticket:  # kept until a target is chosen
        blocks += [_ticket(None, draft), _reason(None, draft)]
    if problem is not None:
        place = next((i for i, b in enumerate(blocks) if b["block_id"].partition(":")[0] == problem.field), 0)
        blocks.insert(place + 1, small(f"⚠ {problem.why}"))
    return _modal(ASK_FORM, "Production access", blocks, back) | ({"submit": plain("Ask", 24)} if blocks else {})


def _target(offers: Offers, draft: Draft) -> Block:
    options = [_option(rule.target, rule.target, rule.title) for rule in offers.targets()]
    return _choice("target", "What", TARGET, options, draft.target) | {"dispatch_action": True}


def _role(offers: Offers, rule: Rule) -> Block:
    options = [_option(r.role, r.role, explain_offer(r, offers.deciders(r))) for r in offers.roles(rule.target)]
    block = _choice(f"role:{rule.target}", "Role", ROLE, options[:_MOST], rule.role)
    return block | {"dispatch_action": True, "hint": plain(explain_offer(rule, offers.deciders(rule)))}


def _duration(rule: Rule, draft: Draft) -> Block:
    lengths = rule.durations()
    wanted = draft.duration if draft.duration is not None and draft.duration <= rule.maximum else None
    chosen = rule.default if wanted is None else wanted
    lengths = tuple(sorted({*lengths, chosen}))
    options = [_option(in_words(length), short(length)) for length in lengths]
    return _choice(f"duration:{rule.name}"[:255], "How long", "duration", options, short(chosen))


def _ticket(rule: Rule | None, draft: Draft) -> Block:
    element: Block = {"type": "plain_text_input", "action_id": "ticket", "max_length": 300}
    element |= {"placeholder": plain("OPS-123, or a link to it")}
    return _input("ticket", "Ticket", element, draft.ticket[:300], optional=rule is None or not rule.ticket_required)


def _reason(rule: Rule | None, draft: Draft) -> Block:
    element: Block = {"type": "plain_text_input", "action_id": "reason", "max_length": LONGEST, "multiline": True}
    element |= {"placeholder": plain("One sentence that a colleague understands")}
    return _input("reason", "Why", element, draft.reason[:LONGEST], optional=rule is None or not rule.reason_required)


def deny_form(pressed: str, what: str, back: str) -> Block:
    """Asks why; `pressed` is the button's value, `what` the request in our own words, escaped."""
    element: Block = {"type": "plain_text_input", "action_id": "reason", "max_length": LONGEST, "multiline": True}
    question = _input("reason", "Why", element, "", optional=False)
    question["hint"] = plain("The requester reads this; it also stands in the thread.")
    view = _modal(DENY_FORM, "Deny", [section(what), question], back, pressed)
    return view | {"submit": plain("Deny", 24)}


def notice(text: str) -> Block:
    """A modal that only says something."""
    return {
        "type": "modal", "title": plain("Production access", 24), "close": plain("Close", 24), "blocks": [section(text)]
    }  # fmt: skip


def said_in(view: Block) -> str:
    """What a notice says."""
    return str(view["blocks"][0]["text"]["text"])


def form_note(metadata: str) -> tuple[str, str]:
    """What a form carries along: where to answer, and the pressed button's value."""
    try:
        back, pressed = json.loads(metadata)
    except (ValueError, TypeError):
        return "", ""
    return str(back), str(pressed)


def _modal(form: str, title: str, blocks: list[Block], back: str, pressed: str = "") -> Block:
    return {
        "type": "modal", "callback_id": form, "title": plain(title, 24), "close": plain("Cancel", 24),
        "blocks": blocks, "private_metadata": json.dumps([back, pressed]),
    }  # fmt: skip


def _choice(block: str, label: str, action: str, options: Sequence[Block], chosen: str) -> Block:
    element: Block = {"type": "static_select", "action_id": action}
    if len(options) <= _MOST:
        element["options"] = list(options)
    else:
        element["option_groups"] = _groups(options)
    picked = next((option for option in options if option["value"] == chosen), None)
    element |= {"initial_option": picked} if picked else {}
    return {"type": "input", "block_id": block, "label": plain(label), "element": element}


def _groups(options: Sequence[Block]) -> list[Block]:
    """More than a select holds: groups of a hundred, named by their first and last."""
    parts = [list(options[i : i + _MOST]) for i in range(0, min(len(options), _MOST * _MOST), _MOST)]
    return [
        {"label": plain(f"{part[0]['value'][:30]} … {part[-1]['value'][:30]}", 75), "options": part} for part in parts
    ]


def _option(text: str, value: str, about: str = "") -> Block:
    option: Block = {"text": plain(text, 75), "value": value[:150]}
    return option | ({"description": plain(about, 75)} if about and about != text else {})


def _input(block: str, label: str, element: Block, typed: str, *, optional: bool) -> Block:
    element |= {"initial_value": typed} if typed else {}
    return {"type": "input", "block_id": block, "label": plain(label), "element": element, "optional": optional}
