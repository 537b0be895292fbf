"""What is done in sessions, told to the audit log: once a second, of all of them in one transaction.

Beside the acts stands how far each recording is, so that what was written by then is bound to the log.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from access.errors import AccessError, Stale
from access.events import Event, SessionRecorded
from access.ports import Change, Clock, SessionStore, Store
from access.sessions.ending import closed
from access.sessions.model import Session
from audit.recording.writer import RecorderFailed
from gateways.first import with_first
from gateways.live import Live, about_live

log = logging.getLogger(__name__)

EVERY = 1.0  # seconds
GRACE = 5.0  # seconds that a session goes on while the log does not take what was done in it
BATCH = 500  # entries of one transaction
_LOG_AWAY = f"The audit log has not taken what was done here for {GRACE:.0f} seconds."


@dataclass(frozen=True, slots=True)
class _Part:
    """What one transaction says of one session. `last`: and that it is over."""

    live: Live
    acts: Sequence[Any]
    last: bool
    size: int
    recording: str


@dataclass
class Telling:
    """`cut` ends a session, `gone` forgets one that is closed."""

    store: Store
    sessions: SessionStore
    clock: Clock
    lives: dict[str, Live]
    cut: Callable[[Live, str], None]
    every: float = EVERY
    _dirty: asyncio.Event = field(default_factory=asyncio.Event)
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)

    def hurry(self) -> None:
        """Something has ended: it is told at once."""
        self._dirty.set()

    async def run(self) -> None:
        """For ever, until cancelled."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.every):
                    await self._dirty.wait()
            self._dirty.clear()
            try:
                if not await self.tell():
                    await asyncio.sleep(self.every)
            except Exception:
                log.exception("sessions were not told to the log", extra={"action": "session"})
                await asyncio.sleep(self.every)

    async def tell(self) -> bool:
        """All that there is; False where the log does not take it now."""
        async with self._one:
            stood = True
            while stood and (parts := self._parts()):
                stood = await self._commit(parts)
                self.mind()
            return stood

    def _parts(self) -> list[_Part]:
        parts: list[_Part] = []
        room = BATCH
        for live in list(self.lives.values()):
            if failed := live.harvest(max(0, room - len(live.acts))):
                self.cut(live, failed)
            if live.acts and live.behind_since is None:
                live.behind_since = time.monotonic()
            acts, recorder = live.acts[:room], live.tape.recorder
            room -= len(acts)
            last = bool(live.ended) and len(acts) == len(live.acts)
            if acts or last:
                parts.append(_Part(live, acts, last, recorder.size, recorder.hash.hex()))
        return parts

    async def _commit(self, parts: Sequence[_Part]) -> bool:
        now = self.clock.now()
        changes = await asyncio.to_thread(lambda: [_change(part, now) for part in parts])
        try:
            for place, part in enumerate(parts):
                changes[place] = await with_first(part.live, changes[place], self.sessions)
            await self.store.commit(_whole(changes))
        except Stale:
            return await self._commit_each(parts, changes)
        except AccessError as error:
            log.warning("the log does not take what was done", extra={"action": "session", "why": str(error)})
            return False
        for part, change in zip(parts, changes, strict=True):
            self._told(part, change.sessions[0])
        return True

    async def _commit_each(self, parts: Sequence[_Part], changes: Sequence[Change]) -> bool:
        """One of them was closed by somebody else: that must not hold up the others."""
        for part, change in zip(parts, changes, strict=True):
            try:
                await self.store.commit(change)
            except Stale:
                try:
                    if not await self._stood(part.live):
                        self._lose(part.live)
                except AccessError:
                    return False
            except AccessError:
                return False
            else:
                self._told(part, change.sessions[0])
        return True

    async def _stood(self, live: Live) -> bool:
        """Whether an earlier commit, of which nobody heard how it ended, was carried out: then that much is told."""
        was, now = live.session, await self.sessions.session(live.session.grant, live.session.n)
        if now is None or now.version != was.version + 1 or (now.closed_at is not None and now.why != live.ended):
            return False
        live.session = now
        del live.acts[: now.acts - was.acts]
        live.behind_since = time.monotonic() if live.acts else None
        if now.closed_at is not None:
            self.lives.pop(now.id, None)
        return True

    def _lose(self, live: Live) -> None:
        self.lives.pop(live.session.id, None)
        self.cut(live, f"{live.session.id} was closed by somebody else.")
        live.torn = True
        live.seal()  # nothing passes from here on: a write finds no file

    def _told(self, part: _Part, session: Session) -> None:
        live = part.live
        live.session = replace(session, version=session.version + 1)
        del live.acts[: len(part.acts)]
        live.behind_since = time.monotonic() if live.acts else None
        live.pace()
        if part.last:
            self.lives.pop(session.id, None)

    def mind(self) -> None:
        """A session whose acts the log does not take goes on no longer, also while nobody answers at all."""
        since = time.monotonic() - GRACE
        for live in list(self.lives.values()):
            live.pace()
            if live.behind_since is not None and live.behind_since < since:
                self.cut(live, _LOG_AWAY)


def _whole(changes: Sequence[Change]) -> Change:
    return Change(
        sessions=tuple(session for change in changes for session in change.sessions),
        events=tuple(event for change in changes for event in change.events),
        seen=tuple({seen: None for change in changes for seen in change.seen}),
    )


def _change(part: _Part, now: datetime) -> Change:
    """On a thread: the statements are looked into, and the recording is made durable first."""
    live, recorder = part.live, part.live.tape.recorder
    told = about_live(live, now)
    events: list[Event] = live.tape.events(part.acts, told)
    session = replace(live.session, acts=live.session.acts + len(part.acts))
    if part.last:
        live.seal()
        session = replace(session, size=recorder.size, recording=recorder.hash.hex())
        over = closed(session, live.ended, told.at(None))
        return replace(over, events=(*events, *over.events))
    with contextlib.suppress(RecorderFailed):  # whoever writes next is told, and that ends the session
        recorder.sync()
        recorder.look()
    session = replace(session, size=part.size, recording=part.recording)
    grown = SessionRecorded(
        at=now, ref=session.ref, by=session.requester, session=session.id, actions=session.acts, size=session.size,
        recording=session.recording,
    )  # fmt: skip
    return Change(sessions=(session,), events=(*events, grown))
