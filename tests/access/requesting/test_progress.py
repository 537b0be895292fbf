"""Stages as they are written into the log, and read back."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.requesting.progress import Stage, read_stage

some = st.lists(st.text(max_size=80), max_size=6).map(tuple)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
whole = moments.map(lambda moment: moment.replace(microsecond=0))


@given(st.builds(Stage, st.integers(1, 20), some, some, some, st.one_of(st.none(), whole), st.booleans()))
def test_what_is_written_is_read_back(stage: Stage) -> None:
    line = stage.written()
    assert read_stage(line) == stage
    assert "\n" not in line


@pytest.mark.parametrize("line", ["", "null", "[]", "3", "{}", '{"needed":"x"}', '{"needed":1,"of":3}', "{"])
def test_what_a_later_version_writes_is_passed_over(line: str) -> None:
    assert read_stage(line) is None
