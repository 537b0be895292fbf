"""Every limit of messages and views: accepted at the limit, refused one beyond it, in Slack's words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from slack_simulator.errors import SlackError
from slack_simulator.ids import Ids
from slack_simulator.rules import check_blocks, check_message, check_metadata, check_view, filled_blocks
from tests.slack_simulator.town import button, modal, plain, section

Json = dict[str, Any]


def option(text: str = "one", value: str = "1", **more: Any) -> Json:
    return {"text": plain(text), "value": value, **more}


def select(**more: Any) -> Json:
    return {"type": "static_select", "action_id": "s", "options": [option()], **more}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def inside(element: Json, **more: Any) -> Json:
    return {"type": "input", "label": plain("x"), "element": {"action_id": "e", **element}, **more}


def typed(**more: Any) -> Json:
    return inside({"type": "plain_text_input", **more})


def confirm(**more: str) -> Json:
    texts = {"title": "t", "text": "x", "confirm": "y", "deny": "n", **more}
    return actions({**button("b"), "confirm": {key: plain(text) for key, text in texts.items()}})


def boxes(count: int) -> Json:
    return actions({"type": "checkboxes", "options": [option(value=str(n)) for n in range(count)]})


def group(label: str = "g", count: int = 1) -> Json:
    return {"label": plain(label), "options": [option(value=str(n)) for n in range(count)]}


def grouped(count: int) -> Json:
    return {"type": "static_select", "action_id": "s", "option_groups": [group() for _ in range(count)]}


def overflow(count: int, **more: Any) -> Json:
    return actions({"type": "overflow", "options": [option(value=str(n), **more) for n in range(count)]})


def context(count: int) -> Json:
    return {"type": "context", "elements": [plain("x")] * count}


def picture(**more: Any) -> Json:
    return {"type": "image", "image_url": "https://example.com/a.png", "alt_text": "a", **more}


def number(**more: Any) -> Json:
    return inside({"type": "number_input", "is_decimal_allowed": True, **more})


def rows(height: int, width: int) -> Json:
    return {"type": "table", "rows": [[{"type": "raw_text", "text": "x"}] * width] * height}


# Each row: a block made from a size, the last size accepted, the pointer and text of the refusal one beyond it.
LONG = [
    (lambda n: section("x" * n), 3000, "must be less than 3001 characters", "/text/text"),
    (lambda n: {"type": "section", "fields": [plain("x" * n)]}, 2000, "must be less than 2001", "/fields/0/text"),
    (lambda n: {"type": "section", "fields": [plain("x")] * n}, 10, "no more than 10 items allowed", "/fields"),
    (lambda n: section("x", block_id="b" * n), 255, "must be less than 256 characters", "/block_id"),
    (lambda n: {"type": "header", "text": plain("x" * n)}, 150, "must be less than 151", "/text/text"),
    (lambda n: {"type": "header", "text": plain("x"), "level": n}, 4, "must be between 1 and 4", "/level"),
    (context, 10, "no more than 10 items allowed", "/elements"),
    (lambda n: actions(*(button(f"b{i}") for i in range(n))), 25, "no more than 25 items", "/elements"),
    (lambda n: actions({**button("b"), "action_id": "b" * n}), 255, "must be less than 256", "/elements/0/action_id"),
    (lambda n: actions({**button("b"), "text": plain("x" * n)}), 75, "must be less than 76", "/0/text/text"),
    (lambda n: actions(button("b", "v" * n)), 2000, "must be less than 2001", "/elements/0/value"),
    (lambda n: actions({**button("b"), "url": "u" * n}), 3000, "must be less than 3001", "/elements/0/url"),
    (lambda n: actions({**button("b"), "accessibility_label": "l" * n}), 75, "less than 76", "accessibility_label"),
    (lambda n: confirm(title="t" * n), 100, "must be less than 101", "/confirm/title/text"),
    (lambda n: confirm(text="t" * n), 300, "must be less than 301", "/confirm/text/text"),
    (lambda n: confirm(confirm="t" * n), 30, "must be less than 31", "/confirm/confirm/text"),
    (lambda n: confirm(deny="t" * n), 30, "must be less than 31", "/confirm/deny/text"),
    (lambda n: actions(select(options=[option("x" * n)])), 75, "must be less than 76", "/options/0/text/text"),
    (lambda n: actions(select(options=[option(value="v" * n)])), 150, "less than 151", "/options/0/value"),
    (
        lambda n: actions(select(options=[option(description=plain("d" * n))])),
        75,
        "must be less than 76",
        "/options/0/description/text",
    ),
    (
        lambda n: actions(select(options=[option(value=str(i)) for i in range(n)])),
        100,
        "no more than 100 items allowed",
        "/options",
    ),
    (lambda n: actions(grouped(n)), 100, "no more than 100 items allowed", "/option_groups"),
    (
        lambda n: actions({"type": "static_select", "option_groups": [group("l" * n)]}),
        75,
        "must be less than 76",
        "/option_groups/0/label/text",
    ),
    (
        lambda n: actions({"type": "static_select", "option_groups": [group(count=n)]}),
        100,
        "no more than 100 items allowed",
        "/option_groups/0/options",
    ),
    (lambda n: actions(select(placeholder=plain("p" * n))), 150, "must be less than 151", "/placeholder/text"),
    (overflow, 5, "no more than 5 items allowed", "/elements/0/options"),
    (lambda n: overflow(1, url="u" * n), 3000, "must be less than 3001", "/options/0/url"),
    (boxes, 10, "no more than 10 items allowed", "/elements/0/options"),
    (lambda n: picture(alt_text="a" * n), 2000, "must be less than 2001", "/alt_text"),
    (lambda n: picture(image_url="u" * n), 3000, "must be less than 3001", "/image_url"),
    (lambda n: picture(title=plain("t" * n)), 2000, "must be less than 2001", "/title/text"),
    (lambda n: {**typed(), "label": plain("l" * n)}, 2000, "must be less than 2001", "/label/text"),
    (lambda n: {**typed(), "hint": plain("l" * n)}, 2000, "must be less than 2001", "/hint/text"),
    (lambda n: typed(initial_value="x" * n), 3000, "must be less than 3001", "/element/initial_value"),
    (lambda n: typed(max_length=n), 3000, "must be between 1 and 3000", "/element/max_length"),
    (lambda n: typed(min_length=n), 3000, "must be between 0 and 3000", "/element/min_length"),
    (lambda n: {"type": "markdown", "text": "x" * n}, 12_000, "must be less than 12001", "/text"),
    (lambda n: rows(n, 1), 100, "no more than 100 items allowed", "/rows"),
    (lambda n: rows(1, n), 20, "no more than 20 items allowed", "/rows/0"),
]


@pytest.mark.parametrize(("make", "limit", "words", "where"), LONG)
def test_the_limit_is_accepted_and_one_more_is_not(
    make: Callable[[int], Json], limit: int, words: str, where: str
) -> None:
    assert check_blocks([make(limit)]) == []
    problems = check_blocks([make(limit + 1)])
    assert len(problems) == 1
    assert words in problems[0]
    assert problems[0].endswith(f"{where}]")


# Each row: a block that Slack refuses, and the refusal without its pointer.
WRONG = [
    (section(""), "must be more than 0 characters"),
    ({"type": "section"}, "missing required field: text"),
    ({"type": "section", "fields": []}, "no less than 1 items allowed"),
    ({"type": "header", "text": {"type": "mrkdwn", "text": "x"}}, "must be a valid enum value"),
    (context(0), "no less than 1 items allowed"),
    (actions(), "no less than 1 items allowed"),
    (section("x", colour="red"), "invalid additional property: colour"),
    ({"type": "section", "text": {**plain("x"), "verbatim": True}}, "invalid additional property: verbatim"),
    ({"type": "section", "text": {"type": "mrkdwn", "text": "x", "emoji": True}}, "invalid additional property: emoji"),
    ({"type": "carousel"}, "must be a valid enum value"),
    ({"text": plain("x")}, "missing required field: type"),
    ("words", "must provide an object"),
    (actions({**button("b"), "style": "default"}), "must be a valid enum value"),
    (actions({**button("b"), "value": 1}), "must provide a string"),
    (actions(button("same"), button("same")), "action_id same already exists in this block"),
    (actions({"type": "plain_text_input"}), "must be a valid enum value"),
    (actions({"type": "static_select"}), "missing required field: options"),
    (actions(select(option_groups=[group()])), "only one of options, option_groups is allowed"),
    (actions(select(initial_option=option("two", "2"))), "initial option not found in options"),
    (actions(select(options=[{"text": plain("x")}])), "missing required field: value"),
    (actions({"type": "radio_buttons", "options": []}), "no less than 1 items allowed"),
    (actions({"type": "conversations_select", "filter": {}}), "missing required field: include"),
    (actions({"type": "datepicker", "initial_date": "2026-02-30"}), "must be a valid date in the format YYYY-MM-DD"),
    (actions({"type": "timepicker", "initial_time": "24:00"}), "must be a valid time in the format HH:mm"),
    (actions({"type": "datetimepicker", "initial_date_time": 17}), "must be between 1000000000 and 9999999999"),
    (
        actions({"type": "users_select", "response_url_enabled": True}),
        "invalid additional property: response_url_enabled",
    ),
    (confirm(deny=""), "must be more than 0 characters"),
    (number(initial_value=3), "must provide a string"),
    (number(min_value="three"), "must be a valid number"),
    (number(is_decimal_allowed=False, max_value="1.5"), "must be an integer"),
    (inside({"type": "number_input"}), "missing required field: is_decimal_allowed"),
    (inside(button("b")), "must be a valid enum value"),
    (picture(slack_file={"id": "F1"}), "only one of image_url, slack_file is allowed"),
    ({"type": "image", "image_url": "https://x"}, "missing required field: alt_text"),
    (typed(dispatch_action_config={"trigger_actions_on": ["on_sneeze"]}), "must be a valid enum value"),
    ({"type": "rich_text", "elements": [{"type": "poem", "elements": []}]}, "must be a valid enum value"),
]


@pytest.mark.parametrize(("block", "words"), WRONG)
def test_refused_in_slacks_words(block: Any, words: str) -> None:
    assert [problem.split(" [json-pointer:")[0] for problem in check_blocks([block])] == [words]


def test_the_text_of_a_real_refusal() -> None:
    with pytest.raises(SlackError) as refused:
        check_message([section("x" * 3001)])
    words = "must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    assert refused.value.answer() == {
        "ok": False,
        "error": "invalid_blocks",
        "errors": [words],
        "response_metadata": {"messages": [f"[ERROR] {words}"]},
    }


def code(act: Callable[[], object]) -> str | None:
    try:
        act()
    except SlackError as refused:
        return refused.code
    return None


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [
        ([section("x")] * 50, None),
        ([section("x")] * 51, "invalid_blocks"),
        ([section("x" * 2600)] * 5, None),
        ([section("x" * 2600)] * 5 + [section("x")], "msg_blocks_too_long"),
        ([{"type": "markdown", "text": "x" * 6000}] * 2, None),
        ([{"type": "markdown", "text": "x" * 6000}] * 2 + [{"type": "markdown", "text": "x"}], "msg_blocks_too_long"),
        ([section("x", block_id="b"), section("y", block_id="b")], "invalid_blocks"),
        ([typed(focus_on_load=True), typed(focus_on_load=True)], "invalid_blocks"),
        ({"type": "section"}, "invalid_blocks_format"),
    ],
)
def test_whole_messages(blocks: Any, expected: str | None) -> None:
    assert code(lambda: check_message(blocks)) == expected


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (modal(), None),
        (modal(title=plain("t" * 24)), None),
        (modal(title=plain("t" * 25)), "invalid_arguments"),
        (modal(submit=plain("t" * 24), close=plain("t" * 24)), None),
        (modal(submit=plain("t" * 25)), "invalid_arguments"),
        (modal(close=plain("t" * 25)), "invalid_arguments"),
        (modal(private_metadata="m" * 3000), None),
        (modal(private_metadata="m" * 3001), "invalid_arguments"),
        (modal(callback_id="c" * 255, external_id="e" * 255), None),
        (modal(callback_id="c" * 256), "invalid_arguments"),
        (modal(external_id="e" * 256), "invalid_arguments"),
        (modal(*[section("x")] * 100), None),
        (modal(*[section("x")] * 101), "invalid_arguments"),
        (modal(*[section("x" * 2900)] * 83), None),
        (modal(*[section("x" * 2900)] * 87), "view_too_large"),
        (modal({"type": "markdown", "text": "x"}), "invalid_arguments"),
        (modal(blocks=[]), "invalid_arguments"),
        ({k: v for k, v in modal().items() if k != "title"}, "invalid_arguments"),
        ({k: v for k, v in modal().items() if k != "submit"}, "invalid_arguments"),
        ({k: v for k, v in modal(section("x")).items() if k != "submit"}, None),
        ({"type": "home", "blocks": [section("x")], "private_metadata": "m"}, None),
        ({"type": "home", "blocks": [section("x")], "title": plain("t")}, "invalid_arguments"),
        ({"type": "workflow_step", "blocks": []}, "invalid_arguments"),
        ("words", "invalid_arguments"),
    ],
)
def test_views(view: Any, expected: str | None) -> None:
    assert code(lambda: check_view(view, "modal", "home")) == expected


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ({}, None),
        ({"event_type": "grant", "event_payload": {"id": "PA-1"}}, None),
        ({"event_type": "grant"}, "invalid_metadata_schema"),
        ({"event_type": "grant", "event_payload": {}, "more": 1}, "invalid_metadata_schema"),
        ({"event_type": "grant", "event_payload": {"x": "y" * 9000}}, "metadata_too_large"),
        ("words", "invalid_metadata_format"),
    ],
)
def test_metadata(metadata: Any, expected: str | None) -> None:
    assert code(lambda: check_metadata(metadata)) == expected


def test_what_slack_fills_in() -> None:
    given = [section("x", accessory={"type": "button", "text": plain("b")}), typed()]
    first, second = filled_blocks(given, Ids(1))
    assert len(first["block_id"]) == len(first["accessory"]["action_id"]) == 5
    assert first["text"]["verbatim"] is False
    assert (second["optional"], second["dispatch_action"], second["label"]["emoji"]) == (False, False, True)
    assert "block_id" not in given[0]
    assert filled_blocks(given, Ids(1)) == filled_blocks(given, Ids(1))


def test_the_sdks_own_models_pass() -> None:
    from slack_sdk.models import blocks as sdk

    made = [
        sdk.HeaderBlock(text="PA-1"),
        sdk.SectionBlock(text="*x*", fields=["a", "b"], accessory=sdk.ButtonElement(text="b", action_id="a")),
        sdk.DividerBlock(),
        sdk.ContextBlock(elements=[sdk.MarkdownTextObject(text="_x_")]),
        sdk.InputBlock(label="l", element=sdk.PlainTextInputElement(action_id="i", multiline=True), optional=True),
        sdk.ActionsBlock(
            elements=[
                sdk.StaticSelectElement(action_id="s", options=[sdk.Option(text="o", value="v")]),
                sdk.UserSelectElement(action_id="u"),
                sdk.DatePickerElement(action_id="d", initial_date="2026-11-23"),
                sdk.OverflowMenuElement(action_id="o", options=[sdk.Option(text="o", value="v")]),
            ]
        ),
    ]
    assert check_blocks([block.to_dict() for block in made]) == []
