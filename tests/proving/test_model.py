"""The life cycle holds in every state that can be reached, and the search finds each rule that is left out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.proving import model_ends as ends
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


def test_ends_by_several_processes_and_from_memory_hold_too() -> None:
    """Without deaths, as below; `make prove-model` has them."""
    verdict = ends.check(ends.Rules(most_deaths=0))
    assert verdict.states > 2_000
    assert verdict.violations == {}
    assert verdict.hopeless == 0


@pytest.mark.parametrize("name", ends.BROKEN)
def test_a_rule_of_theirs_that_is_left_out_is_found(name: str) -> None:
    rules = ends.BROKEN[name]
    assert ends.check(replace(rules, most_deaths=int(not rules.claims_end_with_their_process))).is_broken
