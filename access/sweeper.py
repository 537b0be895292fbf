"""What makes things end by themselves: looks at what is due, and does it.

The rows are the schedule. A missed look, a restart or a jumping clock only means that the next look finds more.
Ends are read ahead without being touched, and begun at their exact moment, all that are due in one transaction.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from access.broker import Broker
from access.errors import AccessError
from access.model import Grant, GrantState
from access.ports import Clock, Store
from access.retry import CLAIM
from access.revoking.starting import begin
from access.tasks import Tasks

log = logging.getLogger(__name__)

AHEAD = timedelta(seconds=2)  # rows due within this are taken up now and acted on at their exact moment
EVERY = 0.5  # seconds between looks: what a lost wake-up, a jumping clock or another process' row costs at most
BATCH = 2000  # rows in one look; where there are more, the next look follows at once
AT_ONCE = 1000  # begun in one transaction, so that the first calls do not wait for the last row
_NEARLY = timedelta(milliseconds=20)


@dataclass
class Sweeper:
    """`run` looks for ever, more than once a second; `sweep` is one look."""

    store: Store
    broker: Broker
    clock: Clock
    tasks: Tasks
    batch: int = BATCH
    last_look: datetime | None = None  # that was answered
    swept: int = 0
    _busy: set[tuple[str, int]] = field(default_factory=set)
    _ahead: list[tuple[datetime, int, Grant]] = field(default_factory=list)  # a heap
    _sooner: asyncio.Event = field(default_factory=asyncio.Event)
    _is_beginning: bool = False

    async def run(self) -> None:
        """Until cancelled. Sleeps on elapsed time, so that a clock which is set back holds nothing up."""
        while True:
            there_is_more = False
            try:
                there_is_more = await self.sweep()
            except AccessError as error:
                log.warning("what is due cannot be read", extra={"action": "sweep", "why": str(error)})
            except Exception:
                log.exception("a look failed; the next one follows", extra={"action": "sweep"})
            await asyncio.sleep(0 if there_is_more else EVERY)

    async def sweep(self) -> bool:
        """Take up what is due soon; whether there is more of it than one look takes. Raises Unavailable."""
        # What is already taken up must not hide what is due behind it.
        limit = self.batch + len(self._busy)
        due = await self.store.due(self.clock.now() + AHEAD, limit)
        new = [number for number in due.grants if ("grant", number) not in self._busy]
        self._take_grants((await self.store.grants_by_number(new)).values())
        for number in due.requests:
            self._take("request", number, self._look_at_request(number))
        for number in due.reviews:
            self._take("review", number, self.broker.reviews.remind(number))
        self.last_look = self.clock.now()
        return len(due.grants) >= limit

    async def take_over(self) -> None:
        """Once, at the start: nobody waits for revocations that a stopped server had claimed.

        To repeat one that another, living server is at is harmless.
        """
        due = await self.store.due(self.clock.now() + CLAIM, self.batch)
        grants = (await self.store.grants_by_number(due.grants)).values()
        mine = [g for g in grants if g.state is GrantState.REVOKING and ("grant", g.number) not in self._busy]
        self._busy |= {("grant", grant.number) for grant in mine}
        await self._begin(mine)

    def _take_grants(self, grants: Sequence[Grant] | Any) -> None:
        for grant in grants:
            if ("grant", grant.number) in self._busy or grant.due_at is None:
                continue
            if _is_an_end(grant, self.clock.now()):
                self._busy.add(("grant", grant.number))
                heapq.heappush(self._ahead, (grant.due_at, grant.number, grant))
                self._sooner.set()
            else:
                self._take("grant", grant.number, self._settle(grant))
        if self._ahead and not self._is_beginning:
            self._is_beginning = True
            self.tasks.start(self._begin_in_time(), name="begin ends")

    def _take(self, kind: str, number: int, work: Coroutine[Any, Any, None]) -> None:
        if (kind, number) in self._busy:
            work.close()
            return
        self._busy.add((kind, number))
        task = self.tasks.start(work, name=f"settle {kind} {number}")
        task.add_done_callback(lambda _: self._busy.discard((kind, number)))

    # Ends

    async def _begin_in_time(self) -> None:
        try:
            while self._ahead:
                await self._wait_for_the_first()
                now = self.clock.now()
                due: list[Grant] = []
                while self._ahead and self._ahead[0][0] <= now and len(due) < AT_ONCE:
                    due.append(heapq.heappop(self._ahead)[2])
                if due:
                    await self._begin(due)
                elif not self._sooner.is_set():
                    return self._let_go()
        finally:
            self._is_beginning = False

    async def _wait_for_the_first(self) -> None:
        while True:
            self._sooner.clear()
            early = self._ahead[0][0] - self.clock.now()
            if early <= timedelta(0):
                return
            try:
                async with asyncio.timeout(early.total_seconds()):
                    await self._sooner.wait()
            except TimeoutError:
                if not timedelta(0) < self._ahead[0][0] - self.clock.now() < _NEARLY:
                    return

    def _let_go(self) -> None:
        """The clock did not come as far as it should have: the next look reads these rows again."""
        self._busy -= {("grant", number) for _, number, _ in self._ahead}
        self._ahead.clear()

    async def _begin(self, due: Sequence[Grant]) -> None:
        moved: tuple[Grant, ...] = ()
        endings = self.broker.endings
        try:
            moved = await begin(endings.custody, due)
            endings.proving.prove_all(moved, self._done)
        except AccessError as error:
            log.warning("ends are not begun; the next look does it", extra={"action": "sweep", "why": str(error)})
        finally:
            taken = {grant.number for grant in moved}
            self._busy -= {("grant", grant.number) for grant in due if grant.number not in taken}

    def _done(self, number: int) -> None:
        self._busy.discard(("grant", number))
        self.swept += 1

    # Everything else

    async def _settle(self, grant: Grant) -> None:
        await self._wait_for(grant.due_at)
        await self.broker.endings.settle(grant.number)
        self.swept += 1

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


def _is_an_end(grant: Grant, now: datetime) -> bool:
    """Due because it is over, or because its last try failed; not because something is to be said or settled."""
    if grant.state is GrantState.ACTIVE:  # after a standstill the warning is overdue, too
        return grant.expires_at <= now or (grant.due_at is not None and grant.due_at >= grant.expires_at)
    return grant.state is GrantState.REVOKING
