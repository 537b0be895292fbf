"""Whole messages and views: block counts, unique ids, sizes, titles and what a modal must have."""

import json
from collections.abc import Mapping
from typing import Any

from slack_simulator.errors import SlackError, invalid_arguments, invalid_blocks
from slack_simulator.rules.blocks import BLOCK
from slack_simulator.rules.composition import plain
from slack_simulator.rules.schema import Report, boolean, items, one_of, shape, string

MESSAGE_BLOCKS = 50
VIEW_BLOCKS = 100
MARKDOWN_CHARACTERS = 12_000
MESSAGE_CHARACTERS = 13_000  # of all texts together; Slack does not publish its number
METADATA_CHARACTERS = 8_000  # not published either
VIEW_BYTES = 250_000

_VIEW_COMMON = {
    "blocks": items(BLOCK, 1, VIEW_BLOCKS),
    "private_metadata": string(0, 3000),
    "callback_id": string(0, 255),
    "external_id": string(0, 255),
}
_MODAL = shape(
    {"title": plain(24), "blocks": _VIEW_COMMON["blocks"]},
    {
        **_VIEW_COMMON,
        "type": one_of("modal"),
        "submit": plain(24),
        "close": plain(24),
        "clear_on_close": boolean,
        "notify_on_close": boolean,
        "submit_disabled": boolean,
    },
)
_HOME = shape({"blocks": _VIEW_COMMON["blocks"]}, {**_VIEW_COMMON, "type": one_of("home")})


def check_blocks(blocks: Any, surface: str = "message") -> list[str]:
    """Problems of a list of blocks in Slack's words; empty when all is well."""
    report = Report(surface)
    items(BLOCK, 0, MESSAGE_BLOCKS if surface == "message" else VIEW_BLOCKS)(blocks, "/blocks", report)
    if not report.problems:
        _unique_block_ids(blocks, report)
        _one_focus(blocks, report)
    return report.problems


def check_message(blocks: Any) -> None:
    """Raises SlackError as chat.postMessage does."""
    if not isinstance(blocks, list):
        raise SlackError("invalid_blocks_format")
    if problems := check_blocks(blocks):
        raise invalid_blocks(problems)
    markdown = sum(len(b["text"]) for b in blocks if b["type"] == "markdown")
    if markdown > MARKDOWN_CHARACTERS or _characters(blocks) > MESSAGE_CHARACTERS:
        raise SlackError("msg_blocks_too_long")


def check_metadata(metadata: Any) -> None:
    """Raises SlackError unless this is `{event_type, event_payload}`; an empty object clears it."""
    if not isinstance(metadata, Mapping):
        raise SlackError("invalid_metadata_format")
    if not metadata:
        return
    named = isinstance(metadata.get("event_type"), str) and isinstance(metadata.get("event_payload"), Mapping)
    if not named or set(metadata) - {"event_type", "event_payload", "entities"}:
        raise SlackError("invalid_metadata_schema")
    if len(json.dumps(metadata)) > METADATA_CHARACTERS:
        raise SlackError("metadata_too_large")


def check_view(view: Any, *kinds: str) -> None:
    """Raises SlackError as views.open, update, push and publish do. `kinds` are the types allowed here."""
    if not isinstance(view, Mapping):
        raise invalid_arguments("must provide an object [json-pointer:/view]")
    if view.get("type") not in kinds:
        raise invalid_arguments("must be a valid enum value [json-pointer:/view/type]")
    if len(json.dumps(view, ensure_ascii=False).encode()) > VIEW_BYTES:
        raise SlackError("view_too_large")
    surface = str(view["type"])
    report = Report(surface)
    (_MODAL if surface == "modal" else _HOME)(view, "/view", report)
    if not report.problems:
        _unique_block_ids(view["blocks"], report)
        _one_focus(view["blocks"], report)
        _inputs_need_submit(view, report)
    if report.problems:
        raise invalid_arguments(*report.problems)


def _unique_block_ids(blocks: list[Any], report: Report) -> None:
    seen: set[str] = set()
    for index, block in enumerate(blocks):
        name = block.get("block_id")
        if name is not None and name in seen:
            report.add(f"block_id {name} already exists", f"/blocks/{index}/block_id")
        seen.add(name)


def _one_focus(blocks: list[Any], report: Report) -> None:
    if json.dumps(blocks).count('"focus_on_load": true') > 1:
        report.add("only one element can have focus_on_load", "/blocks")


def _inputs_need_submit(view: Mapping[str, Any], report: Report) -> None:
    has_input = any(block["type"] == "input" for block in view["blocks"])
    if view["type"] == "modal" and has_input and "submit" not in view:
        report.add("missing required field: submit", "/view")


def _characters(value: Any) -> int:
    """Characters of every text in a tree of blocks."""
    if isinstance(value, Mapping):
        return sum(
            len(one) if key == "text" and isinstance(one, str) else _characters(one) for key, one in value.items()
        )
    return sum(_characters(one) for one in value) if isinstance(value, list) else 0
