"""Pushing the log to one collector: a reader with its own cursor, in order, at least once.

A batch counts only when the collector has taken it and the cursor is noted; after a crash in between it is sent once
more. A collector that stops stops nothing else: it is one task, and what it misses waits in the log.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from access.errors import AccessError
from access.events import RequestAsked
from access.ports import Clock, Notebook
from audit.export.rows import Row
from audit.log import Entry, Feed
from collectors.collector import Collector, CollectorDown, CollectorError, CollectorRefused
from collectors.messages import Form, message

log = logging.getLogger(__name__)

_AT_ONCE = 200  # entries of one batch
_LOOK = 30.0  # seconds between looks when nothing is announced
_LONGEST_PAUSE = 60.0
_REMEMBERED = 1_000  # beginnings of requests kept at hand


class Told(Protocol):
    """Who is told of outages. Whatever they raise, they are told again at the next try."""

    async def failed(self, name: str, why: str) -> None:
        """Once per outage."""
        ...

    async def recovered(self, name: str, down_since: datetime) -> None:
        """Once it takes entries again and none waits."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """`settle`: entries come in bursts. `patience`: an outage shorter than that is nobody's business."""

    first_pause: float = 1.0
    settle: float = 0.5
    patience: timedelta = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Cursor:
    """What is kept over restarts: the last entry that has arrived, and since when people know of an outage."""

    seq: int = -1
    down_since: datetime | None = None

    def noted(self) -> dict[str, object]:
        return {"seq": self.seq, "down_since": self.down_since.isoformat() if self.down_since else ""}


@dataclass
class Push:
    """One collector's reader. `trouble` and `waiting_since` are for metrics and for `doctor`."""

    feed: Feed
    notebook: Notebook
    clock: Clock
    collector: Collector
    form: Form
    origin: str
    told: Told
    pace: Pace = field(default_factory=Pace)
    trouble: str = ""  # why it does not get on at the moment; empty when it does
    delivered: int = 0  # entries that have arrived since this process started
    waiting_since: datetime | None = None  # when the oldest entry that has not arrived was written
    _cursor: Cursor = field(default_factory=Cursor)
    _is_read: bool = False
    _down_since: datetime | None = None
    _asked: dict[str, RequestAsked | None] = field(default_factory=dict, repr=False)

    @property
    def seq(self) -> int:
        """The last entry that has arrived, -1 before the first."""
        return self._cursor.seq

    @property
    def lag(self) -> timedelta:
        """How long the oldest entry that has not arrived has been waiting."""
        return max(self.clock.now() - self.waiting_since, timedelta()) if self.waiting_since else timedelta()

    async def backlog(self) -> int:
        """How many entries wait. Raises Unavailable."""
        return await self.feed.head() - self.seq

    async def run(self) -> None:
        """For ever, until cancelled; then the collector is closed."""
        tries, self._is_read = 0, False  # meanwhile it may have been another process' turn
        try:
            while True:
                try:
                    await self.step()
                except Exception as error:  # a fault of ours too: it must show, and must not end the pushing
                    await self._stopped(error, tries)
                    tries += 1
                else:
                    tries = 0
        finally:
            await self.collector.close()

    async def step(self) -> None:
        """Send what waits, at most one batch; when nothing does, wait for something."""
        if not self._is_read:
            self._cursor, self._is_read = await self._read(), True
        entries = await self.feed.entries(self.seq, _AT_ONCE)
        if entries:
            await self._deliver(entries)
        if len(entries) < _AT_ONCE:
            await self._well()
            if await self.feed.wait(self.seq, _LOOK):
                await asyncio.sleep(self.pace.settle)

    async def _deliver(self, entries: Sequence[Entry]) -> None:
        self.waiting_since = entries[0].recorded_at
        batch = [message(Row(entry, await self._beginning(entry)), self.form, self.origin) for entry in entries]
        await self.collector.send(batch)
        await self._note(Cursor(entries[-1].seq, self._cursor.down_since))
        self.delivered += len(entries)
        self.trouble, self.waiting_since = "", None

    async def _beginning(self, entry: Entry) -> RequestAsked | None:
        """How the entry's request began: it says for whom and what."""
        ref = entry.event.ref
        if not ref:
            return None
        if ref not in self._asked:
            if len(self._asked) >= _REMEMBERED:
                self._asked.clear()
            own = entry.event if isinstance(entry.event, RequestAsked) else None
            self._asked[ref] = own or await self._look_up(ref)
        return self._asked[ref]

    async def _look_up(self, ref: str) -> RequestAsked | None:
        events = (entry.event for entry in await self.feed.entries_of(ref))
        return next((event for event in events if isinstance(event, RequestAsked)), None)

    # Outages

    async def _stopped(self, error: Exception, tries: int) -> None:
        known = isinstance(error, CollectorError | AccessError)
        self.trouble = str(error) if known else f"{self.collector.name}: {type(error).__name__}."
        facts = {"action": "push", "collector": self.collector.name, "after": self.seq, "why": self.trouble}
        log.warning("a collector is behind", extra=facts, exc_info=None if known else error)
        if not isinstance(error, AccessError):  # our own database is another's trouble, and is told by others
            await self._tell(at_once=isinstance(error, CollectorRefused))
        asked_for = error.retry_after if isinstance(error, CollectorDown) else 0.0
        await asyncio.sleep(max(asked_for, self._pause(tries)))

    async def _tell(self, *, at_once: bool) -> None:
        now = self.clock.now()
        self._down_since = self._down_since or now
        if self._cursor.down_since is not None or not (at_once or now - self._down_since >= self.pace.patience):
            return
        try:
            await self.told.failed(self.collector.name, self.trouble)
            await self._note(Cursor(self.seq, self._down_since))
        except Exception as error:  # told again at the next try
            log.warning("an outage could not be told", extra={"action": "push"}, exc_info=error)

    async def _well(self) -> None:
        """Nothing waits: whoever was told of an outage is told that it is over."""
        self._down_since, self.trouble = None, ""
        if self._cursor.down_since is not None:
            await self.told.recovered(self.collector.name, self._cursor.down_since)
            await self._note(Cursor(self.seq))

    def _pause(self, tries: int) -> float:
        ceiling = min(_LONGEST_PAUSE, self.pace.first_pause * 2.0 ** min(tries, 10))
        return random.uniform(ceiling / 2, ceiling)  # noqa: S311 (jitter, not a secret)

    # The cursor

    async def _read(self) -> Cursor:
        noted = await self.notebook.note(self._key)
        if noted is None:
            return Cursor()
        since = noted["down_since"]
        return Cursor(noted["seq"], datetime.fromisoformat(since) if since else None)

    async def _note(self, cursor: Cursor) -> None:
        await self.notebook.put_notes({self._key: cursor.noted()})
        self._cursor = cursor

    @property
    def _key(self) -> str:
        return f"collector:{self.collector.name}:cursor"
