"""Text from people: what is left of it, and what cannot come out of it."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.look.words import at, escaped, gone, listed, storable, visible, who_decides

VECTORS = [
    "<!channel>", "<!here|here>", "<!everyone>", "<!subteam^S0ORDERSOWNERS>", "<@U0ADA>", "<#C0GENERAL>",
    "<https://evil.example|Approve here>", "<mailto:a@b.c|x>", "&lt;!channel&gt;", "&amp;lt;!channel&amp;gt;",
    "<!date^0^{date}|approved>", "*Approved by ada*", "_x_ ~y~ `z` ```q```", "> quoted\n> decision",
    "line\nApproved by grace", "line\r\nApproved", "a\u2028b\u2029c", "a\x85b\vc\fd", "abc\u202egrade\u202c",
    "\u2066x\u2069", "a\u200bb\u200dc\ufeffd", "\x1b]8;;https://evil.example\x07x", "\x1b[31mred", "\x00\x07\x7f\x9f",
    ":white_check_mark: approved", "{user.__class__}", "%s %(x)s {0}", "\ud800", "\U000e0041\U000e0042",
    "\u3164\u115f", "🟢 *Active* until 23:59", "x" * 5000, "é", "e\u0301", "👩\u200d🚒", "", "   ", "\n\n",
]  # fmt: skip


@pytest.mark.parametrize("text", VECTORS)
def test_vectors_leave_nothing_to_render(text: str) -> None:
    line = escaped(text)
    assert not set(line) & set("<>\n\r\u2028\u2029")
    assert len(visible(text)) <= 500


@given(st.text(alphabet=st.characters(), max_size=700))
def test_one_visible_line_whatever_is_written(text: str) -> None:
    line = visible(text)
    assert len(line) <= 500
    assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in line)
    assert visible(line) == line


@given(st.text(alphabet=st.characters(), max_size=50))
def test_what_is_stored_can_be_stored(text: str) -> None:
    kept = storable(text)
    assert kept.encode().decode() == kept
    assert "\0" not in kept


def test_line_breaks_stay_visible() -> None:
    assert visible("stuck\n\nApproved by ada") == "stuck ↵ Approved by ada"


def test_the_same_letters_are_the_same_text() -> None:
    assert visible("e\u0301") == visible("é") == "é"


def test_a_cut_is_shown() -> None:
    assert visible("x" * 600)[-1] == "…"


def test_times_are_for_the_reader_with_utc_behind() -> None:
    assert at(datetime(2026, 11, 23, 14, 3, tzinfo=UTC)) == "<!date^1795442580^{time}|14:03 UTC>"


def test_only_what_is_proven_is_called_proven() -> None:
    assert gone(None, tried=True) == "proven gone"
    assert gone(None, tried=False) == "revoked"
    later = datetime(2026, 11, 23, 14, 8, tzinfo=UTC)
    assert gone(later, tried=True) == "revoked, and in full effect by <!date^1795442880^{time}|14:08 UTC>"


def test_lists_and_deciders_read_like_a_sentence() -> None:
    assert listed(["ada"]) == "ada"
    assert listed(["ada", "grace", "linus"]) == "ada, grace or linus"
    assert who_decides(("ada", "grace"), 1) == "ada or grace can approve."
    assert who_decides(("ada", "grace", "linus"), 2) == "It needs 2 of ada, grace and linus."
    assert "not enough people" in who_decides(("ada",), 2)
    assert "3 more can approve" in who_decides(tuple("abcdefghijk"), 1)
