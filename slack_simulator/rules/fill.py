"""What Slack adds to blocks it accepts: missing ids and default booleans."""

import copy
from typing import Any

from slack_simulator.ids import Ids


def filled_blocks(blocks: list[Any], ids: Ids) -> list[dict[str, Any]]:
    """A copy with every `block_id`, `action_id` and default present."""
    made = copy.deepcopy(blocks)
    for block in made:
        block.setdefault("block_id", ids.word(5))
        _fill_texts(block)
        for element in _elements(block):
            if element.get("type") not in ("image", "plain_text", "mrkdwn"):
                element.setdefault("action_id", ids.word(5))
        if block["type"] == "input":
            block.setdefault("optional", False)
            block.setdefault("dispatch_action", False)
    return made


def _elements(block: dict[str, Any]) -> list[dict[str, Any]]:
    if block["type"] in ("actions", "context"):
        return list(block["elements"])
    return [block[key] for key in ("accessory", "element") if key in block]


def _fill_texts(value: Any) -> None:
    if isinstance(value, dict):
        if value.get("type") == "plain_text":
            value.setdefault("emoji", True)
        if value.get("type") == "mrkdwn":
            value.setdefault("verbatim", False)
        for one in value.values():
            _fill_texts(one)
    elif isinstance(value, list):
        for one in value:
            _fill_texts(one)
