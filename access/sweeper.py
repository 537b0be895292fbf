"""What makes things end by themselves: looks at what is due, and does it.

The rows are the schedule. A missed look, a restart or a jumping clock only means that the next look finds more.
Ends are read ahead without being touched, and begun at their exact moment, all that are due in one transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from access.broker import Broker
from access.ending.beginning import AT_ONCE, Beginning
from access.ending.endings import Endings
from access.errors import AccessError
from access.model import Grant, GrantState
from access.ports import Clock, Due, Share, Store
from access.retry import CLAIM
from access.tasks import Tasks

log = logging.getLogger(__name__)

AHEAD = timedelta(seconds=2)  # rows due within this are taken up now and acted on at their exact moment
EVERY = 0.5  # seconds between looks: what a lost wake-up, a jumping clock or another process' row costs at most
BATCH = 2000  # rows in one look; where there are more, the next look follows at once
_SLICE = 200  # grants that are taken up without a pause for others
_PATIENCE = 4 * CLAIM  # with a process that is there
_OVERDUE = timedelta(seconds=3)


@dataclass(frozen=True)
class OnlyEnds:
    """In place of a broker, where nobody is there to be asked or called."""

    endings: Endings


@dataclass
class Sweeper:
    """`run` looks for ever, more than once a second; `sweep` is one look."""

    store: Store
    broker: Broker | OnlyEnds
    clock: Clock
    tasks: Tasks
    batch: int = BATCH
    last_look: datetime | None = None  # that was answered
    _others: frozenset[int] = frozenset()  # processes that are at work beside us: what they are at is left to them
    _share: tuple[int, int] = (0, 1)  # every how-manieth number is ours
    _now: asyncio.Event = field(default_factory=asyncio.Event)  # to look
    _busy: set[tuple[str, int]] = field(default_factory=set)
    ends: Beginning = field(init=False)

    def __post_init__(self) -> None:
        self.ends = Beginning(self.broker.endings, self.clock, self.tasks, self._busy)
        self.broker.endings.proving.waiting.wake = self.try_again

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
            if there_is_more:
                self._now.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY):
                    await self._now.wait()
            self._now.clear()

    @property
    def is_busy(self) -> bool:
        """With anything that is due, or will be within seconds."""
        return bool(self._busy)

    def beside(self, others: frozenset[int], me: int) -> None:
        """Which processes are at work, and who we are: what is due is shared among all."""
        if others != self._others:
            everybody = sorted(others | {me})
            self._others, self._share = others, (everybody.index(me), len(everybody))
            self._now.set()

    async def sweep(self) -> bool:
        """Take up what is due soon; whether there is more of it than one look takes. Raises Unavailable."""
        # What is already taken up must not hide what is due behind it.
        limit = self.batch + len(self._busy) + self.ends.unwritten
        due = await self.store.due(self.clock.now() + AHEAD, limit, self._ours())
        new = [number for number in due.grants if ("grant", number) not in self._busy and not self.ends.is_held(number)]
        for i in range(0, len(new), _SLICE):  # where the database is slow, what was read so far is begun all the same
            self._take_grants((await self.store.grants_by_number(new[i : i + _SLICE])).values())
            await asyncio.sleep(0)
        if isinstance(self.broker, Broker):
            self._take_people(due, self.broker)
        self.last_look = self.clock.now()
        return len(due.grants) >= limit

    def _ours(self) -> Share | None:
        """What another should have begun by now is everybody's; what it has claimed must not hide what nobody has."""
        (nth, of), now = self._share, self.clock.now()
        return Share(nth, of, now - _OVERDUE, self._others, now - _PATIENCE) if of > 1 else None

    def _take_people(self, due: Due, broker: Broker) -> None:
        for number in due.requests:
            self._take("request", number, self._look_at_request(number, broker))
        for number in due.reviews:
            self._take("review", number, broker.reviews.remind(number))

    async def take_over(self) -> None:
        """Once, at the start: nobody waits for revocations that a stopped server had claimed.

        To repeat one that another, living server is at is harmless.
        """
        due = await self.store.due(self.clock.now() + CLAIM, self.batch)
        await self._take_at_once(due.grants, lambda _: True)

    async def take_up(self, living: Collection[int]) -> None:
        """Ends that were claimed by a process that is none of these. Raises Unavailable."""

        def is_left(grant: Grant) -> bool:
            return grant.claim is not None and grant.claim not in living

        taken = await self._take_at_once(await self.store.abandoned(living), is_left)
        if taken:
            log.warning("ends of a process that is gone are taken up", extra={"action": "sweep", "count": taken})

    def try_again(self, numbers: Sequence[int]) -> Sequence[int]:
        """Their provider answers again, so those that nobody is at just now need not wait. Returns them."""
        free = [number for number in numbers if ("grant", number) not in self._busy]
        from_memory = self.ends.stand_in.hurry(free) if self.ends.stand_in is not None else ()
        if here := [number for number in free if not self.ends.is_held(number)]:
            self.tasks.start(self._try_again(here), name="try again")
        return (*here, *from_memory)

    async def _try_again(self, numbers: Sequence[int]) -> None:
        try:
            await self._take_at_once(numbers, lambda grant: grant.claim is None)
        except AccessError as error:
            log.warning("what waits for a provider cannot be read", extra={"action": "sweep", "why": str(error)})

    async def _take_at_once(self, numbers: Sequence[int], is_ours: Callable[[Grant], bool]) -> int:
        """How many of them. Raises Unavailable."""
        grants = (await self.store.grants_by_number([n for n in numbers if ("grant", n) not in self._busy])).values()
        ending = [grant for grant in grants if grant.state is GrantState.REVOKING and is_ours(grant)]
        mine = [grant for grant in ending if ("grant", grant.number) not in self._busy]
        self._busy.update(("grant", grant.number) for grant in mine)
        for i in range(0, len(mine), AT_ONCE):
            await self.ends.begin(mine[i : i + AT_ONCE])
        return len(mine)

    def _take_grants(self, grants: Sequence[Grant] | Any) -> None:
        for grant in grants:
            if ("grant", grant.number) in self._busy or grant.due_at is None or self._is_theirs(grant):
                continue
            if _is_an_end(grant, self.clock.now()):
                self.ends.foresee(grant, grant.due_at)
            else:
                self._take("grant", grant.number, self._settle(grant))
        self.ends.start()

    def _is_theirs(self, grant: Grant) -> bool:
        """A long queue outlasts a claim. Whoever is there will come to it; but nothing waits for one for ever."""
        if grant.claim not in self._others or grant.due_at is None:
            return False
        return self.clock.now() < grant.due_at + _PATIENCE

    def _take(self, kind: str, number: int, work: Coroutine[Any, Any, None]) -> None:
        if (kind, number) in self._busy:
            work.close()
            return
        self._busy.add((kind, number))
        task = self.tasks.start(work, name=f"settle {kind} {number}")
        task.add_done_callback(lambda _: self._busy.discard((kind, number)))

    async def _settle(self, grant: Grant) -> None:
        await self._wait_for(grant.due_at)
        await self.broker.endings.settle(grant.number)

    async def _look_at_request(self, number: int, broker: Broker) -> None:
        request = await self.store.request(number)
        if request is not None:
            await self._wait_for(request.due_at)
            await broker.look(number)

    async def _wait_for(self, moment: datetime | None) -> None:
        if moment is not None:
            early = (moment - self.clock.now()).total_seconds()
            await asyncio.sleep(max(0.0, min(early, AHEAD.total_seconds())))


def _is_an_end(grant: Grant, now: datetime) -> bool:
    """Due because it is over, or because its last try failed; not because something is to be said or settled."""
    if grant.state is GrantState.ACTIVE:  # after a standstill the warning is overdue, too
        return grant.expires_at <= now or (grant.due_at is not None and grant.due_at >= grant.expires_at)
    return grant.state is GrantState.REVOKING
