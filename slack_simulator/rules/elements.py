"""Block elements: what people click, choose and type into."""

import datetime
import re
from collections.abc import Mapping
from typing import Any

from slack_simulator.rules.composition import (
    CONFIRM,
    CONVERSATION_FILTER,
    DISPATCH_ACTION_CONFIG,
    OPTION_GROUP,
    OVERFLOW_OPTION,
    PLAIN_OPTION,
    TEXT_OPTION,
    initial_is_an_option,
    plain,
)
from slack_simulator.rules.schema import (
    Check,
    Report,
    boolean,
    integer,
    items,
    matches,
    one_of,
    shape,
    string,
    together,
)


def _is_date(value: str) -> bool:
    try:
        return bool(datetime.date.fromisoformat(value)) and len(value) == 10
    except ValueError:
        return False


def _is_number(value: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d+)?", value) is not None


DATE = matches(_is_date, "must be a valid date in the format YYYY-MM-DD")
TIME = matches(
    lambda v: re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", v) is not None, "must be a valid time in the format HH:mm"
)
NUMBER = matches(_is_number, "must be a valid number")

_ACTION: dict[str, Check] = {"action_id": string(1, 255)}
_FOCUS: dict[str, Check] = {**_ACTION, "focus_on_load": boolean}
_CONFIRMED: dict[str, Check] = {**_FOCUS, "confirm": CONFIRM}
_PICKED: dict[str, Check] = {**_CONFIRMED, "placeholder": plain(150)}
_TYPED: dict[str, Check] = {
    **_FOCUS,
    "placeholder": plain(150),
    "dispatch_action_config": DISPATCH_ACTION_CONFIG,
}
_MANY: dict[str, Check] = {**_PICKED, "max_selected_items": integer(1)}
_OPTIONS: dict[str, Check] = {
    "options": items(PLAIN_OPTION, 1, 100),
    "option_groups": items(OPTION_GROUP, 1, 100),
}
_EITHER = together(1, "options", "option_groups", most=1)
_ID = string(1, 255)
_IDS = items(_ID, 1)


def _decimal_places(element: Mapping[str, Any], at: str, report: Report) -> None:
    if element.get("is_decimal_allowed") is False:
        for key in ("initial_value", "min_value", "max_value"):
            if isinstance(element.get(key), str) and "." in element[key]:
                report.add("must be an integer", f"{at}/{key}")


def _only_in_modal(element: Mapping[str, Any], at: str, report: Report) -> None:
    if element.get("response_url_enabled") and report.surface != "modal":
        report.add("invalid additional property: response_url_enabled", at)


def _conversations(*, many: bool) -> Check:
    initial = {"initial_conversations": _IDS} if many else {"initial_conversation": _ID}
    return shape(
        {},
        {
            **(_MANY if many else _PICKED),
            **initial,
            "filter": CONVERSATION_FILTER,
            "default_to_current_conversation": boolean,
            **({} if many else {"response_url_enabled": boolean}),
        },
        _only_in_modal,
    )


ELEMENTS: dict[str, Check] = {
    "button": shape(
        {"text": plain(75)},
        {
            **_ACTION,
            "value": string(0, 2000),
            "url": string(0, 3000),
            "style": one_of("primary", "danger"),
            "confirm": CONFIRM,
            "accessibility_label": string(0, 75),
        },
    ),
    "static_select": shape(
        {}, {**_PICKED, **_OPTIONS, "initial_option": PLAIN_OPTION}, _EITHER, initial_is_an_option("initial_option")
    ),
    "multi_static_select": shape(
        {},
        {**_MANY, **_OPTIONS, "initial_options": items(PLAIN_OPTION, 1, 100)},
        _EITHER,
        initial_is_an_option("initial_options"),
    ),
    "external_select": shape({}, {**_PICKED, "min_query_length": integer(0), "initial_option": PLAIN_OPTION}),
    "multi_external_select": shape(
        {}, {**_MANY, "min_query_length": integer(0), "initial_options": items(PLAIN_OPTION, 1, 100)}
    ),
    "users_select": shape({}, {**_PICKED, "initial_user": _ID}),
    "multi_users_select": shape({}, {**_MANY, "initial_users": _IDS}),
    "conversations_select": _conversations(many=False),
    "multi_conversations_select": _conversations(many=True),
    "channels_select": shape({}, {**_PICKED, "initial_channel": _ID, "response_url_enabled": boolean}, _only_in_modal),
    "multi_channels_select": shape({}, {**_MANY, "initial_channels": _IDS}),
    "overflow": shape({"options": items(OVERFLOW_OPTION, 1, 5)}, {**_ACTION, "confirm": CONFIRM}),
    "radio_buttons": shape(
        {"options": items(TEXT_OPTION, 1, 10)},
        {**_CONFIRMED, "initial_option": TEXT_OPTION},
        initial_is_an_option("initial_option"),
    ),
    "checkboxes": shape(
        {"options": items(TEXT_OPTION, 1, 10)},
        {**_CONFIRMED, "initial_options": items(TEXT_OPTION, 1, 10)},
        initial_is_an_option("initial_options"),
    ),
    "plain_text_input": shape(
        {},
        {
            **_TYPED,
            "multiline": boolean,
            "min_length": integer(0, 3000),
            "max_length": integer(1, 3000),
            "initial_value": string(0, 3000),
        },
    ),
    "email_text_input": shape({}, {**_TYPED, "initial_value": string(0, 3000)}),
    "url_text_input": shape({}, {**_TYPED, "initial_value": string(0, 3000)}),
    "number_input": shape(
        {"is_decimal_allowed": boolean},
        {**_TYPED, "initial_value": NUMBER, "min_value": NUMBER, "max_value": NUMBER},
        _decimal_places,
    ),
    "datepicker": shape({}, {**_PICKED, "initial_date": DATE}),
    "timepicker": shape({}, {**_PICKED, "initial_time": TIME, "timezone": string(1, 255)}),
    "datetimepicker": shape({}, {**_CONFIRMED, "initial_date_time": integer(1_000_000_000, 9_999_999_999)}),
}

_PICKERS = frozenset(name for name in ELEMENTS if name.endswith(("_select", "picker")))
_CHOICES = _PICKERS | {"radio_buttons", "checkboxes"}
IN_ACTIONS = _CHOICES | {"button", "overflow"}
IN_SECTION = IN_ACTIONS | {"image"}
IN_INPUT = _CHOICES | {"plain_text_input", "email_text_input", "url_text_input", "number_input"}
