"""A server without faces that is made to be killed: `python -m tests.proving.life DIRECTORY [--only-end]`.

It opens grants of a second or two, collects their credentials and ends them, as fast as it can; with `--only-end` it
opens nothing and stops when nothing is left to end. What the far side holds outlives it: each change is a line of
`far.log`, and what was left when the last process died is in `far.held`.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from access.errors import AccessError, Unavailable
from access.events import PolicyLoaded
from access.model import GrantState
from access.ports import Change, Collected
from prodaccess.clock import SystemClock
from tests.access.revoking.standing import Standing
from tests.people import Directory
from tests.proving.far import database_of, far_side, open_far_log, write_line
from tests.world import Policies, World

IMPORTED = time.time()
POLICY = """
version: 1
people: {ada: U0ADA, grace: U0GRACE, linus: U0LINUS, margaret: U0MARGARET}
limits: {pending: 100000, per_hour: 1000000}
targets:
  orders-db:
    roles:
      read: {provider: memory, uses: {}, who: [linus], approvers: [ada], max: 4h, default: 1h}
"""
AT_ONCE = 4
_Result = TypeVar("_Result")


class Living(World):
    """A `World` on the machine's clock, with what stands in for its database. All its files are on its `disk`."""

    def __init__(self, directory: Path, clock: SystemClock | None = None) -> None:
        self.url = f"sqlite:///{database_of(directory)}"
        self.clock: Any = clock or SystemClock()
        self.people, self.policies = Directory(), Policies(POLICY)
        self.far_side = far_side(directory)
        self._spool = directory / "disk" / "spool"
        self._build()

    def _build(self) -> None:
        super()._build()
        self.standing = Standing(self, self._spool)

    def close(self) -> None:
        self.standing.close()
        super().close()


async def patiently(work: Callable[[], Awaitable[_Result]]) -> _Result:
    """Until the database answers: on a busy machine not always within its patience."""
    async with asyncio.timeout(100):
        while True:
            with suppress(Unavailable):
                return await work()


def _nobody(_: Collected) -> None:
    """Takes no credential."""


@dataclass
class Life:
    world: Living
    seconds: tuple[int, int] = (1, 2)  # a grant lasts
    takes: Callable[[Collected], None] = _nobody  # what is handed over

    async def live(self) -> None:
        with self._running():
            await patiently(self._begin)
            device = await patiently(self.world.device)
            sys.stdout.write("alive\n")
            sys.stdout.flush()
            await asyncio.gather(*(self._use(device) for _ in range(AT_ONCE)))

    async def _begin(self) -> None:
        """As every start of a server does: the log says by which policy what follows was decided."""
        policy, now = self.world.policies.policy, self.world.clock.now()
        loaded = PolicyLoaded(at=now, policy_hash=policy.hash, rules=len(policy.rules))
        await self.world.store.commit(Change(policies=(policy,), events=(loaded,)))

    async def end(self) -> None:
        with self._running():
            while not await self._is_over():  # noqa: ASYNC110 (a look at the rows)
                await asyncio.sleep(0.1)

    async def _is_over(self) -> bool:
        """Openings that a kill interrupted take two minutes to be given up; nothing usable hangs on them."""
        with suppress(Unavailable):
            states = await self.world.store.grants_by_state()
            return not states[GrantState.ACTIVE] and not states[GrantState.REVOKING]
        return False

    @contextmanager
    def _running(self) -> Iterator[None]:
        tasks = self.world.tasks
        tasks.start(self.world.sweeper.take_over(), "take over")
        tasks.start(self.world.sweeper.run(), "sweep")
        tasks.start(self.world.standing.stand_in.run(), "stand in")
        yield

    async def _use(self, device: Any) -> None:
        while True:
            try:
                grant = await self.world.opened(duration=timedelta(seconds=random.randint(*self.seconds)))
                self.takes(await self.world.grants.collect(grant.number, device))
            except AccessError:
                await asyncio.sleep(0.01)


def lead(life: Life, directory: Path) -> None:
    """To its end, or to its sudden one; says first how long it took to come to life."""
    started = float(os.environ.get("STARTED", IMPORTED))
    write_line(open_far_log(directory), {"what": "life", "started": started, "opened": time.time()})
    asyncio.run(life.end() if "--only-end" in sys.argv else life.live())


def main() -> None:
    directory = Path(sys.argv[1])
    lead(Life(Living(directory)), directory)


if __name__ == "__main__":
    main()
