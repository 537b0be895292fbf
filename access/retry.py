"""When to try again, and when to raise the alarm. Tries never stop: only what is said about them changes."""

from __future__ import annotations

import random
from datetime import timedelta

CLAIM = timedelta(seconds=30)  # outlasts the slowest provider call and commit; after it somebody else may take over
ISSUING = timedelta(seconds=30)
QUARANTINE = (timedelta(seconds=5), timedelta(seconds=30), timedelta(seconds=120))
_AT_LEAST = 0.1  # seconds: no provider is asked again within the same breath
_ALARM_TRIES = 3
_ALARMS = (timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=5))


def pause(tries: int) -> timedelta:
    """Up to 1, 2, 4 … 60 s, at random (full jitter), so that a thousand grants do not knock at once."""
    ceiling = min(60.0, 2.0 ** min(6, max(0, tries - 1)))
    return timedelta(seconds=random.uniform(_AT_LEAST, ceiling))  # noqa: S311 (jitter, not a secret)


def alarms_by(tries: int, trying_for: timedelta) -> int:
    """How often people must have been called by now; the first time also after a few tries, however quick."""
    by_time = sum(trying_for >= after for after in _ALARMS)
    return max(by_time, 1) if tries >= _ALARM_TRIES else by_time


def quarantine_pause(tries: int) -> timedelta | None:
    """Time to the next look, or None when no request can be in flight any more."""
    steps = (QUARANTINE[0], QUARANTINE[1] - QUARANTINE[0], QUARANTINE[2] - QUARANTINE[1])
    return steps[tries] if tries < len(steps) else None
