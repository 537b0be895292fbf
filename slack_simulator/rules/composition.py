"""Composition objects of Block Kit: texts, options, confirmations, filters."""

from collections.abc import Mapping
from typing import Any

from slack_simulator.rules.schema import (
    Check,
    Report,
    Rule,
    boolean,
    by_type,
    items,
    one_of,
    shape,
    string,
    together,
)


def plain(most: int, least: int = 1) -> Check:
    """A plain_text object."""
    return by_type({"plain_text": shape({"text": string(least, most)}, {"emoji": boolean})})


def text(most: int, least: int = 1) -> Check:
    """A plain_text or mrkdwn object."""
    kinds = {
        "plain_text": shape({"text": string(least, most)}, {"emoji": boolean}),
        "mrkdwn": shape({"text": string(least, most)}, {"verbatim": boolean}),
    }
    return by_type(kinds)


def option(label: Check, *, with_url: bool = False) -> Check:
    extra = {"url": string(0, 3000)} if with_url else {}
    return shape({"text": label, "value": string(0, 150)}, {"description": label, **extra})


PLAIN_OPTION = option(plain(75))
TEXT_OPTION = option(text(75))
OVERFLOW_OPTION = option(plain(75), with_url=True)
OPTION_GROUP = shape({"label": plain(75), "options": items(PLAIN_OPTION, 1, 100)}, {})

CONFIRM = shape(
    {"title": plain(100), "text": text(300), "confirm": plain(30), "deny": plain(30)},
    {"style": one_of("primary", "danger")},
)

CONVERSATION_FILTER = shape(
    {},
    {
        "include": items(one_of("im", "mpim", "private", "public"), 1, 4),
        "exclude_external_shared_channels": boolean,
        "exclude_bot_users": boolean,
    },
    together(1, "include", "exclude_external_shared_channels", "exclude_bot_users"),
)

DISPATCH_ACTION_CONFIG = shape(
    {}, {"trigger_actions_on": items(one_of("on_enter_pressed", "on_character_entered"), 1, 2)}
)


def all_options(element: Mapping[str, Any]) -> list[Any]:
    """The options of a select, flat or grouped."""
    grouped = [o for group in element.get("option_groups") or () for o in group.get("options") or ()]
    return [*(element.get("options") or ()), *grouped]


def initial_is_an_option(key: str) -> Rule:
    """`initial_option` or every one of `initial_options` must be one of the options, by value and text."""

    def rule(element: Mapping[str, Any], at: str, report: Report) -> None:
        given = element.get(key)
        if given is None:
            return
        known = [_signature(one) for one in all_options(element)]
        for one in given if isinstance(given, list) else [given]:
            if _signature(one) not in known:
                report.add("initial option not found in options", f"{at}/{key}")

    return rule


def _signature(one: Any) -> tuple[Any, Any]:
    if not isinstance(one, Mapping) or not isinstance(one.get("text"), Mapping):
        return (None, None)
    return (one.get("value"), one["text"].get("text"))
