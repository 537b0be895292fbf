"""Modals and home tabs: triggers, the stack, hashes, and what people had typed."""

from __future__ import annotations

from typing import Any

import pytest

from slack_simulator import SlackError, Workspace
from slack_simulator.inputs import refusals
from slack_simulator.views import OpenView
from tests.slack_simulator.town import button, modal, plain, section, workspace


@pytest.fixture
def town() -> Workspace:
    return workspace()


DAY = "2026-11-23"
WHOLE, BROKEN = ({"type": "number_input", "is_decimal_allowed": decimal} for decimal in (False, True))


def field(block_id: str, action_id: str = "v", **element: Any) -> dict[str, Any]:
    made = {"type": "plain_text_input", "action_id": action_id, **element}
    return {"type": "input", "block_id": block_id, "label": plain("x"), "element": made}


def refused(act: Any, *args: Any, **more: Any) -> str | None:
    try:
        act(*args, **more)
    except SlackError as error:
        return error.code
    return None


def test_a_trigger_opens_one_view_within_three_seconds(town: Workspace) -> None:
    first, second = town.triggers.issue("U0ADA"), town.triggers.issue("U0ADA")
    assert town.triggers.take(first).user == "U0ADA"
    assert refused(town.triggers.take, first) == "exchanged_trigger_id"
    town.clock.advance(2.9)
    third = town.triggers.issue("U0ADA")
    town.clock.advance(0.2)
    assert refused(town.triggers.take, second) == "expired_trigger_id"
    assert refused(town.triggers.take, third) is None
    assert refused(town.triggers.take, "1.2.abc") == "invalid_trigger_id"


def test_the_stack_holds_three(town: Workspace) -> None:
    views = town.views
    assert refused(views.push, "U0ADA", modal()) == "not_found"
    first = views.open("U0ADA", modal())
    second, third = views.push("U0ADA", modal()), views.push("U0ADA", modal())
    assert refused(views.push, "U0ADA", modal()) == "push_limit_reached"
    assert (second["previous_view_id"], third["root_view_id"]) == (first["id"], first["id"])
    assert [view["id"] for view in town.person("ada").views] == [first["id"], second["id"], third["id"]]
    views.open("U0ADA", modal())
    assert len(town.person("ada").views) == 1
    assert refused(views.named, first["id"], None) == "not_found"


def test_a_stale_hash_changes_nothing(town: Workspace) -> None:
    first = dict(town.views.open("U0ADA", modal()))
    target = town.views.named(first["id"], None)
    town.views.update(target, modal(section("one")), first["hash"])
    assert refused(town.views.update, target, modal(section("two")), first["hash"]) == "hash_conflict"
    town.views.update(target, modal(section("three")))
    assert town.person("ada").views[0]["blocks"][0]["text"]["text"] == "three"


def test_external_ids_are_unique_while_open(town: Workspace) -> None:
    town.views.open("U0ADA", modal(external_id="one"))
    assert refused(town.views.open, "U0GRACE", modal(external_id="one")) == "duplicate_external_id"
    target = town.views.named(None, "one")
    assert refused(town.views.update, target, modal(external_id="one")) is None
    town.views.close(target)
    assert refused(town.views.open, "U0GRACE", modal(external_id="one")) is None


def test_an_update_keeps_what_was_typed_where_block_and_action_stay(town: Workspace) -> None:
    ada = town.person("ada")
    town.views.open("U0ADA", modal(field("a"), field("b"), field("c")))
    ada.fill({"a": {"v": "kept"}, "b": {"v": "lost"}, "c": {"v": "lost"}})
    target = town.views.named(ada.views[0]["id"], None)
    number = {"type": "number_input", "is_decimal_allowed": False}
    town.views.update(target, modal(field("a", initial_value="other"), field("b2"), field("c", **number)))
    values = ada.views[0]["state"]["values"]
    assert values["a"]["v"]["value"] == "kept"
    assert "b" not in values
    assert (values["b2"]["v"]["value"], values["c"]["v"]["value"]) == (None, None)


def test_the_state_holds_initial_values_of_all_stateful_elements(town: Workspace) -> None:
    options = [{"text": plain(n), "value": n} for n in ("one", "two")]
    town.views.open(
        "U0ADA",
        modal(
            field("text", initial_value="x"),
            {"type": "actions", "block_id": "acts", "elements": [
                button("pressed"),
                {"type": "static_select", "action_id": "s", "options": options, "initial_option": options[1]},
                {"type": "checkboxes", "action_id": "c", "options": options},
                {"type": "users_select", "action_id": "u", "initial_user": "U0ADA"},
            ]},
            section("x", block_id="side", accessory={"type": "datepicker", "action_id": "d", "initial_date": DAY}),
        ),
    )  # fmt: skip
    values = town.person("ada").views[0]["state"]["values"]
    assert values["text"]["v"] == {"type": "plain_text_input", "value": "x"}
    assert values["acts"]["s"]["selected_option"]["value"] == "two"
    assert values["acts"]["c"] == {"type": "checkboxes", "selected_options": []}
    assert values["acts"]["u"]["selected_user"] == "U0ADA"
    assert values["side"]["d"]["selected_date"] == DAY
    assert "pressed" not in values["acts"]


@pytest.mark.parametrize(
    ("element", "value", "text"),
    [
        ({"type": "plain_text_input", "min_length": 3}, "ab", "Please use at least 3 characters."),
        ({"type": "plain_text_input", "min_length": 3}, "abc", None),
        ({"type": "email_text_input"}, "ada", "Please enter a valid email address."),
        ({"type": "email_text_input"}, "ada@acme.example", None),
        ({"type": "url_text_input"}, "acme", "Please enter a valid URL."),
        ({"type": "url_text_input"}, "https://acme.example/x", None),
        (WHOLE, "1.5", "Please enter a valid number."),
        (BROKEN, "1.5", None),
        ({**BROKEN, "min_value": "2"}, "1.5", "Please enter a number of at least 2."),
        ({**BROKEN, "max_value": "1"}, "1.5", "Please enter a number of at most 1."),
    ],
)  # fmt: skip
def test_what_the_client_does_not_send(town: Workspace, element: dict[str, Any], value: str, text: str | None) -> None:
    town.views.open("U0ADA", modal(field("f", **element)))
    town.person("ada").fill({"f": {"v": value}})
    view = town.views.top("U0ADA")
    assert isinstance(view, OpenView)
    assert refusals(view.json["blocks"], view.state) == ({} if text is None else {"f": text})


def test_a_home_tab_has_a_hash_too(town: Workspace) -> None:
    home = {"type": "home", "blocks": [section("one")]}
    first = dict(town.views.publish("U0ADA", home))
    second = town.views.publish("U0ADA", {**home, "blocks": [section("two")]}, first["hash"])
    assert (second["id"], second["root_view_id"]) == (first["id"], first["id"])
    assert refused(town.views.publish, "U0ADA", home, first["hash"]) == "hash_conflict"
