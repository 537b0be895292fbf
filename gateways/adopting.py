"""Sessions that a gateway left behind when it died: what stands in their recordings is told, and they are closed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from access.errors import Stale
from access.events import Event
from access.ports import Change, Clock, SessionStore, Store
from access.sessions.ending import closed
from access.sessions.model import Session
from audit.recording.form import Broken, Record
from audit.recording.reader import Reading
from gateways.live import About, about_left
from gateways.recordings import Shelf

log = logging.getLogger(__name__)

CUT_OFF = "Its gateway stopped without closing it: cut off."
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Telling:
    """How a protocol's recordings are told: their acts, as they were harvested, and one as an entry."""

    acts: Callable[[Iterable[Record]], Iterator[Any]]
    event: Callable[[Any, About], Event]


@dataclass(frozen=True)
class Adopting:
    """`ways`: by gateway."""

    store: Store
    sessions: SessionStore
    clock: Clock
    ways: Mapping[str, Telling]

    async def adopt(self, shelf: Shelf) -> None:
        """Every session that this shelf's earlier process held. Raises Unavailable."""
        for session in await self.sessions.open_sessions(shelf.name):
            try:
                await self._close(session, shelf)
            except Stale:
                continue
            log.warning("a session was cut off", extra={"action": "session", "session": session.id})

    async def _close(self, session: Session, shelf: Shelf) -> None:
        reading, acts, why = self._read(session, shelf)
        events = islice(self._events(session, acts), session.acts, None)  # those before are in the log
        while batch := list(islice(events, _BATCH)):
            session = replace(session, acts=session.acts + len(batch))
            await self.store.commit(Change(sessions=(session,), events=tuple(batch)))
            session = replace(session, version=session.version + 1)
        if reading is not None:
            session = replace(session, recording=reading.hash.hex(), size=shelf.file(session).stat().st_size)
        await self.store.commit(closed(session, why, self.clock.now(), late=True))

    def _read(self, session: Session, shelf: Shelf) -> tuple[Reading | None, list[Record], str]:
        """As far as it can be read: a frame whose end is missing was never acted on."""
        recording, records = shelf.read(session), list[Record]()
        reading: Reading | None = None
        try:
            for so_far, record in recording.read():
                reading = so_far
                records.append(record)
            reading = recording.reading
        except (Broken, OSError) as error:
            return reading, records, f"{CUT_OFF} Its recording cannot be read on: {error}."
        return reading, records, CUT_OFF

    def _events(self, session: Session, records: Iterable[Record]) -> Iterator[Event]:
        way = self.ways.get(session.gateway)
        told = about_left(session, self.clock.now())
        return iter(()) if way is None else (way.event(act, told) for act in way.acts(records))
