"""What becomes of a recording when its session is over: copied to where it is locked, and in time taken off the disk.

A chore of the process that has the disk. It may die at any point: what was done stands in the session's row, and the
rest is done again; nothing is deleted here that is not written down first.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from access.errors import AccessError, Stale, Unavailable
from access.events import SessionRemoved, SessionStored
from access.ports import Change, Clock, SessionStore, Store
from access.sessions.ending import is_session, parse_session
from access.sessions.model import Session
from audit.recording.form import Broken
from audit.recording.reader import walked
from gateways.passed import Look, Passed
from gateways.recordings import Shelf

log = logging.getLogger(__name__)

EVERY = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Whole:
    """A recording's file. `recording`: the running hash of its whole frames; `sha256`: of all its bytes, in hex."""

    session: str
    path: Path
    size: int
    recording: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Stored:
    """Where it is, and until when nobody can delete it there."""

    place: str
    until: datetime


class Depot(Protocol):
    """Where recordings are locked. `put` and `open` block; they raise Unavailable."""

    def put(self, whole: Whole) -> Stored:
        """Copy it there and read it back. Begun before, it goes on; done before, it is only read back."""
        ...

    def open(self, place: str) -> BinaryIO: ...

    def close(self) -> None: ...


@dataclass
class Keeping:
    """Of one process. `shelves`: its own and those that no living process has, each while it is looked at.

    `keep`: how long after its end a recording stays on the disk; None: for ever. With a depot, not before it is there.
    """

    store: Store
    sessions: SessionStore
    clock: Clock
    shelves: Callable[[], Iterator[Shelf]]
    adopt: Callable[[Shelf], Awaitable[None]]
    depot: Depot | None = None
    keep: timedelta | None = None
    every: float = EVERY
    own: Shelf | None = None  # whose sessions nobody else adopts, and this process has open
    passed: Passed = field(default_factory=Passed)
    trouble: dict[str, str] = field(default_factory=dict)  # by session: why it cannot be kept as it should

    async def run(self) -> None:
        """For ever, until cancelled."""
        while True:
            try:
                await self.look()
            except AccessError as error:
                log.warning("recordings are not looked at", extra={"action": "recordings", "why": str(error)})
            except Exception:
                log.exception("a look at the recordings failed", extra={"action": "recordings"})
            await asyncio.sleep(self.every)

    async def look(self) -> None:
        """Once through everything. Raises Unavailable."""
        for shelf in self.shelves():
            if shelf is not self.own:
                await self.adopt(shelf)
            kept, look = await self.sessions.kept_sessions(shelf.name), await self._clocks(shelf)
            for session in kept:
                await self._one(shelf, session, look)
            await self._finish(shelf, {session.id for session in kept})

    async def _clocks(self, shelf: Shelf) -> Look | None:
        """None: nobody knows how much time has passed."""
        try:
            return await asyncio.to_thread(self.passed.look, shelf.path, self.clock.now())
        except OSError as error:
            log.warning("nothing is removed", extra={"action": "recordings", "why": str(error.strerror)})
            return None

    async def _one(self, shelf: Shelf, session: Session, look: Look | None) -> None:
        path = shelf.file(session)
        try:
            if _never_begun(session) and not path.exists():
                return
            if self.depot is not None and not session.stored:
                await self._put(self.depot, path, session)
            elif self._has_had_its_time(session, look) and path.exists():
                await self._remove(path, session)
        except Stale:
            pass  # somebody else has moved it on: seen at the next look
        except (Unavailable, Broken, OSError) as error:
            self._note(session, str(error))
        except Exception as error:  # of one recording: the others are kept all the same
            log.exception("a recording could not be looked at", extra=_named(session))
            self._note(session, f"{type(error).__name__} at a look at it; the log of the gateway says more.")
        else:
            self.trouble.pop(session.id, None)

    def _note(self, session: Session, why: str) -> None:
        if self.trouble.get(session.id) != why:
            log.warning("a recording is not kept as it should be", extra=_named(session, why=why))
        self.trouble[session.id] = why

    async def _put(self, depot: Depot, path: Path, session: Session) -> None:
        """Raises Unavailable, Broken, OSError, Stale."""
        whole = await asyncio.to_thread(whole_of, path, session)
        stored = await asyncio.to_thread(depot.put, whole)
        now = self.clock.now()
        event = SessionStored(
            at=now, ref=session.ref, session=session.id, place=stored.place, until=stored.until, size=whole.size,
            recording=whole.recording, sha256=whole.sha256,
        )  # fmt: skip
        kept = replace(session, stored=stored.place, stored_at=now)
        await self.store.commit(Change(sessions=(kept,), events=(event,)))
        log.info("recording stored", extra=_named(session, place=stored.place))

    def _has_had_its_time(self, session: Session, look: Look | None) -> bool:
        """By what has surely passed: a clock that somebody sets ahead by a year removes nothing."""
        assert session.closed_at is not None  # only such ones are looked at
        return self.keep is not None and look is not None and look.since(session.closed_at) >= self.keep

    async def _remove(self, path: Path, session: Session) -> None:
        """Raises Unavailable, Stale, OSError."""
        now = self.clock.now()
        event = SessionRemoved(
            at=now, ref=session.ref, session=session.id, recording=session.recording, place=session.stored
        )
        await self.store.commit(Change(sessions=(replace(session, removed_at=now),), events=(event,)))
        await asyncio.to_thread(path.unlink, missing_ok=True)
        log.info("recording removed", extra=_named(session, place=session.stored))

    async def _finish(self, shelf: Shelf, kept: set[str]) -> None:
        """Files that were to be deleted when the process died. Raises Unavailable."""
        for name in await asyncio.to_thread(shelf.names):
            if name in kept or not is_session(name):
                continue
            session = await self.sessions.session(*parse_session(name))
            if session is not None and session.process == shelf.name and session.removed_at is not None:
                with contextlib.suppress(OSError):  # at the next look
                    shelf.file(session).unlink(missing_ok=True)


def _never_begun(session: Session) -> bool:
    """Nothing of it was ever written: it was closed because of that."""
    return not (session.size or session.acts or session.recording)


def whole_of(path: Path, session: Session) -> Whole:
    """Looked through first: what the log does not know is not passed off as the recording. Raises Broken, OSError."""
    with path.open("rb") as file:
        read = _Hashed(file)
        reading, is_known = None, not session.size
        for reading in walked(cast("BinaryIO", read)):
            if reading.size == session.size:
                is_known = reading.hash.hex() == session.recording
        if reading is None or reading.header.session != session.id:
            raise Broken(f"the file is not the recording of {session.id}")
        if not is_known:
            raise Broken(f"the recording of {session.id} is not the one that the log knows")
        return Whole(session.id, path, read.size, reading.hash.hex(), read.sha256.hexdigest())


class _Hashed:
    """A file whose bytes are hashed as they are read, once and in order."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.sha256, self.size = file, hashlib.sha256(), 0

    def read(self, size: int = -1) -> bytes:
        return self._take(self._file.read(size))

    def readline(self, size: int = -1) -> bytes:
        return self._take(self._file.readline(size))

    def _take(self, data: bytes) -> bytes:
        self.sha256.update(data)
        self.size += len(data)
        return data


def _named(session: Session, **more: str) -> dict[str, object]:
    return {"action": "recordings", "ref": session.ref, "session": session.id, **more}
