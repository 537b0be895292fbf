from __future__ import annotations

import pytest

from access.lifecycle import GRANT, GRANT_TERMINAL, REQUEST, REQUEST_TERMINAL, GrantStep, NotAllowed, RequestStep, step
from access.model import GrantState, RequestState


def test_every_state_has_a_row_or_is_terminal_on_purpose() -> None:
    assert {
        RequestState.APPROVED,
        RequestState.DENIED,
        RequestState.CANCELLED,
        RequestState.EXPIRED,
    } == REQUEST_TERMINAL
    assert {GrantState.REVOKED, GrantState.FAILED} == GRANT_TERMINAL


def test_every_step_is_used() -> None:
    assert {what for _, what in REQUEST} == set(RequestStep)
    assert {what for _, what in GRANT} == set(GrantStep)


@pytest.mark.parametrize("state", sorted(GRANT_TERMINAL))
@pytest.mark.parametrize("what", list(GrantStep))
def test_a_terminal_grant_is_never_left(state: GrantState, what: GrantStep) -> None:
    with pytest.raises(NotAllowed):
        step(GRANT, state, what)


def test_every_grant_can_reach_an_end() -> None:
    reaches = set(GRANT_TERMINAL)
    for _ in GrantState:
        reaches |= {state for (state, _), to in GRANT.items() if to in reaches}
    assert reaches == set(GrantState)


def test_revoking_is_left_only_by_proof() -> None:
    ways_out = {what for (state, what), to in GRANT.items() if state is GrantState.REVOKING and to is not state}
    assert ways_out == {GrantStep.CONFIRM_GONE}
