"""What people type and choose: the state of stateful elements, and the checks a client makes before it sends."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from slack_simulator.errors import ActError
from slack_simulator.model import Json
from slack_simulator.rules.composition import all_options

# The property that holds a value, in the state of an element and (after `initial_`) in the element itself.
_STATE_KEY = {
    "plain_text_input": "value",
    "email_text_input": "value",
    "url_text_input": "value",
    "number_input": "value",
    "static_select": "selected_option",
    "external_select": "selected_option",
    "radio_buttons": "selected_option",
    "overflow": "selected_option",
    "checkboxes": "selected_options",
    "multi_static_select": "selected_options",
    "multi_external_select": "selected_options",
    "users_select": "selected_user",
    "multi_users_select": "selected_users",
    "conversations_select": "selected_conversation",
    "multi_conversations_select": "selected_conversations",
    "channels_select": "selected_channel",
    "multi_channels_select": "selected_channels",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
}
State = dict[str, dict[str, Json]]  # block_id -> action_id -> state


def elements(blocks: list[Json]) -> Iterator[tuple[Json, Json]]:
    """Every (block, element) that has an action_id."""
    for block in blocks:
        inside = [*(block.get("elements") or ()), block.get("accessory"), block.get("element")]
        for element in inside:
            if isinstance(element, Mapping) and "action_id" in element:
                yield block, dict(element)


def initial_state(blocks: list[Json]) -> State:
    """The state of all stateful elements as the app drew them."""
    state: State = {}
    for block, element in elements(blocks):
        if element["type"] in _STATE_KEY and element["type"] != "overflow":
            key = _STATE_KEY[element["type"]]
            value = element.get(key.replace("selected", "initial") if key != "value" else "initial_value")
            empty: Any = [] if key.endswith("s") else None
            entry = {"type": element["type"], key: value if value is not None else empty}
            state.setdefault(block["block_id"], {})[element["action_id"]] = entry
    return state


def kept_state(blocks: list[Json], typed: State) -> State:
    """The initial state with what was typed before, where block, action and type are still there."""
    state = initial_state(blocks)
    for block_id, actions in state.items():
        for action_id, entry in actions.items():
            before = typed.get(block_id, {}).get(action_id)
            if before is not None and before["type"] == entry["type"]:
                actions[action_id] = before
    return state


def chosen(element: Json, value: Any) -> Json:
    """The state of an element after a person gave it `value`; options are named by their value."""
    key = _STATE_KEY.get(element["type"])
    if key is None:
        return {}
    if key == "selected_option":
        return {"type": element["type"], key: None if value is None else _option(element, value)}
    if key == "selected_options":
        return {"type": element["type"], key: [_option(element, one) for one in value or ()]}
    if key == "value":
        return {"type": element["type"], key: str(value) if value not in (None, "") else None}
    return {"type": element["type"], key: value}


def is_stateful(element: Json) -> bool:
    return element["type"] in _STATE_KEY


def _option(element: Json, value: Any) -> Json:
    if isinstance(value, Mapping):  # an option loaded from the app
        return dict(value)
    known = all_options(element)
    for option in known:
        if option["value"] == value:
            return dict(option)
    raise ActError(f"{element['action_id']} has no option {value!r}; it has {[o['value'] for o in known]}.")


def refusals(blocks: list[Json], state: State) -> dict[str, str]:
    """What the client refuses to submit: block_id to the text under the field."""
    found: dict[str, str] = {}
    for block in blocks:
        if block["type"] == "input":
            element = block["element"]
            entry = state.get(block["block_id"], {}).get(element["action_id"], {})
            value = entry.get(_STATE_KEY[element["type"]])
            problem = _refusal(block, element, value)
            if problem:
                found[block["block_id"]] = problem
    return found


def _refusal(block: Json, element: Json, value: Any) -> str | None:
    if value in (None, "", []):
        return None if block.get("optional") else "Please complete this required field."
    if isinstance(value, str) and element["type"].endswith("_input"):
        return _text_refusal(element, value)
    most = element.get("max_selected_items")
    if most is not None and isinstance(value, list) and len(value) > most:
        return f"Choose at most {most}."
    return None


def _text_refusal(element: Json, value: str) -> str | None:
    kind = element["type"]
    if kind == "plain_text_input":
        least, most = element.get("min_length", 0), element.get("max_length", 3000)
        if len(value) < least:
            return f"Please use at least {least} characters."
        return f"Please use at most {most} characters." if len(value) > most else None
    if kind == "number_input":
        return _number_refusal(element, value)
    pattern = r"[^@\s]+@[^@\s]+\.[^@\s]+" if kind == "email_text_input" else r"https?://\S+"
    wanted = "email address" if kind == "email_text_input" else "URL"
    return None if re.fullmatch(pattern, value) else f"Please enter a valid {wanted}."


def _number_refusal(element: Json, value: str) -> str | None:
    whole = r"-?\d+(\.\d+)?" if element["is_decimal_allowed"] else r"-?\d+"
    if not re.fullmatch(whole, value):
        return "Please enter a valid number."
    if "min_value" in element and float(value) < float(element["min_value"]):
        return f"Please enter a number of at least {element['min_value']}."
    if "max_value" in element and float(value) > float(element["max_value"]):
        return f"Please enter a number of at most {element['max_value']}."
    return None
