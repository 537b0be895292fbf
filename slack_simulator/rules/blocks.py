"""Blocks: the rows of a message or a view."""

from collections.abc import Mapping
from typing import Any

from slack_simulator.rules.composition import plain, text
from slack_simulator.rules.elements import ELEMENTS, IN_ACTIONS, IN_INPUT, IN_SECTION
from slack_simulator.rules.schema import (
    Check,
    Report,
    boolean,
    by_type,
    integer,
    items,
    one_of,
    shape,
    string,
    together,
)

_BLOCK: dict[str, Check] = {"block_id": string(1, 255)}
_SLACK_FILE = shape({}, {"id": string(1), "url": string(1)}, together(1, "id", "url", most=1))
_IMAGE: dict[str, Check] = {"image_url": string(1, 3000), "slack_file": _SLACK_FILE}
_ONE_IMAGE = together(1, "image_url", "slack_file", most=1)
_IMAGE_ELEMENT = shape({"alt_text": string(1, 2000)}, _IMAGE, _ONE_IMAGE)


def _anything(_value: Any, _at: str, _report: Report) -> None:
    """Accept: rich text is written by people and checked only at its edges."""


_RICH_PART = shape(
    {"elements": items(_anything, 0)},
    {"style": one_of("ordered", "bullet"), "indent": integer(0, 8), "offset": integer(0), "border": integer(0, 1)},
)
_RICH = by_type(
    dict.fromkeys(("rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted"), _RICH_PART)
)
_CELL = by_type(
    {
        "raw_text": shape({"text": string(1, 3000)}, {}),
        "rich_text": shape({"elements": items(_RICH, 0)}, _BLOCK),
    }
)


def _only_messages(_block: Mapping[str, Any], at: str, report: Report) -> None:
    if report.surface != "message":
        report.add("must be a valid enum value", f"{at}/type")


def _unique_actions(block: Mapping[str, Any], at: str, report: Report) -> None:
    seen: set[str] = set()
    for index, element in enumerate(block.get("elements") or ()):
        action = element.get("action_id") if isinstance(element, Mapping) else None
        if action is not None and action in seen:
            report.add(f"action_id {action} already exists in this block", f"{at}/elements/{index}/action_id")
        if action is not None:
            seen.add(action)


def _elements(allowed: frozenset[str]) -> Check:
    return by_type({**ELEMENTS, "image": _IMAGE_ELEMENT}, allowed)


BLOCKS: dict[str, Check] = {
    "section": shape(
        {},
        {
            **_BLOCK,
            "text": text(3000),
            "fields": items(text(2000), 1, 10),
            "accessory": _elements(IN_SECTION),
            "expand": boolean,
        },
        together(1, "text", "fields"),
    ),
    "actions": shape({"elements": items(_elements(IN_ACTIONS), 1, 25)}, _BLOCK, _unique_actions),
    "context": shape(
        {
            "elements": items(
                by_type(
                    {
                        "image": _IMAGE_ELEMENT,
                        "plain_text": shape({"text": string(1, 3000)}, {"emoji": boolean}),
                        "mrkdwn": shape({"text": string(1, 3000)}, {"verbatim": boolean}),
                    }
                ),
                1,
                10,
            )
        },
        _BLOCK,
    ),
    "divider": shape({}, _BLOCK),
    "header": shape({"text": plain(150)}, {**_BLOCK, "level": integer(1, 4)}),
    "image": shape({"alt_text": string(1, 2000)}, {**_BLOCK, **_IMAGE, "title": plain(2000)}, _ONE_IMAGE),
    "input": shape(
        {"label": plain(2000), "element": _elements(IN_INPUT)},
        {**_BLOCK, "hint": plain(2000), "optional": boolean, "dispatch_action": boolean},
    ),
    "markdown": shape({"text": string(1, 12_000)}, _BLOCK, _only_messages),
    "rich_text": shape({"elements": items(_RICH, 0)}, _BLOCK),
    "table": shape(
        {"rows": items(items(_CELL, 1, 20), 1, 100)},
        {**_BLOCK, "column_settings": items(_anything, 0, 20)},
        _only_messages,
    ),
}

BLOCK = by_type(BLOCKS)
