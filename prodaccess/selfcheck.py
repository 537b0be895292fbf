"""Each minute: is what must always be true still true, and when did the sweeper last look."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Gauge

from access.model import ref
from access.ports import Clock
from access.sweeper import Sweeper
from audit.canonical import micros
from store import SqlStore
from store.invariants import INVARIANTS, broken

log = logging.getLogger(__name__)

PATIENCE = 30.0  # seconds; it reads much and nobody waits for it


@dataclass
class SelfCheck:
    """Numbers for `/metrics`, and a line in the log for each thing that is not as it must be."""

    store: SqlStore
    clock: Clock
    sweeper: Sweeper
    registry: CollectorRegistry
    _broken: Gauge = field(init=False)
    _checked: Gauge = field(init=False)

    def __post_init__(self) -> None:
        self._broken = Gauge(
            "prodaccess_invariant_broken", "Grants that break what must always hold, some at most.", ("invariant",),
            registry=self.registry,
        )  # fmt: skip
        self._checked = Gauge(
            "prodaccess_invariants_checked_timestamp_seconds", "When that was last looked at.", registry=self.registry
        )
        looked = Gauge(
            "prodaccess_sweep_age_seconds", "Since the sweeper last read what is due.", registry=self.registry
        )
        looked.set_function(self._sweep_age)

    async def run(self) -> None:
        """Raises Unavailable."""
        now = self.clock.now()
        found = await self.store.log.database.read(lambda tx: broken(tx, micros(now)), patience=PATIENCE)
        for name, numbers in found.items():
            self._broken.labels(name).set(len(numbers))
            if numbers:
                refs = ", ".join(map(ref, numbers))
                log.critical(
                    "an invariant is broken",
                    extra={"action": "self-check", "invariant": name, "refs": refs, "why": INVARIANTS[name][0]},
                )
        self._checked.set(now.timestamp())

    def _sweep_age(self) -> float:
        last = self.sweeper.last_look
        return float("inf") if last is None else (self.clock.now() - last).total_seconds()
