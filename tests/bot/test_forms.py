"""From what Slack sends to values."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.errors import BadInput
from bot.forms import Draft, Pressed, Verb, block_of, read_button, read_command, read_form, unescaped, written

TICKETS = (r"[A-Z][A-Z0-9]+-[0-9]+",)
HOUR = timedelta(hours=1)
FULL = Draft("orders-db", "", HOUR, "OPS-412", "refunds stuck since deploy")


@pytest.mark.parametrize(
    "text",
    [
        "orders-db 1h OPS-412 refunds stuck since deploy",
        "1h orders-db OPS-412 refunds stuck since deploy",
        "OPS-412 orders-db 1h refunds stuck since deploy",
        "orders-db ops-412 60 min refunds stuck since deploy",
        "  orders-db   1 hour   OPS-412   refunds  stuck since deploy ",
        "orders-db 1h <https://jira.example/browse/OPS-412?focus=9|OPS-412> refunds stuck since deploy",
        "orders-db 1h https://jira.example/browse/OPS-412 refunds stuck since deploy",
    ],
)
def test_target_duration_and_ticket_come_in_any_order(text: str) -> None:
    assert read_command(text, TICKETS) == FULL


@pytest.mark.parametrize(
    ("text", "draft"),
    [
        ("", Draft()),
        ("orders-db", Draft("orders-db")),
        ("orders-db/write 30m", Draft("orders-db", "write", timedelta(minutes=30))),
        ("orders-db why not", Draft("orders-db", reason="why not")),
        ("orders-db refunds of OPS-9, again", Draft("orders-db", ticket="OPS-9", reason="refunds of OPS-9, again")),
        ("orders-db 1h wait 5m then retry", Draft("orders-db", duration=HOUR, reason="wait 5m then retry")),
        ("orders-db slow for 30m now", Draft("orders-db", reason="slow for 30m now")),
        ("orders-db ask <@U0ADA|ada> in <#C0X|prod>", Draft("orders-db", reason="ask @ada in #prod")),
        ("orders-db a &lt;b&gt; &amp;amp; c", Draft("orders-db", reason="a <b> &amp; c")),
        ("INC1234 orders-db", Draft("INC1234", reason="orders-db")),
    ],
)
def test_what_is_missing_stays_empty(text: str, draft: Draft) -> None:
    assert read_command(text, TICKETS) == draft


def test_a_ticket_is_what_the_policy_says_it_is() -> None:
    assert read_command("INC1234 orders-db", ("INC[0-9]+",)) == Draft("orders-db", ticket="INC1234")


@pytest.mark.parametrize(
    ("text", "verb"),
    [
        ("help", Verb("help")),
        ("LIST", Verb("list")),
        ("login now", Verb("login")),
        ("end PA-7", Verb("end", 7)),
        ("show 12 please", Verb("show", 12)),
        ("audit", Verb("audit")),
        ("Audit  PA-7 ", Verb("audit", rest="PA-7")),
        ("audit actor:<@U0ADA|ada>  last:7d", Verb("audit", rest="actor:ada  last:7d")),
        ("audit actor:<@U0ADA>", Verb("audit", rest="actor:U0ADA")),
        ("audit table:<http://public.store|public.store>", Verb("audit", rest="table:public.store")),
        ("audit \u201ca &amp; b\u201d x", Verb("audit", rest='"a & b" x')),
    ],
)
def test_verbs(text: str, verb: Verb) -> None:
    assert read_command(text, TICKETS) == verb


@pytest.mark.parametrize(
    ("text", "words"), [("end", "Say which one"), ("show prod", "not a request"), ("end PA-0", "not a request")]
)
def test_a_verb_without_its_request_is_explained(text: str, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        read_command(text, TICKETS)


def test_a_reason_that_is_too_long_is_refused_not_cut() -> None:
    with pytest.raises(BadInput, match="under 500") as refused:
        read_command(f"orders-db 1h OPS-1 {'x' * 501}", TICKETS)
    assert refused.value.field == "reason"


words = st.one_of(
    st.text(max_size=30),
    st.sampled_from(["orders-db", "1h", "OPS-1", "end", "show", "<@U1|x>", "<", "&lt;", "9" * 30 + "d",
                     "999999d999999d", "https://OPS-1", "2", "hours", "/", "\u202e", "<!channel>"]),
)  # fmt: skip


@given(st.lists(words, max_size=12).map(" ".join))
def test_no_text_is_too_strange_to_read(text: str) -> None:
    try:
        read = read_command(text, TICKETS)
    except BadInput as error:
        assert str(error)
    else:
        assert isinstance(read, Verb | Draft)
        assert len(read.reason) <= 500 if isinstance(read, Draft) else True


@given(st.text(max_size=60))
def test_unescaping_leaves_nothing_of_slacks_markup(text: str) -> None:
    assert "<@U0ADA>" not in unescaped(f"{text.replace('<', '').replace('&', '')}<@U0ADA>")


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
