"""What may follow what. Three tables and `step`; nothing else decides it.

1. A state that has no row ends there: it is terminal and is never left.
2. What is not in the table is not allowed.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeVar

from access.model import GrantState, RequestState, ReviewState


class NotAllowed(Exception):
    """The table has no such step."""


class RequestStep(StrEnum):
    """What can happen to a request."""

    #: a yes that is not yet enough
    VOTE = "vote"
    #: the yes that is enough
    APPROVE = "approve"
    #: people are called: again, or others than before
    CALL = "call"
    DENY = "deny"
    CANCEL = "cancel"
    TIME_OUT = "time_out"


class GrantStep(StrEnum):
    """What can happen to a grant."""

    #: the provider is prepared and its handle recorded
    OPEN = "open"
    #: the provider said a definite no
    REFUSE = "refuse"
    #: the provider's answer is unknown
    LOSE_TRACK = "lose_track"
    #: a probe in quarantine found nothing, and nothing can be in flight any more
    GIVE_UP = "give_up"
    #: the first use starts the clock
    START = "start"
    #: its end is near, and that is said
    WARN = "warn"
    #: a decision of its own moves its end
    EXTEND = "extend"
    #: the deadline, or somebody, ends it
    END = "end"
    #: the provider confirmed and the probe agrees
    CONFIRM_GONE = "confirm_gone"
    #: not confirmed: try again later
    RETRY = "retry"


class ReviewStep(StrEnum):
    """What can happen to a review."""

    #: its reviewers are called
    CALL = "call"
    FLAG = "flag"
    CLOSE = "close"


_R, _RS = RequestState, RequestStep
REQUEST: dict[tuple[RequestState, RequestStep], RequestState] = {
    (_R.PENDING, _RS.VOTE): _R.PENDING,
    (_R.PENDING, _RS.CALL): _R.PENDING,
    (_R.PENDING, _RS.APPROVE): _R.APPROVED,
    (_R.PENDING, _RS.DENY): _R.DENIED,
    (_R.PENDING, _RS.CANCEL): _R.CANCELLED,
    (_R.PENDING, _RS.TIME_OUT): _R.EXPIRED,
}

_G, _GS = GrantState, GrantStep
GRANT: dict[tuple[GrantState, GrantStep], GrantState] = {
    (_G.ISSUING, _GS.OPEN): _G.ACTIVE,
    (_G.ISSUING, _GS.REFUSE): _G.FAILED,
    (_G.ISSUING, _GS.LOSE_TRACK): _G.QUARANTINE,
    (_G.ISSUING, _GS.END): _G.REVOKING,
    (_G.QUARANTINE, _GS.RETRY): _G.QUARANTINE,
    (_G.QUARANTINE, _GS.END): _G.REVOKING,
    (_G.QUARANTINE, _GS.GIVE_UP): _G.FAILED,
    (_G.ACTIVE, _GS.START): _G.ACTIVE,
    (_G.ACTIVE, _GS.WARN): _G.ACTIVE,
    (_G.ACTIVE, _GS.EXTEND): _G.ACTIVE,
    (_G.ACTIVE, _GS.END): _G.REVOKING,
    (_G.REVOKING, _GS.RETRY): _G.REVOKING,
    (_G.REVOKING, _GS.CONFIRM_GONE): _G.REVOKED,
}

_V, _VS = ReviewState, ReviewStep
REVIEW: dict[tuple[ReviewState, ReviewStep], ReviewState] = {
    (_V.OPEN, _VS.CALL): _V.OPEN,
    (_V.OPEN, _VS.FLAG): _V.FLAGGED,
    (_V.OPEN, _VS.CLOSE): _V.REVIEWED,
    (_V.FLAGGED, _VS.CALL): _V.FLAGGED,
    (_V.FLAGGED, _VS.CLOSE): _V.REVIEWED,
}

REQUEST_TERMINAL = frozenset(set(RequestState) - {state for state, _ in REQUEST})
GRANT_TERMINAL = frozenset(set(GrantState) - {state for state, _ in GRANT})

_State = TypeVar("_State", RequestState, GrantState, ReviewState)
_Step = TypeVar("_Step", RequestStep, GrantStep, ReviewStep)


def step(table: dict[tuple[_State, _Step], _State], state: _State, what: _Step) -> _State:
    """The state that follows. Raises NotAllowed."""
    try:
        return table[state, what]
    except KeyError:
        raise NotAllowed(f"{state} has no {what}") from None
