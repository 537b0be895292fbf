"""Who is in which group: asked of its directory, remembered for a minute, and unknown rather than empty.

A question that fails is a value of its own. Until `usable_for` the last answer stands in for it, with its age on it,
but never where `fresh` was asked for and never after its directory has told of a change.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from access.errors import AccessError
from access.ports import Clock, Looked, NotLooked

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Found:
    """Slack ids, and the names of members who are no person known here."""

    people: frozenset[str]
    strangers: tuple[str, ...] = ()


class Source(Protocol):
    """One directory, asked anew each time."""

    async def find(self, group_id: str) -> Found:
        """Raises AccessError with a sentence, never answers an empty group for one that it cannot see."""
        ...

    async def close(self) -> None:
        """Let go of connections that are its own."""
        ...


@dataclass
class _Shelf:
    """What is known of one group. `asked` and `changes` only count."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    looked: Looked | None = None
    failed: NotLooked | None = None  # set while the newest question is without an answer
    asked: int = 0
    changes: int = 0


@dataclass
class Directories:
    """`access.ports.Memberships`. `sources`: by what stands before the colon of an id."""

    sources: Mapping[str, Source]
    clock: Clock
    fresh_for: timedelta = timedelta(seconds=60)
    usable_for: timedelta = timedelta(minutes=5)
    pause: timedelta = timedelta(seconds=5)  # after a failure, before it is tried again without need
    _shelves: dict[str, _Shelf] = field(default_factory=dict, repr=False)

    async def members(self, group_ids: Iterable[str], *, fresh: bool = False) -> Mapping[str, Looked | NotLooked]:
        wanted = tuple(dict.fromkeys(group_ids))
        found = await asyncio.gather(*(self._one(group, fresh=fresh) for group in wanted))
        return dict(zip(wanted, found, strict=True))

    async def close(self) -> None:
        for source in self.sources.values():
            await source.close()

    def forget(self, group_id: str) -> None:
        """Its directory says that it has changed."""
        shelf = self._shelves.get(group_id)
        if shelf is not None:
            shelf.looked = None
            shelf.changes += 1

    async def _one(self, group: str, *, fresh: bool) -> Looked | NotLooked:
        shelf = self._shelves.setdefault(group, _Shelf())
        if not fresh and self._is_settled(shelf):
            return self._answer(shelf, fresh=False)
        asked = shelf.asked
        async with shelf.lock:
            # where somebody began to ask after we came, their answer is as fresh as ours
            answered = shelf.asked > asked or (not fresh and self._is_settled(shelf))
            if not answered or not (shelf.looked or shelf.failed):
                await self._ask(group, shelf)
            return self._answer(shelf, fresh=fresh)

    def _is_settled(self, shelf: _Shelf) -> bool:
        """Whether the newest answer, or the newest failure, is recent enough not to ask again."""
        if shelf.failed is not None:
            return self.clock.now() - shelf.failed.asked_at < self.pause
        return shelf.looked is not None and self.clock.now() - shelf.looked.fetched_at < self.fresh_for

    async def _ask(self, group: str, shelf: _Shelf) -> None:
        for _ in range(2):  # an answer that crossed with the news of a change may be the one from before
            shelf.asked += 1
            changes, asked_at = shelf.changes, self.clock.now()
            try:
                found = await self._source(group).find(group.partition(":")[2])
            except AccessError as error:
                self._note_failure(group, shelf, str(error), asked_at)
            else:
                shelf.looked, shelf.failed = Looked(found.people, asked_at, found.strangers), None
            if shelf.changes == changes:
                return

    def _source(self, group: str) -> Source:
        kind, colon, name = group.partition(":")
        source = self.sources.get(kind)
        if source is None or not colon or not name:
            raise AccessError(f"No directory is set up that knows {group}. Ask an admin to set it up.")
        return source

    def _note_failure(self, group: str, shelf: _Shelf, why: str, asked_at: datetime) -> None:
        log.warning("%s", why, extra={"action": "membership", "group": group})
        last = shelf.looked.fetched_at if shelf.looked else None
        shelf.failed = NotLooked(why, asked_at, last)

    def _answer(self, shelf: _Shelf, *, fresh: bool) -> Looked | NotLooked:
        looked, failed = shelf.looked, shelf.failed
        if failed is None:
            assert looked is not None
            return looked
        if fresh or looked is None or self.clock.now() - looked.fetched_at >= self.usable_for:
            return failed
        return looked
