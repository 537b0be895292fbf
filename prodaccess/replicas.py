"""This process among others on one database: seen by them, seeing them, and doing in its turn what one of them does."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

from access.errors import Unavailable
from access.ports import Clock, Provider
from access.sweeper import Sweeper
from access.tasks import Tasks
from access.turns import Turn, elapsed
from prodaccess.serial import one_at_a_time
from prodaccess.skew import WITHIN, ahead_of
from store import SqlStore
from store.claims import SILENCE, Alone, Beacon, Pooled, Seen

log = logging.getLogger(__name__)

LOOK = 0.25  # seconds
HOLD = SILENCE / 2  # seconds that one look is good for: well before others may think that we are gone
_ANYWAY = 5.0  # seconds between two looks for abandoned claims when nobody seems to have gone


@dataclass
class Replicas:
    """Where the database is SQLite there are no others, and every turn is ours.

    `takes_turns` is not for a process without chores: the turn that it held would be nobody's.
    """

    store: SqlStore
    takes_turns: bool = True
    turn: Turn = field(init=False)
    is_silent: Callable[[], bool] = lambda: False  # whether the database is known not to answer just now
    trouble: str = ""  # why we are not seen; empty when we are, or are alone
    clock_trouble: str = ""
    _beacon: Beacon | None = field(init=False)
    _thread: ThreadPoolExecutor = field(init=False)
    _seen_until: float = -math.inf
    _living: frozenset[int] = frozenset()
    _had_to_wait: bool = False
    _taking_up: asyncio.Task[None] | None = None
    _looked_anyway: float = -math.inf

    def __post_init__(self) -> None:
        database = self.store.log.database
        self._beacon = None if database.is_sqlite else Beacon(database, takes_turns=self.takes_turns)
        self.turn = Turn(shared=self._beacon is not None)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="beacon")  # no provider that hangs may hold it up

    def serial(self, providers: Mapping[str, Provider]) -> dict[str, Provider]:
        """Those that several processes may not change at once wait for each other."""
        alone = Alone(self.store.log.database) if self._beacon is not None else None
        return one_at_a_time(providers, alone, lambda: self.is_silent())  # noqa: PLW0108 (it is set later)

    def claimant(self) -> int | None:
        """Who we are to the others, while they can see us."""
        return self._beacon.me if self._beacon is not None and elapsed() < self._seen_until else None

    async def run(self, sweeper: Sweeper, tasks: Tasks) -> None:
        """For ever, until cancelled; alone, only what a process before us had begun is taken over."""
        if self._beacon is None:
            return await sweeper.take_over()
        while True:
            await self._look(self._beacon, sweeper, tasks)
            await asyncio.sleep(LOOK)

    def in_turn(self, chore: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """A chore that only one of us does at a time."""

        async def do() -> None:
            await self.turn.when_ours(chore)

        return do

    async def check_clock(self, clock: Clock) -> None:
        """Each minute: grants end by this clock, and other processes go by the database server's."""
        ahead = await asyncio.to_thread(ahead_of, self.store.log.database, clock.now) if self._beacon else timedelta(0)
        differs = abs(ahead) > WITHIN
        self.clock_trouble = f"This machine's clock differs by {ahead.total_seconds():+.0f} s." if differs else ""
        if differs:
            why = "grants end at the wrong moment: set the clock right and start again"
            log.critical(self.clock_trouble, extra={"action": "clock", "why": why})

    async def close(self) -> None:
        """Others need not wait for what we leave."""
        if self._beacon is not None:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._beacon.close)
        self._thread.shutdown()

    async def _look(self, beacon: Beacon, sweeper: Sweeper, tasks: Tasks) -> None:
        began = elapsed()
        try:
            seen = await asyncio.get_running_loop().run_in_executor(self._thread, beacon.look)
        except (Unavailable, Pooled) as error:
            self._unseen(str(error), sweeper)
        except Exception:  # a fault of ours must not end the looking
            log.exception("a look for other processes failed", extra={"action": "beacon"})
            self._unseen("A look for other processes failed.", sweeper)
        else:
            self._note(seen, began + HOLD)
            sweeper.beside(seen.living - seen.silent - {beacon.me}, beacon.me)
            self._take_up(seen.living, sweeper, tasks)

    def _unseen(self, why: str, sweeper: Sweeper) -> None:
        if why != self.trouble:
            log.warning("other processes do not see this one", extra={"action": "beacon", "why": why})
        self.trouble, self._seen_until = why, -math.inf
        sweeper.beside(frozenset(), 0)  # whoever knows of nobody leaves nothing to them
        self.turn.lose()

    def _note(self, seen: Seen, until: float) -> None:
        self.trouble, self._seen_until = "", until
        if seen.ours:
            if not self.turn.ours:
                log.info("it is our turn", extra={"action": "turn", "inherited": self._had_to_wait})
            self.turn.prolong(until, inherited=self._had_to_wait)
        elif self.turn.ours:
            self.turn.lose()
        self._had_to_wait = not seen.ours
        self.store.log.heard(seen.head)

    def _take_up(self, living: frozenset[int], sweeper: Sweeper, tasks: Tasks) -> None:
        gone, self._living = self._living - living, living
        is_time = elapsed() >= self._looked_anyway + _ANYWAY
        if (gone or is_time) and (self._taking_up is None or self._taking_up.done()):
            self._looked_anyway = elapsed()
            self._taking_up = tasks.start(self._try_to_take_up(sweeper, living), "take up")

    async def _try_to_take_up(self, sweeper: Sweeper, living: frozenset[int]) -> None:
        try:
            await sweeper.take_up(living)
        except Unavailable as error:
            log.warning("claims of the gone wait", extra={"action": "beacon", "why": str(error)})
            self._looked_anyway = -math.inf
