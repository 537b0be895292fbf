"""Passes and sessions as they stand: `access.ports.SessionStore`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select, tuple_
from sqlmodel import col

from access.sessions.model import Cut, Held, HeldState, Pass, Session, Stop
from audit.canonical import micros
from audit.statement import Statement, selecting, table_of
from store import rows
from store.database import Database
from store.tables import AccessCut, AccessHeld, AccessPass, AccessSeen, AccessSession, AccessStop

_PASS = selecting(AccessPass, "name")
_LIVING = Statement(
    lambda _: (
        select(table_of(AccessPass))
        .where(col(AccessPass.grant) == bindparam("grant_number"), col(AccessPass.ended_at).is_(None))
        .order_by(col(AccessPass.created_at))
    )
)
_SESSIONS = selecting(AccessSession, "grant_number", order="n")
_MARKED = Statement(
    lambda _: select(table_of(AccessSession)).where(
        col(AccessSession.stop) == bindparam("stop"),
        col(AccessSession.stop) != "",
        col(AccessSession.closed_at).is_(None),
    )
)


class SqlSessions:
    """Every method is one transaction that reads."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def pass_named(self, name: str) -> Pass | None:
        row = await self._database.read(lambda tx: _PASS.run(tx, {"name": name}).one_or_none())
        return None if row is None else rows.pass_of(row)

    async def living_passes(self, number: int) -> tuple[Pass, ...]:
        found = await self._database.read(lambda tx: _LIVING.run(tx, {"grant_number": number}).all())
        return tuple(map(rows.pass_of, found))

    async def session(self, number: int, n: int) -> Session | None:
        table = table_of(AccessSession)
        query = select(table).where(table.c.grant_number == number, table.c.n == n)
        row = await self._database.read(lambda tx: tx.execute(query).one_or_none())
        return None if row is None else rows.session_of(row)

    async def sessions_of(self, number: int) -> tuple[Session, ...]:
        found = await self._database.read(lambda tx: _SESSIONS.run(tx, {"grant_number": number}).all())
        return tuple(map(rows.session_of, found))

    async def open_sessions(self, process: str | None = None) -> tuple[Session, ...]:
        return await self._database.read(lambda tx: _open(tx, process))

    async def kept_sessions(self, process: str) -> tuple[Session, ...]:
        table = table_of(AccessSession)
        kept = select(table).where(
            table.c.process == process, table.c.closed_at.is_not(None), table.c.removed_at.is_(None)
        )
        found: list[Any] = await self._database.read(lambda tx: list(tx.execute(kept.order_by(table.c.closed_at))))
        return tuple(map(rows.session_of, found))

    async def unstored(self, before: datetime) -> int:
        of = table_of(AccessSession).c
        late = select(func.count()).where(
            of.closed_at < micros(before), of.stored == "", of.removed_at.is_(None), of.size > 0
        )
        return await self._database.read(lambda tx: int(tx.execute(late).scalar_one()))

    async def tally(self, number: int) -> tuple[int, int]:
        table = table_of(AccessSession)
        counts = select(func.count(), func.count(table.c.closed_at)).where(table.c.grant_number == number)
        every, closed = await self._database.read(lambda tx: tx.execute(counts).one())
        return every - closed, every

    async def orders(self, sessions: Sequence[str]) -> tuple[Mapping[str, Cut], Mapping[str, Stop]]:
        return await self._database.read(lambda tx: (_cuts(tx, sessions), _stops(tx, sessions)))

    async def held(self, ids: Sequence[tuple[int, int, int]]) -> tuple[Held, ...]:
        table = table_of(AccessHeld)
        which = tuple_(table.c.grant_number, table.c.session, table.c.n).in_(list(ids))
        return await self._database.read(lambda tx: _held(tx, select(table).where(which)))

    async def waiting(self) -> tuple[Held, ...]:
        table = table_of(AccessHeld)
        query = select(table).where(table.c.state == HeldState.WAITING.value).order_by(table.c.asked_at)
        return await self._database.read(lambda tx: _held(tx, query))

    async def seen(self, person: str, target: str, things: Collection[str]) -> frozenset[str]:
        table = table_of(AccessSeen)
        theirs = (table.c.person == person, table.c.target == target, table.c.thing.in_(list(things)))
        found: list[Any] = await self._database.read(lambda tx: list(tx.execute(select(table.c.thing).where(*theirs))))
        return frozenset(row.thing for row in found)

    async def stoppable(self, mark: str) -> Session | None:
        row = await self._database.read(lambda tx: _MARKED.run(tx, {"stop": mark}).one_or_none())
        return None if row is None else rows.session_of(row)


def _open(tx: Connection, process: str | None) -> tuple[Session, ...]:
    table = table_of(AccessSession)
    query = select(table).where(table.c.closed_at.is_(None))
    if process is not None:
        query = query.where(table.c.process == process)
    return tuple(map(rows.session_of, tx.execute(query.order_by(table.c.opened_at)).all()))


def _cuts(tx: Connection, sessions: Sequence[str]) -> dict[str, Cut]:
    table = table_of(AccessCut)
    found: list[Any] = list(tx.execute(select(table).where(table.c.session.in_(sessions))))
    return {row.session: rows.cut_of(row) for row in found}


def _stops(tx: Connection, sessions: Sequence[str]) -> dict[str, Stop]:
    table = table_of(AccessStop)
    found: list[Any] = list(tx.execute(select(table).where(table.c.session.in_(sessions))))
    return {row.session: rows.stop_of(row) for row in found}


def _held(tx: Connection, query: Select[Any]) -> tuple[Held, ...]:
    found: list[Any] = list(tx.execute(query))
    return tuple(map(rows.held_of, found))
