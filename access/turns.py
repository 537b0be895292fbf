"""What only one of several processes does at a time, each in its turn."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

log = logging.getLogger(__name__)

_ELAPSED = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # counts while the machine sleeps, too; Linux only


def elapsed() -> float:
    """Seconds that nobody can set back."""
    return time.clock_gettime(_ELAPSED)


class Turn:
    """Whether it is ours; for the only process it always is.

    Where there are several, a turn lasts for seconds and is prolonged while we are seen to be alive. What is done in it
    is cancelled once it is over: a process that was frozen finds, when it wakes, its work taken out of its hands before
    that goes on.
    """

    def __init__(self, *, shared: bool = False) -> None:
        self.inherited = False  # from a process that may have been in the middle of something
        self._shared = shared
        self._until = -math.inf if shared else math.inf
        self._came = asyncio.Event()
        self._limits: set[asyncio.Timeout] = set()

    @property
    def ours(self) -> bool:
        """Right now, and not only when somebody last looked."""
        return elapsed() < self._until

    def prolong(self, until: float, *, inherited: bool = False) -> None:
        """It is ours until then (`elapsed`)."""
        if not self.ours:
            self.inherited = inherited
        self._until = until
        self._end_at(until)
        self._came.set()

    def lose(self) -> None:
        """It is somebody else's, or this cannot be known: whatever is being done in it stops."""
        if self._shared:
            self._until = -math.inf
        self._end_at(elapsed())

    @asynccontextmanager
    async def held(self) -> AsyncIterator[asyncio.Timeout]:
        """Wait for it, and hold it. Raises TimeoutError, out of the middle of the body, when it is lost."""
        while not self.ours:
            self._came.clear()
            await self._came.wait()
        async with asyncio.timeout_at(_loop_time(self._until)) as limit:
            self._limits.add(limit)
            try:
                yield limit
            finally:
                self._limits.discard(limit)

    async def keep(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it whenever it is our turn, each time from the beginning, until it is done or we are cancelled."""
        while True:
            limit: asyncio.Timeout | None = None
            try:
                async with self.held() as limit:
                    return await work()
            except TimeoutError:
                if limit is None or not limit.expired():
                    raise
                log.warning("the turn is over; it goes on when it comes back", extra={"action": "turn"})

    async def when_ours(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do it now, or not at all."""
        if self.ours:
            async with self.held():
                await work()

    def _end_at(self, until: float) -> None:
        for limit in self._limits:
            if not limit.expired():
                limit.reschedule(_loop_time(until))


def _loop_time(until: float) -> float | None:
    return None if until == math.inf else asyncio.get_running_loop().time() + until - elapsed()
