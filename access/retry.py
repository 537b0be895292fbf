"""When to try again, and when to raise the alarm. Tries never stop: only what is said about them changes."""

from __future__ import annotations

import random
from datetime import timedelta

from access.model import Grant

CLAIM = timedelta(seconds=30)  # outlasts the slowest provider call and commit; after it somebody else may take over
ISSUING = timedelta(seconds=30)
QUARANTINE = (timedelta(seconds=5), timedelta(seconds=30), timedelta(seconds=120))
_ESCALATE_TRIES = 3
_ESCALATE_AFTER = timedelta(seconds=30)


def pause(tries: int) -> timedelta:
    """1, 2, 4 … 60 s with full jitter, so that a thousand grants do not knock at once."""
    ceiling = min(60.0, 2.0 ** max(0, tries - 1))
    return timedelta(seconds=random.uniform(ceiling / 2, ceiling))  # noqa: S311 (jitter, not a secret)


def must_escalate(grant: Grant, trying_for: timedelta) -> bool:
    """Whether a revocation has now failed often or long enough to call for people."""
    return not grant.escalated and (grant.attempts >= _ESCALATE_TRIES or trying_for >= _ESCALATE_AFTER)


def quarantine_pause(tries: int) -> timedelta | None:
    """Time to the next look, or None when no request can be in flight any more."""
    steps = (QUARANTINE[0], QUARANTINE[1] - QUARANTINE[0], QUARANTINE[2] - QUARANTINE[1])
    return steps[tries] if tries < len(steps) else None
