"""Writing down, once the database answers again, what was done meanwhile. To do it twice changes nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from access.errors import Stale
from access.granting.custody import Custody
from access.granting.reviews import at_the_end_of
from access.model import Grant
from access.ports import Change
from access.requesting.extending import close_extension
from access.revoking.outcome import Outcome, goes_on, written_down

log = logging.getLogger(__name__)

MOST = 500  # outcomes in one transaction
_RACES = 3


async def replay(custody: Custody, outcomes: Sequence[Outcome]) -> None:
    """Raises Unavailable: then some of them may be written, and all of them may be given again."""
    for start in range(0, len(outcomes), MOST):
        some = {outcome.number: outcome for outcome in outcomes[start : start + MOST]}
        for _ in range(_RACES):  # whoever has just lost a race is judged by what the winner wrote
            some = await _replay(custody, some)
            if not some:
                break


async def _replay(custody: Custody, outcomes: dict[int, Outcome]) -> dict[int, Outcome]:
    """Those whose row moved on while it was written."""
    now = custody.clock.now()
    grants = await custody.store.grants_by_number(tuple(outcomes))
    _tell_of_those_that_go_on(grants.values(), outcomes)
    decided = [written_down(grant, outcomes[number], now) for number, grant in grants.items()]
    changes = [await _complete(custody, change, now) for change in decided if change is not None]
    stood = await _commit(custody, changes)
    numbers = [change.grants[0].number for change in changes]
    await _close_extensions(custody, [number for number, it_stood in zip(numbers, stood, strict=True) if it_stood])
    return {number: outcomes[number] for number, it_stood in zip(numbers, stood, strict=True) if not it_stood}


def _tell_of_those_that_go_on(grants: Iterable[Grant], outcomes: dict[int, Outcome]) -> None:
    for grant in grants:
        if goes_on(grant, outcomes[grant.number]):
            log.warning(
                "a grant was prolonged unseen; what had been handed out is dead, and collecting anew works",
                extra={"action": "stand in", "ref": grant.ref},
            )


async def _complete(custody: Custody, change: Change, now: datetime) -> Change:
    """With the review that begins where the grant ends, if there is to be one."""
    (grant,) = change.grants
    if grant.ended_at is None or not grant.review:
        return change
    review = await at_the_end_of(custody, grant, now)
    return replace(change, reviews=review.reviews, events=(*change.events, *review.events))


async def _commit(custody: Custody, changes: Sequence[Change]) -> Sequence[bool]:
    if not changes:
        return ()
    try:
        return await custody.store.commit_each(changes)
    except Stale:  # one of them cannot be; the others need not suffer for it
        return [await custody.try_commit(change) for change in changes]


async def _close_extensions(custody: Custody, numbers: Sequence[int]) -> None:
    """What waits to prolong grants that have ended is over too."""
    if numbers:
        found = await custody.store.pending_extensions(numbers)
        await asyncio.gather(*(close_extension(custody.store, each, custody.clock.now()) for each in found))
