"""Stands in for the database while it does not answer: grants end at their deadlines from memory.

It takes access away and nothing else. What it does is written to a spool at once, and into the store and the log as
soon as they answer again. Ends by hand are not its business: they are refused while nothing can be written.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from access.errors import AccessError, Unavailable
from access.granting.custody import Custody
from access.model import Grant
from access.ports import Gone, NotYet
from access.retry import alarms_by, pause
from access.revoking.following import Following
from access.revoking.outcome import Outcome
from access.revoking.proving import Proving
from access.revoking.replaying import replay
from access.tasks import meanwhile

log = logging.getLogger(__name__)

EVERY = 0.25  # seconds between looks: what others wrote is known so soon
_FILLING = 0.1  # 100,000 grants take a minute and a quarter of a processor; the next deadlines are read first
_SILENT = 0.5
_SLOW = 0.5  # an answer that did not come for so long may be on its way
_DISK = 0.25  # seconds that an end waits for the spool at most: under load a disk takes many to write a line
_TICK = 0.05  # seconds between looks at the memory, while it is all there is


class Spool(Protocol):
    """What survives this process. No capability is in it."""

    is_broken: bool  # the last write failed

    def left(self) -> tuple[Outcome, ...]:
        """What processes that are gone have left here. Blocks; asked once."""
        ...

    async def append(self, outcomes: Sequence[Outcome]) -> None:
        """Durable when it returns. Raises Unavailable."""
        ...

    async def clear(self) -> None:
        """All of it is in the log. Does not raise."""
        ...

    def leave(self) -> None:
        """It cannot be written down: the next start tries again."""
        ...

    def close(self) -> None:
        """What is not in the log yet stays, for the next start."""
        ...


@dataclass
class StandIn:
    """`run` watches for ever. The sweeper leaves to it what it `holds`, and hands it what cannot be begun."""

    custody: Custody
    proving: Proving
    following: Following
    spool: Spool
    silent_since: datetime | None = None
    ended: int = 0  # from memory, since the start
    _outcomes: dict[int, Outcome] = field(default_factory=dict)
    _at_work: set[int] = field(default_factory=set)
    _alarms: dict[int, int] = field(default_factory=dict)
    _late: set[asyncio.Task[None]] = field(default_factory=set)  # what the spool's disk has not done in time

    def __post_init__(self) -> None:
        self._outcomes |= {outcome.number: outcome for outcome in self.spool.left()}

    def holds(self, number: int) -> bool:
        """Whether it is at this grant, or has something to write down about it first."""
        return number in self._at_work or number in self._outcomes

    @property
    def unwritten(self) -> int:
        """Grants about which the log does not know yet what was done."""
        return len(self._outcomes)

    @property
    def unconfirmed(self) -> int:
        """Those of them that are not proven to be over."""
        return sum(outcome.gone is None for outcome in self._outcomes.values())

    @property
    def is_spool_broken(self) -> bool:
        """It was not written, or not in time."""
        return bool(self._late) or self.spool.is_broken

    async def run(self) -> None:
        """Until cancelled."""
        async with meanwhile(self._end_in_time()):
            while True:
                began = time.monotonic()
                try:
                    await self.look()
                except AccessError as error:
                    self._has_failed(error, began)
                except Exception:
                    log.exception("a look failed; the next one follows", extra={"action": "stand in"})
                await asyncio.sleep(self._pause)

    @property
    def _pause(self) -> float:
        if self.silent_since is not None:
            return _SILENT
        return EVERY if self.following.is_filled else _FILLING

    async def look(self) -> None:
        """Write down what was done while the database was away, then follow what was written. Raises Unavailable."""
        await self._write_down()
        await self.following.look()
        if self.silent_since is not None:
            seconds = round((self.custody.clock.now() - self.silent_since).total_seconds(), 1)
            log.warning("the database answers again", extra={"action": "stand in", "seconds": seconds})
            self.silent_since = None

    def _has_failed(self, error: AccessError, began: float) -> None:
        """A database that has taken something meanwhile is not silent but slow."""
        is_slow = time.monotonic() - began > _SLOW and self.following.shadow.wrote_at > began
        if self.silent_since is None and not is_slow:
            self.silent_since = self.custody.clock.now()
            log.error(
                "the database does not answer; grants end from memory",
                extra={"action": "stand in", "why": str(error), "grants": len(self.following.shadow)},
            )

    async def _end_in_time(self) -> None:
        while True:
            try:
                if self.silent_since is not None:
                    self.end(self.following.shadow.due(self.custody.clock.now()))
            except Exception:
                log.exception("what is due is not known", extra={"action": "stand in"})
            await asyncio.sleep(_TICK)

    # Ending

    def end(self, grants: Iterable[Grant]) -> None:
        """These are due, and the database cannot be told."""
        new = [grant for grant in grants if grant.number not in self._at_work and not self._is_over(grant)]
        if new:
            self._at_work |= {grant.number for grant in new}
            self.custody.tasks.start(self._begin(new), name="end from memory")

    def hurry(self, numbers: Iterable[int]) -> tuple[int, ...]:
        """Those of them that wait to be tried again need not. Returns them."""
        now = self.custody.clock.now()
        ready = tuple(number for number in numbers if number in self._outcomes and number not in self._at_work)
        for number in ready:
            self.following.shadow.later(number, now)
        return ready

    def _is_over(self, grant: Grant) -> bool:
        known = self._outcomes.get(grant.number)
        return known is not None and known.gone is not None and known.version == grant.version

    async def _begin(self, grants: Sequence[Grant]) -> None:
        now = self.custody.clock.now()
        for grant in grants:
            known = self._outcomes.get(grant.number)
            if known is None or known.version != grant.version:
                begun_at = grant.ending_since or now
                outcome = Outcome(grant.number, grant.version, grant.expires_at, begun_at, tries=grant.attempts)
                self._outcomes[grant.number] = outcome
        await self._note([self._outcomes[grant.number] for grant in grants])
        for grant in grants:
            again = self._outcomes[grant.number].tries > 0
            self.proving.pools.of(grant.provider).add(partial(self._try, grant), again=again)

    async def _try(self, grant: Grant) -> None:
        began = self.proving.waiting.now()
        try:
            answer = await self.proving.ask(grant)
            outcome = self._after(grant, answer)
            await self._note([outcome])
        finally:
            self._at_work.discard(grant.number)
        if isinstance(answer, NotYet):
            self._again(grant, outcome)
            self.proving.waiting.failed(grant.provider, grant.number, began)

    def _after(self, grant: Grant, answer: Gone | NotYet) -> Outcome:
        known, now = self._outcomes[grant.number], self.custody.clock.now()
        known = replace(known, tries=known.tries + 1)
        if isinstance(answer, Gone):
            known = replace(known, gone=answer, gone_at=now)
            self.ended += 1
        elif known.failed_at is None:
            known = replace(known, failed_at=now, why=answer.why)
        self._outcomes[grant.number] = known
        return known

    def _again(self, grant: Grant, outcome: Outcome) -> None:
        now = self.custody.clock.now()
        self.following.shadow.keep([grant])
        self.following.shadow.later(grant.number, now + pause(outcome.tries))
        alarms = alarms_by(outcome.tries, now - outcome.begun_at)
        loud = alarms > self._alarms.get(grant.number, 0)
        self._alarms[grant.number] = alarms
        log.log(
            logging.CRITICAL if loud else logging.WARNING,
            "revocation not confirmed, and the database does not answer",
            extra={"action": "stand in", "ref": grant.ref, "tries": outcome.tries, "why": outcome.why},
        )

    # Writing down

    async def _note(self, outcomes: Sequence[Outcome]) -> None:
        await self._let_the_disk(self._spool(outcomes))

    async def _let_the_disk(self, work: Coroutine[Any, Any, None]) -> None:
        """In the order in which it is told; where it stands still, nothing waits for it any more."""
        task = self.custody.tasks.start(work, "spool")
        _, late = await asyncio.wait({task}, timeout=0 if self._late else _DISK)
        if late and not self._late:
            log.critical("the spool's disk stands still; ends do not wait for it", extra={"action": "stand in"})
        if late:
            self._late.add(task)
            task.add_done_callback(self._late.discard)

    async def _spool(self, outcomes: Sequence[Outcome]) -> None:
        """Ending comes before saying so: what cannot be spooled stays in memory."""
        try:
            await self.spool.append(outcomes)
        except Unavailable as error:
            log.critical("ends cannot be spooled", extra={"action": "stand in", "why": str(error)})
        except Exception:
            log.exception("ends cannot be spooled", extra={"action": "stand in"})

    async def _write_down(self) -> None:
        """Raises Unavailable. What else goes wrong is logged, and the rows bring those grants to their end."""
        ready = {number: each for number, each in self._outcomes.items() if number not in self._at_work}
        if not ready:
            return
        try:
            await replay(self.custody, tuple(ready.values()))
        except Unavailable:
            raise
        except Exception:
            log.exception("what was done meanwhile cannot be written down", extra={"action": "stand in"})
            self.spool.leave()
        for number in ready.keys() - self._at_work:
            del self._outcomes[number]
            self._alarms.pop(number, None)
        if not self._outcomes and not self._at_work:
            await self._let_the_disk(self.spool.clear())
