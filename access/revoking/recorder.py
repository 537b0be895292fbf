"""Writing down how revocations went: many results in one transaction, after the calls that still have to be made."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from access.about import about
from access.errors import Stale, Unavailable
from access.granting.custody import Custody
from access.granting.reviews import at_the_end_of
from access.ports import Change
from access.tasks import Tasks

log = logging.getLogger(__name__)

MOST = 500  # results in one transaction
HELD = 2.0  # seconds that a result waits at most while calls are waiting: ending access comes before saying so
_LOOK = 0.01
_AGAIN = 1.0
_GIVEN_UP = 25.0  # within the claim: after it, the row is due again and everything is simply repeated


@dataclass(frozen=True)
class Result:
    """What is to be written of one grant's try, and whom to tell whether it stood."""

    change: Callable[[], Change]  # made when it is written: until then, calls have the processor
    then: Callable[[bool], None]
    urgent: bool = False  # somebody waits for it
    since: float = field(default_factory=time.monotonic)


class Recorder:
    """Takes results from all workers; writes them in one place, in their order."""

    def __init__(self, custody: Custody, tasks: Tasks, calls_waiting: Callable[[], int]) -> None:
        self._custody, self._tasks, self._calls_waiting = custody, tasks, calls_waiting
        self._results: deque[Result] = deque()
        self._urgent = 0
        self._is_running = False

    def add(self, result: Result) -> None:
        self._results.append(result)
        self._urgent += result.urgent
        if not self._is_running:
            self._is_running = True
            self._tasks.start(self._run(), name="record ends")

    async def _run(self) -> None:
        about("")  # of all of them, whoever was first
        try:
            while self._results:
                await self._let_calls_go_first()
                batch = [self._results.popleft() for _ in range(min(MOST, len(self._results)))]
                self._urgent -= sum(result.urgent for result in batch)
                await self._record(batch)
        finally:
            self._is_running = False

    async def _let_calls_go_first(self) -> None:
        until = self._results[0].since + HELD
        while self._calls_waiting() and not self._urgent and time.monotonic() < until:  # noqa: ASYNC110 (a count, and it is short)
            await asyncio.sleep(_LOOK)

    async def _record(self, batch: Sequence[Result]) -> None:
        stood = [False] * len(batch)
        try:
            changes = await asyncio.gather(*(self._completed(result) for result in batch))
            made = {i: change for i, change in enumerate(changes) if change is not None}
            written = await self._write(tuple(made.values()), batch[0].since + _GIVEN_UP)
            for i, it_stood in zip(made, written, strict=True):
                stood[i] = it_stood
        except Unavailable as error:
            log.warning("ends are not yet written down", extra={"action": "revoke", "why": str(error)})
        except Exception:  # those that wait behind these must still be written
            log.exception("ends were not written down", extra={"action": "revoke"})
        finally:
            for result, it_stood in zip(batch, stood, strict=True):
                result.then(it_stood)

    async def _completed(self, result: Result) -> Change | None:
        """None where it cannot be made: the others need not suffer for it."""
        try:
            return await self._complete(result)
        except Unavailable as error:
            log.warning("an end is not yet written down", extra={"action": "revoke", "why": str(error)})
        except Exception:
            log.exception("an end was not written down", extra={"action": "revoke"})
        return None

    async def _complete(self, result: Result) -> Change:
        """With the review that begins where the grant ends, if there is to be one."""
        change = result.change()
        (grant,) = change.grants
        if grant.ended_at is None or not grant.review:
            return change
        review = await at_the_end_of(self._custody, grant, grant.ended_at)
        return replace(change, reviews=review.reviews, events=(*change.events, *review.events))

    async def _write(self, changes: Sequence[Change], until: float) -> Sequence[bool]:
        while changes:
            try:
                return await self._custody.store.commit_each(changes)
            except Unavailable:
                if time.monotonic() >= until:
                    raise
            except Exception as error:  # one of them cannot be; the others need not suffer for it
                if not isinstance(error, Stale):
                    log.exception("ends were not written down together", extra={"action": "revoke"})
                return [await self._write_alone(change) for change in changes]
            await asyncio.sleep(_AGAIN)
        return ()

    async def _write_alone(self, change: Change) -> bool:
        try:
            (stood,) = await self._custody.store.commit_each([change])
        except Unavailable:
            raise
        except Exception as error:
            if not isinstance(error, Stale):
                log.exception("an end was not written down", extra={"action": "revoke", "ref": change.grants[0].ref})
            return False
        return stood
