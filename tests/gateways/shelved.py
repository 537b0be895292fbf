"""Recorded sessions without a gateway: rows, entries and files, as one leaves them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from access.events import Event, SessionOpened, SessionRecorded
from access.ports import Change
from access.sessions.ending import closed
from access.sessions.model import Session
from audit.payloads import PayloadKey
from gateways.keeping import Depot, Keeping
from gateways.passed import Passed
from gateways.recordings import Shelf, free_shelves, idle_shelves
from tests.people import LINUS
from tests.world import World

Act = tuple[str, dict[str, Any]]


@dataclass
class Shelved:
    """One shelf of a world's store."""

    world: World
    place: Path

    def __post_init__(self) -> None:
        self.key: PayloadKey = self.world.store.log.ledger.payload_key  # type: ignore[assignment]
        self.shelf: Shelf = next(free_shelves(self.place, self.key))

    async def opened(self, **changes: Any) -> Session:
        """A session that is in the log, and whose recording is not begun yet."""
        store, clock = self.world.store, self.world.clock
        numbers = await store.open_grants() or [(await self.world.opened()).number]
        grant = await self.world.grant(numbers[0])
        made = Session(
            grant.number, 1 + (await store.sessions.tally(grant.number))[1], "postgres", f"{grant.ref}.abcdef", LINUS,
            grant.target, "db.internal", "10.0.0.7", "psql", self.shelf.name, os.urandom(32).hex(), clock.now(),
        )  # fmt: skip
        session = replace(made, **changes)
        about = {"at": clock.now(), "ref": session.ref, "by": LINUS, "session": session.id}
        opened = SessionOpened(
            **about, gateway="postgres", target=session.target, host=session.host, address="10.0.0.7"
        )
        await store.commit(Change(sessions=(session,), events=(opened,)))
        return session

    async def recorded(self, acts: Sequence[Act], form: str = "sql", **changes: Any) -> Session:
        """A session that did this, and is over."""
        store, clock = self.world.store, self.world.clock
        session = await self.opened(**changes)
        about = {"at": clock.now(), "ref": session.ref, "by": LINUS, "session": session.id}
        recorder = self.shelf.begin(session, form)
        for kind, data in acts:
            recorder.write(kind, data)
        session = replace(session, version=1, acts=len(acts), size=recorder.size, recording=recorder.hash.hex())
        told = SessionRecorded(**about, actions=session.acts, size=session.size, recording=session.recording)
        await store.commit(Change(sessions=(session,), events=(told,)))
        recorder.close("closed")
        session = replace(session, version=2, size=recorder.size, recording=recorder.hash.hex())
        await store.commit(closed(session, "closed", clock.now()))
        return await self.now(session)

    async def now(self, session: Session) -> Session:
        found = await self.world.store.sessions.session(session.grant, session.n)
        assert found is not None
        return found

    async def events(self, kind: type[Event]) -> list[Any]:
        return [e.event for e in await self.world.store.log.entries_of("PA-1") if isinstance(e.event, kind)]

    def keeping(self, depot: Depot | None = None, **changes: Any) -> Keeping:
        async def adopt(_: Shelf) -> None:
            """Nothing is left open here."""

        def shelves() -> Any:
            yield self.shelf
            yield from idle_shelves(self.place, self.key)

        store, clock = self.world.store, self.world.clock
        even = Passed(elapsed=lambda: clock.now().timestamp(), boot=lambda: "the same")
        return Keeping(
            store, store.sessions, clock, shelves, adopt, depot, **{"own": self.shelf, "passed": even, **changes}
        )
