"""From what Slack sends to values."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.errors import BadInput
from bot.look.forms import Draft, Pressed, block_of, read_button, read_form, written

TICKETS = (r"[A-Z][A-Z0-9]+-[0-9]+",)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["values", "state", "target", "duration", "value", "selected_option", "x"]), inner
        )
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.sampled_from(["state", "blocks", "id"]), junk))
def test_no_form_is_too_strange_to_read(view: dict[str, object]) -> None:
    try:
        assert isinstance(read_form({**view, "blocks": []}, TICKETS), Draft)
    except BadInput as error:
        assert error.field == "duration"


def test_a_form_reads_choices_and_typed_text() -> None:
    values = {
        "target": {"target": {"type": "static_select", "selected_option": {"value": "orders-db"}}},
        "role:orders-db": {"role": {"type": "static_select", "selected_option": {"value": "read"}}},
        "duration:x": {"duration": {"selected_option": {"value": "1h30m"}}},
        "ticket": {"ticket": {"value": " ops-3 "}},
        "reason": {"reason": {"value": None}},
    }
    read = read_form({"state": {"values": values}}, TICKETS)
    assert read == Draft("orders-db", "read", timedelta(minutes=90), "OPS-3", "")


def test_a_refusal_finds_the_block_of_its_field() -> None:
    view = {"blocks": [{"type": "section", "block_id": "reason"}, {"type": "input", "block_id": "target"},
                       {"type": "input", "block_id": "duration:a/b"}]}  # fmt: skip
    assert block_of(view, "duration") == "duration:a/b"
    assert block_of(view, "") == block_of(view, "colour") == "target"
    assert block_of({"blocks": []}, "duration") == ""


def test_a_button_carries_an_opaque_id_and_what_was_shown() -> None:
    value = written("0a1b2c", "f" * 64)
    assert read_button(value) == Pressed("0a1b2c", "f" * 16)


@given(st.one_of(st.none(), st.integers(), st.text()))
def test_no_other_button_is_read(value: object) -> None:
    with pytest.raises(BadInput):
        read_button(value)
