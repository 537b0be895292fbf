"""The server's clock: the wall clock, but it never runs backwards and never falls behind real elapsed time.

An expiry that was one minute away stays one minute away when somebody sets the wall clock back an hour.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Lock

_ELAPSED = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # BOOTTIME also counts suspend; Linux only


def wall_time() -> datetime:
    """What the machine says."""
    return datetime.now(UTC)


class SystemClock:
    """`access.ports.Clock` for a running server."""

    def __init__(self, wall: Callable[[], datetime] = wall_time) -> None:
        self._wall = wall
        self._one = Lock()
        self._ahead = timedelta(0)
        self._last = wall()
        self._mark = time.clock_gettime(_ELAPSED)

    def correct(self, ahead: timedelta) -> None:
        """The machine is ahead of the clock that counts by this much. For the start: what was said before is void."""
        with self._one:
            self._ahead = ahead
            self._last, self._mark = self._wall() - ahead, time.clock_gettime(_ELAPSED)

    def now(self) -> datetime:
        with self._one:  # threads of the store ask too
            # In this order: stopped between the two, we would else run ahead by that much for good.
            wall, mark = self._wall() - self._ahead, time.clock_gettime(_ELAPSED)
            at_least = self._last + timedelta(seconds=max(0.0, mark - self._mark))
            self._last, self._mark = max(wall, at_least), mark
            return self._last
