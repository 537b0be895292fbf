"""Ends that are due within moments: each begun at its exact moment, all that are due by then in one transaction."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from access.ending.endings import Endings
from access.errors import AccessError
from access.granting.custody import Custody
from access.model import Grant
from access.ports import Clock
from access.revoking.stand_in import StandIn
from access.revoking.starting import Foreseen, begin_foreseen, foresee
from access.tasks import Tasks

log = logging.getLogger(__name__)

AT_FIRST = 100  # begun in one transaction, so that the first calls do not wait for the last row
AT_ONCE = 1000  # the same, once there are calls to make meanwhile
_NEARLY = timedelta(milliseconds=20)


@dataclass
class Beginning:
    """`foresee`, then `start`: it waits by itself. `busy`, which whoever looks shares, has a grant until it is done."""

    endings: Endings
    clock: Clock
    tasks: Tasks
    busy: set[tuple[str, int]]
    stand_in: StandIn | None = None  # for the database, while it does not answer
    _ahead: list[tuple[datetime, int, Foreseen]] = field(default_factory=list)  # a heap
    _sooner: asyncio.Event = field(default_factory=asyncio.Event)
    _is_running: bool = False

    @property
    def unwritten(self) -> int:
        """What was done while the database was away, and is still due there."""
        return self.stand_in.unwritten if self.stand_in is not None else 0

    def is_held(self, number: int) -> bool:
        """What was done while the database was away is written down first."""
        return self.stand_in is not None and self.stand_in.holds(number)

    def foresee(self, grant: Grant, due_at: datetime) -> None:
        """To be begun then."""
        self.busy.add(("grant", grant.number))
        heapq.heappush(self._ahead, (due_at, grant.number, foresee(self._custody, grant)))
        self._sooner.set()

    def start(self) -> None:
        """Begin what is foreseen, each in time."""
        if self._ahead and not self._is_running:
            self._is_running = True
            self.tasks.start(self._begin_in_time(), name="begin ends")

    async def begin(self, grants: Sequence[Grant]) -> None:
        """At once, though they may be claimed until later."""
        await self._begin([foresee(self._custody, grant, waits=False) for grant in grants])

    @property
    def _custody(self) -> Custody:
        return self.endings.custody

    async def _begin_in_time(self) -> None:
        most = AT_FIRST
        try:
            while self._ahead:
                if await self._wait_for_the_first():
                    most = AT_FIRST
                due = self._due(most)
                most = min(AT_ONCE, 4 * most)
                if due:
                    await self._begin(due)
                elif not self._sooner.is_set():
                    return self._let_go()
        finally:
            self._is_running = False
            self.endings.proving.coming = 0

    def _due(self, most: int) -> list[Foreseen]:
        now, due = self.clock.now(), list[Foreseen]()
        while self._ahead and self._ahead[0][0] <= now and len(due) < most:
            due.append(heapq.heappop(self._ahead)[2])
        is_more = bool(self._ahead) and self._ahead[0][0] <= now
        self.endings.proving.coming = len(self._ahead) if is_more else 0
        return due

    async def _wait_for_the_first(self) -> bool:
        """Whether there was a wait."""
        waited = False
        while True:
            self._sooner.clear()
            early = self._ahead[0][0] - self.clock.now()
            if early <= timedelta(0):
                return waited
            waited = True
            try:
                async with asyncio.timeout(early.total_seconds()):
                    await self._sooner.wait()
            except TimeoutError:
                if not timedelta(0) < self._ahead[0][0] - self.clock.now() < _NEARLY:
                    return waited

    def _let_go(self) -> None:
        """The clock did not come as far as it should have: the next look reads these rows again."""
        self.busy.difference_update(("grant", number) for _, number, _ in self._ahead)
        self._ahead.clear()

    async def _begin(self, due: Sequence[Foreseen]) -> None:
        begun: tuple[Grant, ...] = ()
        numbers = {end.grant.number for end in due}
        try:
            begun = await self._begun([end for end in due if not self.is_held(end.grant.number)])
            self.endings.proving.prove_all(begun, self._done)
        except AccessError as error:
            log.warning("ends are not begun; the next look does it", extra={"action": "sweep", "why": str(error)})
            if self.stand_in is not None:
                self.stand_in.end([end.grant for end in due])
        finally:
            taken = {grant.number for grant in begun}
            self.busy.difference_update(("grant", number) for number in numbers if number not in taken)

    async def _begun(self, ends: Sequence[Foreseen]) -> tuple[Grant, ...]:
        """One that cannot be begun is parted from the others, which must not suffer for it. Raises AccessError."""
        try:
            return await begin_foreseen(self._custody, ends)
        except AccessError:
            raise
        except Exception:
            if len(ends) < 2:
                refs = ", ".join(end.grant.ref for end in ends)
                log.exception("an end cannot be begun", extra={"action": "sweep", "ref": refs})
                return ()
        half = len(ends) // 2
        return (*await self._begun(ends[:half]), *await self._begun(ends[half:]))

    def _done(self, number: int) -> None:
        self.busy.discard(("grant", number))
