"""Carrying checkpoints to the anchors: each at its own pace, in its own task, and none waits for another.

Only the newest checkpoint is carried; whoever verifies connects it with the earlier ones by a consistency proof.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from access.errors import Stale, Unavailable
from access.ports import Clock
from access.retry import pause
from audit.checkpoint import Anchored, Checkpoint
from notary.errors import Disagrees
from notary.ports import Anchor, Outages, Published, Records

log = logging.getLogger(__name__)

_GLITCHES = 3  # failures in a row before it is called an outage


@dataclass(frozen=True, slots=True)
class Paced:
    """An anchor, and how long it is left alone between two checkpoints."""

    anchor: Anchor
    every: timedelta


@dataclass
class _Course:
    """How it goes with one anchor."""

    paced: Paced
    done: int = 0  # entries in the checkpoint that stands there
    failures: int = 0
    down_since: datetime | None = None
    why: str = ""
    told: bool = False


@dataclass
class Anchoring:
    """`suspect` looks into an anchor that disagrees with us (`Notary.ask`)."""

    records: Records
    clock: Clock
    outages: Outages
    suspect: Callable[[Anchor], Awaitable[object]]
    patience: float = 45.0  # seconds, for one checkpoint at one anchor
    _courses: list[_Course] = field(default_factory=list)

    async def run(self, anchors: Sequence[Paced]) -> None:
        """For ever, until cancelled."""
        self._courses = [_Course(each) for each in anchors]
        await asyncio.gather(*(self._keep(course) for course in self._courses))

    def troubles(self) -> dict[str, str]:
        """The anchors that take no checkpoints at the moment, and why."""
        return {course.paced.anchor.name: course.why for course in self._courses if course.told}

    async def _keep(self, course: _Course) -> None:
        while True:
            try:
                await self._carry(course)
            except Exception:  # the database: it is not the anchor's fault, and the next round tries again
                log.exception("a checkpoint was not carried", extra=_about(course))
            wait = pause(course.failures) if course.failures else course.paced.every
            await asyncio.sleep(wait.total_seconds())

    async def _carry(self, course: _Course) -> None:
        last = await self.records.last_checkpoint()
        if last is None or last.size <= course.done:
            return
        try:
            async with asyncio.timeout(self.patience):
                published = await course.paced.anchor.publish(last.note, self.records.consistency)
        except TimeoutError:
            late = Unavailable(f"{course.paced.anchor.name} did not answer within {self.patience:g} s.")
            await self._failed(course, late)
        except Exception as error:
            await self._failed(course, error)
        else:
            await self._arrived(course, last, published)

    async def _arrived(self, course: _Course, last: Checkpoint, published: Published) -> None:
        anchored = Anchored(last.size, course.paced.anchor.name, published.ref, published.proof, self.clock.now())
        try:
            await self.records.save_anchored(anchored)
        except Stale:
            log.debug("known already", extra=_about(course))  # an earlier process brought it there
        if course.told and course.down_since is not None:
            await self.outages.recovered(course.paced.anchor.name, course.down_since)
            log.info("takes checkpoints again", extra=_about(course))
        course.done, course.failures, course.down_since, course.told, course.why = last.size, 0, None, False, ""

    async def _failed(self, course: _Course, error: Exception) -> None:
        if not isinstance(error, Unavailable):
            log.error("an anchor failed", extra=_about(course), exc_info=error)
        course.why = str(error) if isinstance(error, Unavailable) else f"It failed: {type(error).__name__}."
        course.failures += 1
        course.down_since = course.down_since or self.clock.now()
        disagrees = isinstance(error, Disagrees)
        if not course.told and (disagrees or course.failures >= _GLITCHES):
            log.warning(course.why, extra=_about(course))
            await self.outages.failed(course.paced.anchor.name, course.why)
            course.told = True
        if disagrees:
            await self._look_into(course)

    async def _look_into(self, course: _Course) -> None:
        try:
            await self.suspect(course.paced.anchor)
        except Unavailable as error:
            log.warning("%s", error, extra=_about(course))


def _about(course: _Course) -> dict[str, str]:
    return {"action": "anchor", "anchor": course.paced.anchor.name}
