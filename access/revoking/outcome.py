"""What was done about one grant while the database did not answer, and how it is written down when it does again. Pure.

Nothing here can give access or prolong it: the stored row has moved on, or is moved towards its end.

    the row now                        what is written
    active, as it was last known       its beginning and, where it is proven, its end, with the times they had
    active, its end lies later now     nothing: it goes on. Whatever had been handed out is dead; collecting anew works
    active, otherwise changed          its beginning; then it is ended once more, with everything that is known by now
    ending, as it was last known, or   its end, where it is proven
    since then and nothing else
    anything else                      nothing: somebody has ended it, or is at it
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from access.events import Event, GrantEnded, GrantEnding, RevocationFailed
from access.model import Cause, Grant, GrantState
from access.ports import Change, Gone
from access.revoking.proving import gone
from access.revoking.starting import ending


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far it came. `version` and `expires_at` are what was known of the row."""

    number: int
    version: int
    expires_at: datetime
    begun_at: datetime
    tries: int = 0
    failed_at: datetime | None = None  # the first try that proved nothing
    why: str = ""  # and what the provider said then
    gone: Gone | None = None
    gone_at: datetime | None = None


def goes_on(grant: Grant, outcome: Outcome) -> bool:
    """Whether it got a later end that was not known when it was ended."""
    return grant.state is GrantState.ACTIVE and grant.expires_at > outcome.expires_at


def written_down(grant: Grant, outcome: Outcome, now: datetime) -> Change | None:
    """What of it the store takes, guarded by the row's version as always; None for nothing."""
    is_as_known = grant.version == outcome.version
    if grant.state is GrantState.REVOKING and outcome.gone and (is_as_known or _has_only_begun(grant, outcome)):
        since = min(grant.ending_since or outcome.begun_at, outcome.begun_at)
        return _late(_ended(replace(grant, ending_since=since), outcome), now)
    if grant.state is not GrantState.ACTIVE or goes_on(grant, outcome):
        return None
    begun = ending(grant, Cause.DEADLINE if grant.started_at else Cause.NOT_USED, outcome.begun_at)
    moved = replace(begun.grants[0], attempts=max(1, outcome.tries), due_at=now)
    events = (*begun.events, *_failure(grant, outcome))
    if not (is_as_known and outcome.gone):
        return _late(Change(grants=(moved,), events=events), now)
    over = _ended(moved, outcome)
    return _late(replace(over, events=(*events, *over.events)), now)


def _has_only_begun(grant: Grant, outcome: Outcome) -> bool:
    """Its row was written once since it was known, and what was written is that it ends."""
    return grant.version == outcome.version + 1 and grant.attempts == 1


def _ended(grant: Grant, outcome: Outcome) -> Change:
    assert outcome.gone is not None and outcome.gone_at is not None  # noqa: PT018 (one thing, said by two fields)
    return gone(grant, outcome.gone, outcome.gone_at)


def _failure(grant: Grant, outcome: Outcome) -> tuple[Event, ...]:
    if outcome.failed_at is None:
        return ()
    return (RevocationFailed(at=outcome.failed_at, ref=grant.ref, tries=1, why=outcome.why, escalated=False),)


def _late(change: Change, now: datetime) -> Change:
    """An entry's own time is that of its writing, or it would be dated back; when it happened is said in it."""
    events = [
        replace(event, at=now, happened_at=min(now, event.at))
        for event in change.events
        if isinstance(event, GrantEnding | RevocationFailed | GrantEnded)
    ]
    return replace(change, events=tuple(events))
