"""Recorded sessions as a gateway would tell of them: their rows and their entries, without a gateway."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from access.events import QueryRun, SessionClosed, SessionOpened
from access.ports import Change
from access.sessions.ending import closed
from access.sessions.looking import Sessions
from access.sessions.model import Session
from access.sessions.passes import Passes
from access.sessions.place import GatewayParts
from tests.people import LINUS
from tests.world import World


async def opens(world: World, n: int = 1, **more: Any) -> Session:
    """The nth session of PA-1."""
    now = world.clock.now()
    facts = {"target": "orders-db", "host": "db-1", "address": "10.2.0.7", "client": "psql", **more}
    session = Session(
        grant=1, n=n, gateway="postgres", pass_name="PA-1.k3f9qz", requester=LINUS, process="one", seed="ab" * 32,
        opened_at=now, **facts,
    )  # fmt: skip
    event = SessionOpened(at=now, ref="PA-1", by=LINUS, session=session.id, gateway="postgres", **facts)
    await world.store.commit(Change(sessions=(session,), events=(event,)))
    return replace(session, version=1)


def ran(world: World, text: str, *touches: str, session: str = "PA-1-1", **more: Any) -> QueryRun:
    facts: dict[str, Any] = {"coverage": "full", "kind": "read", **more}
    return QueryRun(
        at=world.clock.now(), ref="PA-1", by=LINUS, session=session, target="orders-db", text=text, shape="",
        touches=touches, **facts,
    )  # fmt: skip


async def runs(world: World, *acts: QueryRun) -> None:
    await world.store.commit(Change(events=acts))


async def closes(world: World, session: Session, why: str = "the client closed it") -> SessionClosed:
    change = closed(replace(session, recording="cd" * 32, acts=2), why, world.clock.now())
    await world.store.commit(change)
    event = change.events[0]
    assert isinstance(event, SessionClosed)
    return event


def with_gateway(world: World) -> World:
    """So that its api tells of sessions."""
    store = world.store.sessions
    world.gateways = GatewayParts(Passes(world.grants, store), Sessions(world.broker, store))
    return world
