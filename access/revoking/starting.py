"""Step 7 of `access.granting.grants` for many: what is due goes to `revoking` in one transaction, before any call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from access.events import GrantEnding
from access.granting.custody import Custody
from access.lifecycle import GRANT, GrantStep, step
from access.model import Cause, Grant, GrantState, Person
from access.ports import Change
from access.requesting.extending import close_extension
from access.retry import CLAIM

STALE = timedelta(seconds=5)  # by then a clock has jumped, or we stood still: what was foreseen has a wrong time


def ending(
    grant: Grant, cause: Cause, now: datetime, by: Person | None = None, claim: int | None = None
) -> Change:  # fmt: skip
    """That it begins to end, claimed for a first try. Raises NotAllowed."""
    moved = replace(
        grant, state=step(GRANT, grant.state, GrantStep.END), cause=cause, ended_by=by, ending_since=now, attempts=1,
        due_at=now + CLAIM, escalated=False, alarms=0, claim=claim,
    )  # fmt: skip
    return Change(grants=(moved,), events=(GrantEnding(at=now, ref=grant.ref, by=by, cause=cause),))


def claimed(grant: Grant, now: datetime, claim: int | None = None) -> Change:
    """That it is tried once more, by us alone."""
    state = step(GRANT, grant.state, GrantStep.RETRY)
    tries = grant.attempts + 1
    return Change(grants=(replace(grant, state=state, attempts=tries, due_at=now + CLAIM, claim=claim),))


@dataclass(frozen=True, slots=True)
class Foreseen:
    """An end that was made ready before its moment, when there was time: in it, thousands may have to begin."""

    grant: Grant  # as it was read
    claim: int | None
    at: datetime  # that its change says
    change: Change
    begun: Grant  # as it stands once that is written


def foresee(custody: Custody, grant: Grant, *, waits: bool = True) -> Foreseen:
    """What is due later begins when it is due, if whoever holds this waits for that moment."""
    now, claim = custody.clock.now(), custody.claimant()
    at = max(now, grant.due_at or now) if waits else now
    change = _next(grant, at, claim)
    (moved,) = change.grants
    return Foreseen(grant, claim, at, change, replace(moved, version=moved.version + 1))


async def begin(custody: Custody, grants: Sequence[Grant]) -> tuple[Grant, ...]:
    """`begin_foreseen` for what was not foreseen."""
    return await begin_foreseen(custody, [foresee(custody, grant) for grant in grants])


async def begin_foreseen(custody: Custody, ends: Sequence[Foreseen]) -> tuple[Grant, ...]:
    """Those that are ours to end now, as they stand in the store. Raises Unavailable.

    Left out: what has moved on since it was read, and what somebody else is at.
    """
    claim, now = custody.claimant(), custody.clock.now()
    ends = [end if end.claim == claim and now - end.at < STALE else foresee(custody, end.grant) for end in ends]
    stood = await custody.store.commit_each([end.change for end in ends], wait=False)
    begun = tuple(end.begun for end, it_stood in zip(ends, stood, strict=True) if it_stood)
    ended = [grant.number for grant in begun if grant.attempts == 1]
    if ended:
        custody.tasks.start(_close_extensions(custody, ended), name="close extensions")
    return begun


def _next(grant: Grant, now: datetime, claim: int | None) -> Change:
    if grant.state is GrantState.REVOKING:
        return claimed(grant, now, claim)
    return ending(grant, Cause.DEADLINE if grant.started_at else Cause.NOT_USED, now, claim=claim)


async def _close_extensions(custody: Custody, numbers: Iterable[int]) -> None:
    """What waits to prolong grants that have ended is over too."""
    for request in await custody.store.pending_extensions(tuple(numbers)):
        await close_extension(custody.store, request, custody.clock.now())
