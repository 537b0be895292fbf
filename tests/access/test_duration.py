from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.duration import in_words, looks_like_duration, parse_duration, short
from access.errors import BadInput


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("30m", 30),
        ("1h", 60),
        ("1h30m", 90),
        ("90 min", 90),
        ("2 hours", 120),
        ("1 hour 5 minutes", 65),
        ("1D", 1440),
        ("1h30", 90),
        ("an hour", 60),
        ("Half an hour", 30),
        ("a day", 1440),
    ],
)
def test_what_people_type(text: str, minutes: int) -> None:
    assert parse_duration(text) == timedelta(minutes=minutes)


@pytest.mark.parametrize(
    "text",
    ["", "h", "1", "-1h", "1x", "1h foo", "OPS-1", "1.5h", "0m", "h1", "1h1h!", "1h7", "1h75", "an", "half"],
)
def test_what_is_not_a_duration(text: str) -> None:
    assert not looks_like_duration(text)


@given(st.timedeltas(min_value=timedelta(seconds=1), max_value=timedelta(days=365)))
def test_short_form_is_understood_again(duration: timedelta) -> None:
    whole = timedelta(seconds=round(duration.total_seconds()))
    assert parse_duration(short(whole)) == whole


@given(st.text(max_size=30))
def test_any_text_is_a_duration_or_bad_input(text: str) -> None:
    try:
        assert parse_duration(text) > timedelta()
    except BadInput as error:
        assert error.field == "duration"


def test_words() -> None:
    assert in_words(timedelta(hours=1)) == "1 hour"
    assert in_words(timedelta(hours=1, minutes=30, seconds=5)) == "1 hour 30 minutes"
    assert in_words(timedelta()) == "0 seconds"
