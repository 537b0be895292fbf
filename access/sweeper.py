"""What makes things end by themselves: looks at what is due, and does it.

The rows are the schedule. A missed tick, a restart or a jumping clock only means that the next look finds more.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from access.broker import Broker
from access.model import GrantState
from access.ports import Clock, Store
from access.retry import CLAIM
from access.tasks import Tasks

AHEAD = timedelta(seconds=1)  # rows due within this are taken up now and acted on at their exact moment
BATCH = 500
AT_ONCE = 8  # per provider: more calls at a time make the target slower, not the work faster


@dataclass
class Sweeper:
    """One pass per tick; the clockwork outside calls `sweep` at least once a second."""

    store: Store
    broker: Broker
    clock: Clock
    tasks: Tasks
    batch: int = BATCH
    _busy: set[tuple[str, int]] = field(default_factory=set)
    _slots: defaultdict[str, asyncio.Semaphore] = field(
        default_factory=lambda: defaultdict(lambda: asyncio.Semaphore(AT_ONCE))  # so that a slow one delays only itself
    )
    swept: int = 0

    async def sweep(self) -> None:
        """Take up everything due within the next second. Raises Unavailable when the store does not answer."""
        # What is already taken up must not hide what is due behind it.
        due = await self.store.due(self.clock.now() + AHEAD, self.batch + len(self._busy))
        for number in due.grants:
            self._take("grant", number, self._settle(number))
        for number in due.requests:
            self._take("request", number, self._look_at_request(number))
        for number in due.reviews:
            self._take("review", number, self.broker.reviews.remind(number))

    async def take_over(self) -> None:
        """Once, at the start: nobody waits for revocations that a stopped server had claimed.

        To repeat one that another, living server is at is harmless.
        """
        due = await self.store.due(self.clock.now() + CLAIM, self.batch)
        for number in due.grants:
            self._take("grant", number, self._take_over(number))

    def _take(self, kind: str, number: int, work: Coroutine[Any, Any, None]) -> None:
        if (kind, number) in self._busy:
            work.close()
            return
        self._busy.add((kind, number))
        task = self.tasks.start(work, name=f"settle {kind} {number}")
        task.add_done_callback(lambda _: self._busy.discard((kind, number)))

    async def _settle(self, number: int) -> None:
        grant = await self.store.grant(number)
        if grant is None:
            return
        await self._wait_for(grant.due_at)
        async with self._slots[grant.provider]:
            await self.broker.endings.settle(number)
        self.swept += 1

    async def _take_over(self, number: int) -> None:
        grant = await self.store.grant(number)
        if grant is not None and grant.state is GrantState.REVOKING:
            async with self._slots[grant.provider]:
                await self.broker.endings.take_over(number)

    async def _look_at_request(self, number: int) -> None:
        request = await self.store.request(number)
        if request is not None:
            await self._wait_for(request.due_at)
            await self.broker.look(number)
            self.swept += 1

    async def _wait_for(self, moment: datetime | None) -> None:
        if moment is not None:
            early = (moment - self.clock.now()).total_seconds()
            await asyncio.sleep(max(0.0, min(early, AHEAD.total_seconds())))
