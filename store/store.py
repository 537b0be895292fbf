"""The store: `access.ports.Store` and `Notebook`, and the audit log's `Feed`, over one database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select
from sqlmodel import col

from access.model import Device, Grant, GrantState, LoginCode, Receipt, Request
from access.ports import Change, Clock, Due
from audit import log
from audit.canonical import micros, moment
from store import moves, rows
from store.database import Database
from store.migrate import migrate
from store.tables import (
    AccessGrant,
    AccessHandle,
    AccessLease,
    AccessRequest,
    AccessVote,
    Note,
    SignedInDevice,
    SignInCode,
)

_LOOK = 1.0  # seconds between looks for entries that another process has written


def open_store(url: str, clock: Clock) -> SqlStore:
    """Open (and where needed create or migrate) the database behind a SQLAlchemy URL.

    `sqlite:///var/prodaccess.db` or `postgresql://user@host/name`. Raises DatabaseLocked, Unavailable.
    """
    database = Database(url)
    try:
        migrate(database)
    except BaseException:
        database.close()
        raise
    return SqlStore(database, clock)


class SqlStore:
    """Every method is one transaction."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._written = asyncio.Event()

    def close(self) -> None:
        self._database.close()

    # Writing

    async def create(self, build: Callable[[int], Change]) -> Receipt:
        return self._announce(await self._database.write(lambda tx: moves.create(tx, build, self._clock)))

    async def commit(self, change: Change) -> Receipt:
        return self._announce(await self._database.write(lambda tx: moves.write(tx, change, self._clock)))

    def _announce(self, receipt: Receipt) -> Receipt:
        if receipt.seqs:
            self._written.set()
            self._written = asyncio.Event()
        return receipt

    # Requests and grants

    async def request(self, number: int) -> Request | None:
        return await self._database.read(lambda tx: _request(tx, AccessRequest.number, number))

    async def request_by_id(self, request_id: str) -> Request | None:
        return await self._database.read(lambda tx: _request(tx, AccessRequest.id, request_id))

    async def request_by_key(self, key: str) -> Request | None:
        return await self._database.read(lambda tx: _request(tx, AccessRequest.key, key))

    async def requests_of(self, person_id: str | None, *, limit: int = 50) -> tuple[Request, ...]:
        return await self._database.read(lambda tx: _requests_of(tx, person_id, limit))

    async def grant(self, number: int) -> Grant | None:
        return (await self.grants_by_number([number])).get(number)

    async def grants_by_number(self, numbers: Sequence[int]) -> Mapping[int, Grant]:
        return await self._database.read(lambda tx: _grants(tx, numbers))

    async def grants_by_state(self) -> Mapping[str, int]:
        """How many grants are in each state; every state is present."""
        counts = await self._database.read(_count_states)
        return {state.value: counts.get(state.value, 0) for state in GrantState}

    async def due(self, before: datetime, limit: int) -> Due:
        return await self._database.read(lambda tx: _due(tx, micros(before), limit))

    async def next_due(self) -> datetime | None:
        return await self._database.read(_next_due)

    # Signing in

    async def login_code(self, code_hash: str) -> LoginCode | None:
        query = _all_of(SignInCode).where(col(SignInCode.code_hash) == code_hash)
        row = await self._database.read(lambda tx: tx.execute(query).one_or_none())
        return None if row is None else rows.code_of(row)

    async def device_by_token(self, token_hash: str) -> Device | None:
        return next(iter(await self._devices(SignedInDevice.token_hash, token_hash)), None)

    async def device(self, device_id: str) -> Device | None:
        return next(iter(await self._devices(SignedInDevice.id, device_id)), None)

    async def devices_of(self, person_id: str) -> tuple[Device, ...]:
        return await self._devices(SignedInDevice.person_id, person_id)

    async def _devices(self, column: Any, value: str) -> tuple[Device, ...]:
        query = _all_of(SignedInDevice).where(col(column) == value)
        found = await self._database.read(lambda tx: tx.execute(query).all())
        return tuple(rows.device_of(row) for row in found)

    # Notebook

    async def note(self, key: str) -> dict[str, Any] | None:
        query = select(col(Note.value)).where(col(Note.key) == key)
        text = await self._database.read(lambda tx: tx.execute(query).scalar_one_or_none())
        return None if text is None else json.loads(text)

    async def put_notes(self, notes: Mapping[str, Mapping[str, Any]]) -> None:
        await self._database.write(lambda tx: moves.put_notes(tx, notes))

    # The audit log's Feed

    async def entries(self, after: int, limit: int = 100) -> tuple[log.Entry, ...]:
        return await self._database.read(lambda tx: log.read(tx, after, limit))

    async def entries_of(self, ref: str) -> tuple[log.Entry, ...]:
        return await self._database.read(lambda tx: log.read_ref(tx, ref))

    async def head(self) -> int:
        return await self._database.read(log.head)

    async def wait(self, after: int, timeout: float) -> bool:
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        while True:
            written = self._written  # taken before the look, so that a write in between is not missed
            if await self.head() > after:
                return True
            left = until - loop.time()
            if left <= 0:
                return False
            try:
                await asyncio.wait_for(written.wait(), min(left, _LOOK))
            except TimeoutError:
                continue


def _all_of(model: Any) -> Any:
    """SELECT of every column under its attribute's name: plain rows, no instances."""
    return select(*(column.label(name) for name, column in model.__mapper__.columns.items()))


def _request(tx: Connection, column: Any, value: Any) -> Request | None:
    row = tx.execute(_all_of(AccessRequest).where(col(column) == value)).one_or_none()
    return None if row is None else rows.request_of(row, _votes(tx, row.id))


def _votes(tx: Connection, request_id: str) -> Sequence[Any]:
    query = _all_of(AccessVote).where(col(AccessVote.request_id) == request_id)
    return tx.execute(query.order_by(col(AccessVote.at))).all()


def _requests_of(tx: Connection, person_id: str | None, limit: int) -> tuple[Request, ...]:
    query = _all_of(AccessRequest).order_by(col(AccessRequest.number).desc()).limit(limit)
    if person_id is not None:
        query = query.where(col(AccessRequest.requester_id) == person_id)
    return tuple(rows.request_of(row, _votes(tx, row.id)) for row in tx.execute(query).all())


def _grants(tx: Connection, numbers: Sequence[int]) -> dict[int, Grant]:
    handles = _children(tx, AccessHandle, numbers, AccessHandle.attempt)
    leases = _children(tx, AccessLease, numbers, AccessLease.n)
    found = tx.execute(_all_of(AccessGrant).where(col(AccessGrant.number).in_(numbers))).all()
    return {r.number: rows.grant_of(r, handles.get(r.number, ()), leases.get(r.number, ())) for r in found}


def _children(tx: Connection, model: Any, numbers: Sequence[int], order: Any) -> dict[int, list[Any]]:
    query = _all_of(model).where(col(model.grant).in_(numbers)).order_by(col(order))
    found: dict[int, list[Any]] = {}
    for row in tx.execute(query).all():
        found.setdefault(row.grant, []).append(row)
    return found


def _count_states(tx: Connection) -> dict[str, int]:
    query = select(col(AccessGrant.state), func.count()).group_by(col(AccessGrant.state))
    return {row[0]: row[1] for row in tx.execute(query)}


def _due(tx: Connection, before: int, limit: int) -> Due:
    def numbers(model: type[AccessRequest | AccessGrant]) -> tuple[int, ...]:
        query = select(col(model.number)).where(col(model.due_at) <= before).order_by(col(model.due_at)).limit(limit)
        return tuple(tx.execute(query).scalars())

    return Due(numbers(AccessRequest), numbers(AccessGrant))


def _next_due(tx: Connection) -> datetime | None:
    found = [tx.execute(select(func.min(col(m.due_at)))).scalar() for m in (AccessRequest, AccessGrant)]
    times = [value for value in found if value is not None]
    return moment(min(times)) if times else None
