"""What makes things end by themselves: looks at what is due, and does it.

The rows are the schedule. A missed tick, a restart or a jumping clock only means that the next look finds more.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import timedelta

from access.broker import Broker
from access.ports import Clock, Store
from access.tasks import Tasks

log = logging.getLogger(__name__)

AHEAD = timedelta(seconds=1)  # rows due within this are taken up now and acted on at their exact moment
BATCH = 500
AT_ONCE = 8  # more calls at a time make the target slower, not the work faster


@dataclass
class Sweeper:
    """One pass per tick; the clockwork outside calls `sweep` at least once a second."""

    store: Store
    broker: Broker
    clock: Clock
    tasks: Tasks
    _busy: set[tuple[str, int]] = field(default_factory=set)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    swept: int = 0

    async def sweep(self) -> None:
        """Take up everything due within the next second. Raises Unavailable when the store does not answer."""
        due = await self.store.due(self.clock.now() + AHEAD, BATCH)
        for number in due.grants:
            self._take("grant", number)
        for number in due.requests:
            self._take("request", number)

    def _take(self, kind: str, number: int) -> None:
        if (kind, number) not in self._busy:
            self._busy.add((kind, number))
            self.tasks.start(self._act(kind, number), name=f"settle {kind} {number}")

    async def _act(self, kind: str, number: int) -> None:
        try:
            await self._wait_for_it(kind, number)
            async with self._slots:
                await (self.broker.endings.settle(number) if kind == "grant" else self.broker.lapse(number))
            self.swept += 1
        finally:
            self._busy.discard((kind, number))

    async def _wait_for_it(self, kind: str, number: int) -> None:
        row = await (self.store.grant(number) if kind == "grant" else self.store.request(number))
        if row is not None and row.due_at is not None:
            early = (row.due_at - self.clock.now()).total_seconds()
            await asyncio.sleep(max(0.0, min(early, AHEAD.total_seconds())))
