"""Sessions that a gateway left behind when it died: what stands in their recordings is told, and they are closed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from access.errors import Stale
from access.events import Event
from access.policy.secrets import Secret
from access.ports import Change, Clock, SessionStore, Store
from access.sessions.ending import closed
from access.sessions.holding import NOBODY, refused
from access.sessions.model import Session
from audit.recording.form import Broken, Record
from audit.recording.reader import Reading, Recording
from gateways.live import About, about_left
from gateways.recordings import Shelf

log = logging.getLogger(__name__)

CUT_OFF = "Its gateway stopped without closing it: cut off."
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Way:
    """How a protocol's recordings are told: their acts, as they were harvested, and one as an entry."""

    acts: Callable[[Iterable[Record]], Iterator[Any]]
    event: Callable[[Any, About], Event]


@dataclass(frozen=True)
class Adopting:
    """`ways`: by gateway. `secrets`: what the policy wants taken out of what is told."""

    store: Store
    sessions: SessionStore
    clock: Clock
    ways: Mapping[str, Way]
    secrets: Callable[[], Iterable[Secret]] = tuple

    async def adopt(self, shelf: Shelf) -> None:
        """Every session that this shelf's earlier process held. Raises Unavailable."""
        for session in await self.sessions.open_sessions(shelf.name):
            try:
                await self._close(session, shelf)
            except Stale:
                continue
            log.warning("a session was cut off", extra={"action": "session", "session": session.id})

    async def _close(self, session: Session, shelf: Shelf) -> None:
        left = _Left(shelf.read(session))
        events = islice(self._events(session, left), session.acts, None)  # those before are in the log
        while batch := await asyncio.to_thread(lambda: list(islice(events, _BATCH))):
            session = replace(session, acts=session.acts + len(batch))
            await self.store.commit(Change(sessions=(session,), events=tuple(batch)))
            session = replace(session, version=session.version + 1)
        if left.reading is not None:
            session = replace(session, recording=left.reading.hash.hex(), size=left.reading.size)
        await self.store.commit(closed(session, left.why, self.clock.now(), late=True))
        await self._refuse(session)

    async def _refuse(self, session: Session) -> None:
        """What it held when it died, whether or not somebody has let that run since."""
        for held in await self.sessions.waiting():
            if held.session_id == session.id:
                with contextlib.suppress(Stale):  # a server's chore was there first
                    await self.store.commit(refused(held, NOBODY, self.clock.now()))

    def _events(self, session: Session, left: _Left) -> Iterator[Event]:
        way = self.ways.get(session.gateway, _NO_WAY)
        told = about_left(session, self.clock.now(), self.secrets())
        return (way.event(act, told) for act in way.acts(left.records()))


@dataclass
class _Left:
    """A recording without an end, as far as it can be read: a frame whose end is missing was never acted on."""

    recording: Recording
    reading: Reading | None = None
    why: str = CUT_OFF

    def records(self) -> Iterator[Record]:
        """One after the other: all of a terminal's at once would be too much."""
        try:
            for reading, record in self.recording.read():
                self.reading = reading
                yield record
            self.reading = self.recording.reading
        except (Broken, OSError) as error:
            self.why = f"{CUT_OFF} Its recording cannot be read on: {error}."


def _nothing(records: Iterable[Record]) -> Iterator[Any]:
    for _ in records:
        yield from ()


_NO_WAY = Way(_nothing, lambda act, _: act)
