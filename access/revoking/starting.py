"""Step 7 of `access.grants` for many: whatever is due goes to `revoking` in one transaction, before any call."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from access.custody import Custody
from access.events import GrantEnding
from access.extending import close_extension
from access.lifecycle import GRANT, GrantStep, step
from access.model import Cause, Grant, GrantState, Person
from access.ports import Change
from access.retry import CLAIM


def ending(grant: Grant, cause: Cause, now: datetime, by: Person | None = None) -> Change:
    """That it begins to end, claimed for a first try. Raises NotAllowed."""
    moved = replace(
        grant, state=step(GRANT, grant.state, GrantStep.END), cause=cause, ended_by=by, ending_since=now, attempts=1,
        due_at=now + CLAIM, escalated=False, alarms=0,
    )  # fmt: skip
    return Change(grants=(moved,), events=(GrantEnding(at=now, ref=grant.ref, by=by, cause=cause),))


def claimed(grant: Grant, now: datetime) -> Change:
    """That it is tried once more, by us alone."""
    state = step(GRANT, grant.state, GrantStep.RETRY)
    return Change(grants=(replace(grant, state=state, attempts=grant.attempts + 1, due_at=now + CLAIM),))


async def begin(custody: Custody, grants: Sequence[Grant]) -> tuple[Grant, ...]:
    """Those that are ours to end now, as they stand in the store. Raises Unavailable.

    Left out: what has moved on since it was read, and what somebody else is at.
    """
    now = custody.clock.now()
    changes = [_next(grant, now) for grant in grants]
    stood = await custody.store.commit_each(changes, wait=False)
    moved = [change.grants[0] for change, it_stood in zip(changes, stood, strict=True) if it_stood]
    ended = [grant.number for grant in moved if grant.attempts == 1]
    if ended:
        custody.tasks.start(_close_extensions(custody, ended), name="close extensions")
    return tuple(replace(grant, version=grant.version + 1) for grant in moved)


def _next(grant: Grant, now: datetime) -> Change:
    if grant.state is GrantState.REVOKING:
        return claimed(grant, now)
    return ending(grant, Cause.DEADLINE if grant.started_at else Cause.NOT_USED, now)


async def _close_extensions(custody: Custody, numbers: Iterable[int]) -> None:
    """What waits to prolong grants that have ended is over too."""
    for request in await custody.store.pending_extensions(tuple(numbers)):
        await close_extension(custody.store, request, custody.clock.now())
