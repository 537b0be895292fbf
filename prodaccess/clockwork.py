"""APScheduler as the clockwork: it knocks, the rows say what is due.

Never a job per grant: such jobs are at most once, and a revocation must be at least once. The jobs here are
few, periodic, idempotent and safe to miss, so they live in memory and none is ever dropped for being late.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler

log = logging.getLogger(__name__)

Chore = Callable[[], Awaitable[None]]


class Clockwork:
    """Runs chores at intervals; remembers when each last went well, for `/readyz` and metrics."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )
        self.last_well: dict[str, datetime] = {}

    def every(self, seconds: float, name: str, chore: Chore) -> None:
        """Run `chore` at once and then every so many seconds, never beside itself."""

        async def run() -> None:
            try:
                await chore()
            except Exception:
                log.exception("chore failed; it runs again", extra={"action": name})
            else:
                self.last_well[name] = datetime.now(UTC)

        self._scheduler.add_job(run, "interval", seconds=seconds, id=name, next_run_time=datetime.now(UTC))

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        self._scheduler.shutdown(wait=False)
