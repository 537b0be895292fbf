"""The store: `access.ports.Store` and `Notebook` over one database, beside its audit log (`store.log`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Table, func, or_, select
from sqlmodel import SQLModel, col

from access.errors import NotFound
from access.events import RecordingErased, TextErased
from access.model import Device, Grant, GrantState, LoginCode, Person, Receipt, Request, Review
from access.ports import Change, Clock, Due, PrivateTexts, Quota, Share
from audit.canonical import fields_of, micros, moment
from audit.log import Ledger, head
from audit.statement import selecting
from audit.tables import LedgerEntry, LedgerPayload
from store import claims, moves, rows, spent
from store.database import Database
from store.log import SqlLog
from store.migrate import migrate
from store.sessions import SqlSessions
from store.tables import (
    AccessGrant,
    AccessHandle,
    AccessLease,
    AccessRequest,
    AccessReview,
    AccessVote,
    Note,
    SignedInDevice,
    SignInCode,
)

_REQUEST = {by: selecting(AccessRequest, by) for by in ("number", "id", "key")}
_VOTES = selecting(AccessVote, "request_id", order="at")
_GRANT = selecting(AccessGrant, "number")
_HANDLES = selecting(AccessHandle, "grant_number", order="attempt")
_LEASES = selecting(AccessLease, "grant_number", order="n")
_REVIEW = selecting(AccessReview, "number")
_CODE = selecting(SignInCode, "code_hash")
_DEVICE = {by: selecting(SignedInDevice, by) for by in ("token_hash", "id", "person_id")}
_NOTE = selecting(Note, "key")
_AT_ONCE = 500  # parameters of one IN list
_LONG = 10.0  # seconds for what ends many grants at once; shorter than their claim


def open_store(url: str, clock: Clock, ledger: Ledger) -> SqlStore:
    """Open (and where needed create or migrate) the database behind a SQLAlchemy URL.

    `sqlite:///var/prodaccess.db` or `postgresql://user@host/name`. Raises DatabaseLocked, Unavailable.
    """
    database = Database(url)
    try:
        database.be_one_of_many()
        migrate(database)
    except BaseException:
        database.close()
        raise
    return SqlStore(database, clock, SqlLog(database, ledger))


def _nobody(_: Change) -> None:
    """Where no shadow is kept."""


class SqlStore:
    """Every method is one transaction."""

    def __init__(self, database: Database, clock: Clock, log: SqlLog) -> None:
        self._database = database
        self._clock = clock
        self.log = log
        self.wrote: Callable[[Change], None] = _nobody  # is told of every change that stood
        self.sessions = SqlSessions(database)

    def close(self) -> None:
        self._database.close()

    # Writing

    async def create(self, build: Callable[[int], Change], quota: Quota | None = None) -> Receipt:
        return await self._write(lambda desk: desk.create(build, quota))

    async def commit(self, change: Change) -> Receipt:
        receipt = await self._write(lambda desk: desk.write(change))
        self.wrote(change)
        if any(isinstance(event, TextErased | RecordingErased) for event in change.events):
            await self.log.scrub()
        return receipt

    async def commit_each(self, changes: Sequence[Change], *, wait: bool = True) -> tuple[bool, ...]:
        """See `access.ports.Store`."""
        written = await self._database.write(
            lambda tx: moves.Desk(tx, self.log.ledger, self._clock).write_each(changes, wait=wait), patience=_LONG
        )
        self.log.announce(written.receipt)
        for change, stood in zip(changes, written.stood, strict=True):
            if stood:
                self.wrote(change)
        return written.stood

    async def _write(self, work: Callable[[moves.Desk], Receipt]) -> Receipt:
        receipt = await self._database.write(lambda tx: work(moves.Desk(tx, self.log.ledger, self._clock)))
        return self.log.announce(receipt)

    # Requests and grants

    async def request(self, number: int) -> Request | None:
        return await self._database.read(lambda tx: _request(tx, "number", number))

    async def request_by_id(self, request_id: str) -> Request | None:
        return await self._database.read(lambda tx: _request(tx, "id", request_id))

    async def request_by_key(self, key: str) -> Request | None:
        return await self._database.read(lambda tx: _request(tx, "key", key))

    async def requests_of(self, person_id: str | None, *, limit: int = 50) -> tuple[Request, ...]:
        return await self._database.read(lambda tx: _requests_of(tx, person_id, limit))

    async def open_requests(self, person_id: str | None = None) -> tuple[Request, ...]:
        return await self._database.read(lambda tx: _open_requests(tx, person_id))

    async def pending_extensions(self, numbers: Sequence[int]) -> tuple[Request, ...]:
        return await self._database.read(lambda tx: _pending_extensions(tx, frozenset(numbers)))

    async def grant(self, number: int) -> Grant | None:
        return await self._database.read(lambda tx: _grant(tx, number))

    async def open_grants(self) -> tuple[int, ...]:
        return await self._database.read(_open_numbers, patience=_LONG)

    async def owners(self, locators: Sequence[str]) -> Mapping[str, int]:
        """The grants, ended ones too, that have these locators of handles and leases on record. Reads much."""
        return await self._database.read(lambda tx: _owners(tx, locators), patience=_LONG)

    async def requests_by_number(self, numbers: Sequence[int]) -> Mapping[int, Request]:
        return await self._database.read(lambda tx: _requests_by_number(tx, numbers), patience=_LONG)

    async def grants_by_number(self, numbers: Sequence[int]) -> Mapping[int, Grant]:
        return await self._database.read(lambda tx: _grants(tx, numbers))

    async def review(self, number: int) -> Review | None:
        row = await self._database.read(lambda tx: _REVIEW.run(tx, {"number": number}).one_or_none())
        return None if row is None else rows.review_of(row)

    async def open_reviews(self, person_id: str | None = None) -> tuple[Review, ...]:
        return await self._database.read(lambda tx: _open_reviews(tx, person_id))

    async def grants_by_state(self) -> Mapping[str, int]:
        """How many grants are in each state; every state is present."""
        counts = await self._database.read(_count_states)
        return {state.value: counts.get(state.value, 0) for state in GrantState}

    async def due(self, before: datetime, limit: int, share: Share | None = None) -> Due:
        return await self._database.read(lambda tx: _due(tx, micros(before), limit, share))

    async def abandoned(self, living: Collection[int]) -> tuple[int, ...]:
        return await self._database.read(lambda tx: claims.abandoned(tx, living, micros(self._clock.now())))

    async def next_due(self) -> datetime | None:
        return await self._database.read(_next_due)

    async def loose_intents(self, before: datetime) -> tuple[tuple[int, int], ...]:
        return await self._database.read(lambda tx: _loose_intents(tx, micros(before)))

    async def private_texts(self, ref: str) -> tuple[PrivateTexts, ...]:
        return await self._database.read(lambda tx: _private_texts(tx, col(LedgerEntry.ref) == ref))

    async def private_texts_at(self, seq: int) -> tuple[PrivateTexts, ...]:
        return await self._database.read(lambda tx: _private_texts_at(tx, seq))

    # Signing in

    async def login_code(self, code_hash: str) -> LoginCode | None:
        row = await self._database.read(lambda tx: _CODE.run(tx, {"code_hash": code_hash}).one_or_none())
        return None if row is None else rows.code_of(row)

    async def device_by_token(self, token_hash: str) -> Device | None:
        return next(iter(await self._devices("token_hash", token_hash)), None)

    async def device(self, device_id: str) -> Device | None:
        return next(iter(await self._devices("id", device_id)), None)

    async def devices_of(self, person_id: str) -> tuple[Device, ...]:
        return await self._devices("person_id", person_id)

    async def _devices(self, by: str, value: str) -> tuple[Device, ...]:
        found = await self._database.read(lambda tx: _DEVICE[by].run(tx, {by: value}).all())
        return tuple(rows.device_of(row) for row in found)

    async def spend(self, key: str, until: datetime) -> bool:
        """False when another process has taken this signed call; the only process remembers by itself."""
        if self._database.is_sqlite:
            return True
        return await self._database.write(lambda tx: spent.spend(tx, key, micros(until)))

    async def forget_spent(self) -> None:
        """Those that are refused by their time."""
        if not self._database.is_sqlite:
            await self._database.write(lambda tx: spent.forget(tx, micros(self._clock.now())))

    # Notebook

    async def note(self, key: str) -> dict[str, Any] | None:
        row = await self._database.read(lambda tx: _NOTE.run(tx, {"key": key}).one_or_none())
        return None if row is None else json.loads(row.value)

    async def put_notes(
        self, notes: Mapping[str, Mapping[str, Any]], *, still: Mapping[str, Mapping[str, Any] | None] | None = None
    ) -> None:
        await self._database.write(lambda tx: moves.put_notes(tx, notes, still or {}))


def _request(tx: Connection, by: str, value: int | str) -> Request | None:
    row = _REQUEST[by].run(tx, {by: value}).one_or_none()
    return None if row is None else _with_votes(tx, row)


def _with_votes(tx: Connection, row: Any) -> Request:
    return rows.request_of(row, _VOTES.run(tx, {"request_id": row.id}).all())


def _all_with_votes(tx: Connection, found: Sequence[Any]) -> tuple[Request, ...]:
    """In their order; a few queries, however many they are."""
    table, votes = _table("access_vote"), dict[str, list[Any]]()
    for i in range(0, len(found), _AT_ONCE):
        ids = [row.id for row in found[i : i + _AT_ONCE]]
        query = select(table).where(table.c.request_id.in_(ids)).order_by(table.c.request_id, table.c.at)
        votes |= {key: list(those) for key, those in groupby(tx.execute(query), key=lambda row: row.request_id)}
    return tuple(rows.request_of(row, votes.get(row.id, ())) for row in found)


def _requests_by_number(tx: Connection, numbers: Sequence[int]) -> dict[int, Request]:
    table, found = _table("access_request"), list[Any]()
    for i in range(0, len(numbers), _AT_ONCE):
        found += tx.execute(select(table).where(table.c.number.in_(numbers[i : i + _AT_ONCE]))).all()
    return {request.number: request for request in _all_with_votes(tx, found)}


def _owners(tx: Connection, locators: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for i in range(0, len(locators), _AT_ONCE):
        for table in (_table("access_handle"), _table("access_lease")):
            which = table.c.locator.in_(locators[i : i + _AT_ONCE])
            found |= {row[0]: row[1] for row in tx.execute(select(table.c.locator, table.c.grant_number).where(which))}
    return found


def _open_numbers(tx: Connection) -> tuple[int, ...]:
    return tuple(
        sorted(tx.execute(select(col(AccessGrant.number)).where(col(AccessGrant.due_at).is_not(None))).scalars())
    )


def _requests_of(tx: Connection, person_id: str | None, limit: int) -> tuple[Request, ...]:
    table = SQLModel.metadata.tables["access_request"]
    query = select(table).order_by(table.c.number.desc()).limit(limit)
    if person_id is not None:
        query = query.where(table.c.requester_id == person_id)
    return _all_with_votes(tx, tx.execute(query).all())


def _open_requests(tx: Connection, person_id: str | None) -> tuple[Request, ...]:
    request, grant = (SQLModel.metadata.tables[name] for name in ("access_request", "access_grant"))
    due_grants = select(grant.c.number).where(grant.c.due_at.is_not(None))
    query = select(request).where(or_(request.c.due_at.is_not(None), request.c.number.in_(due_grants)))
    if person_id is not None:
        query = query.where(request.c.requester_id == person_id)
    return _all_with_votes(tx, tx.execute(query.order_by(request.c.number.desc())).all())


def _pending_extensions(tx: Connection, numbers: Collection[int]) -> tuple[Request, ...]:
    table = _table("access_request")
    query = select(table).where(table.c.due_at.is_not(None), table.c.extends.is_not(None))
    return _all_with_votes(tx, [row for row in tx.execute(query) if row.extends in numbers])


def _grants(tx: Connection, numbers: Sequence[int]) -> dict[int, Grant]:
    """In the order asked for."""
    found: dict[int, Grant] = {}
    for i in range(0, len(numbers), _AT_ONCE):
        found |= _some_grants(tx, numbers[i : i + _AT_ONCE])
    return {number: found[number] for number in numbers if number in found}


def _some_grants(tx: Connection, numbers: Sequence[int]) -> dict[int, Grant]:
    """The rows first: PostgreSQL shows each statement what stands by then, and the version must not be newer than what
    is to be ended. What is newer itself harms nobody: whoever writes is refused for the version.
    """
    table = _table("access_grant")
    found = tx.execute(select(table).where(table.c.number.in_(numbers))).all()
    handles, leases = (
        _by_grant(tx, select(table).where(table.c.grant_number.in_(numbers)).order_by(table.c.grant_number, order))
        for table, order in ((_table("access_handle"), "attempt"), (_table("access_lease"), "n"))
    )
    return {row.number: rows.grant_of(row, handles.get(row.number, ()), leases.get(row.number, ())) for row in found}


def _by_grant(tx: Connection, query: Select[Any]) -> dict[int, list[Any]]:
    return {number: list(those) for number, those in groupby(tx.execute(query), key=lambda row: row.grant_number)}


def _table(name: str) -> Table:
    return SQLModel.metadata.tables[name]


def _grant(tx: Connection, number: int) -> Grant | None:
    row = _GRANT.run(tx, {"number": number}).one_or_none()
    if row is None:
        return None
    children = {"grant_number": number}
    return rows.grant_of(row, _HANDLES.run(tx, children).all(), _LEASES.run(tx, children).all())


def _open_reviews(tx: Connection, person_id: str | None) -> tuple[Review, ...]:
    table = SQLModel.metadata.tables["access_review"]
    query = select(table).where(table.c.due_at.is_not(None)).order_by(table.c.opened_at)
    if person_id is not None:
        query = query.where(table.c.requester_id == person_id)
    return tuple(rows.review_of(row) for row in tx.execute(query))


def _count_states(tx: Connection) -> dict[str, int]:
    query = select(col(AccessGrant.state), func.count()).group_by(col(AccessGrant.state))
    return {row[0]: row[1] for row in tx.execute(query)}


def _due(tx: Connection, before: int, limit: int, share: Share | None) -> Due:
    def numbers(model: type[AccessRequest | AccessGrant | AccessReview]) -> tuple[int, ...]:
        query = select(col(model.number)).where(col(model.due_at) <= before)
        if share is not None:
            ours = col(model.number) % share.of == share.nth
            query = query.where(or_(ours, col(model.due_at) <= micros(share.overdue)))
        if share is not None and share.left_until is not None and model is AccessGrant:
            query = query.where(_nobody_at_it(share.others, share.left_until))
        return tuple(tx.execute(query.order_by(col(model.due_at)).limit(limit)).scalars())

    return Due(numbers(AccessRequest), numbers(AccessGrant), numbers(AccessReview))


def _nobody_at_it(others: Collection[int], left_until: datetime) -> ColumnElement[bool]:
    claim = col(AccessGrant.claim)
    return or_(claim.is_(None), claim.not_in(tuple(others)), col(AccessGrant.due_at) <= micros(left_until))


def _loose_intents(tx: Connection, before: int) -> tuple[tuple[int, int], ...]:
    query = select(col(AccessLease.grant), col(AccessLease.n)).where(
        col(AccessLease.public_id) == "", col(AccessLease.aborted_at).is_(None),
        col(AccessLease.issued_at) <= before,
    )  # fmt: skip
    return tuple((row[0], row[1]) for row in tx.execute(query.order_by(col(AccessLease.issued_at))))


def _private_texts(tx: Connection, which: Any) -> tuple[PrivateTexts, ...]:
    query = (
        select(
            col(LedgerPayload.seq),
            col(LedgerPayload.field),
            col(LedgerEntry.ref),
            col(LedgerEntry.type),
            col(LedgerEntry.body),
        )
        .join(LedgerEntry, col(LedgerEntry.seq) == col(LedgerPayload.seq))
        .where(which, col(LedgerPayload.seed).is_not(None))
    )
    rows = tx.execute(query.order_by(col(LedgerPayload.seq), col(LedgerPayload.field)))
    return tuple(_texts_of(list(entry)) for _, entry in groupby(rows, key=lambda row: row.seq))


def _texts_of(entry: Sequence[Any]) -> PrivateTexts:
    """One row for each field."""
    first, fields = entry[0], tuple(row.field for row in entry)
    by = fields_of(bytes(first.body)).get("by")
    return PrivateTexts(first.ref, first.seq, fields, first.type, Person(**by) if by else None)


def _private_texts_at(tx: Connection, seq: int) -> tuple[PrivateTexts, ...]:
    if seq > head(tx):
        raise NotFound(f"There is no entry {seq}.")
    return _private_texts(tx, col(LedgerEntry.seq) == seq)


def _next_due(tx: Connection) -> datetime | None:
    found = [tx.execute(select(func.min(col(m.due_at)))).scalar() for m in (AccessRequest, AccessGrant, AccessReview)]
    times = [value for value in found if value is not None]
    return moment(min(times)) if times else None
