"""The life cycle holds in every state that can be reached, and the search finds each rule that is left out."""

from __future__ import annotations

import pytest

from tests.proving.model import BROKEN, Rules, check


def test_the_design_holds_in_every_state() -> None:
    verdict = check(Rules())
    assert verdict.states > 1000
    assert verdict.violations == {}
    assert verdict.hopeless == 0


@pytest.mark.parametrize("name", BROKEN)
def test_a_rule_that_is_left_out_is_found(name: str) -> None:
    assert check(BROKEN[name]).violations


def test_more_crashes_find_nothing_more() -> None:
    assert check(Rules(most_crashes=6)).violations == {}
