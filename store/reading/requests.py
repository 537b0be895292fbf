"""Requests, with their votes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, or_, select

from access.model import Request
from audit.statement import selecting, table_of
from store import rows
from store.reading import AT_ONCE
from store.tables import (
    AccessGrant,
    AccessRequest,
    AccessVote,
)

_REQUEST = {by: selecting(AccessRequest, by) for by in ("number", "id", "key")}
_VOTES = selecting(AccessVote, "request_id", order="at")


def one(tx: Connection, by: str, value: int | str) -> Request | None:
    """By its `number`, `id` or `key`."""
    row = _REQUEST[by].run(tx, {by: value}).one_or_none()
    return None if row is None else _with_votes(tx, row)


def _with_votes(tx: Connection, row: Any) -> Request:
    return rows.request_of(row, _VOTES.run(tx, {"request_id": row.id}).all())


def _all_with_votes(tx: Connection, found: Sequence[Any]) -> tuple[Request, ...]:
    """In their order; a few queries, however many they are."""
    table, votes = table_of(AccessVote), dict[str, list[Any]]()
    for i in range(0, len(found), AT_ONCE):
        ids = [row.id for row in found[i : i + AT_ONCE]]
        query = select(table).where(table.c.request_id.in_(ids)).order_by(table.c.request_id, table.c.at)
        votes |= {key: list(those) for key, those in groupby(tx.execute(query), key=lambda row: row.request_id)}
    return tuple(rows.request_of(row, votes.get(row.id, ())) for row in found)


def by_number(tx: Connection, numbers: Sequence[int]) -> dict[int, Request]:
    """Those of them that exist."""
    table, found = table_of(AccessRequest), list[Any]()
    for i in range(0, len(numbers), AT_ONCE):
        found += tx.execute(select(table).where(table.c.number.in_(numbers[i : i + AT_ONCE]))).all()
    return {request.number: request for request in _all_with_votes(tx, found)}


def of_person(tx: Connection, person_id: str | None, limit: int) -> tuple[Request, ...]:
    """The newest first; everybody's without a person."""
    table = table_of(AccessRequest)
    query = select(table).order_by(table.c.number.desc()).limit(limit)
    if person_id is not None:
        query = query.where(table.c.requester_id == person_id)
    return _all_with_votes(tx, tx.execute(query).all())


def open_ones(tx: Connection, person_id: str | None) -> tuple[Request, ...]:
    """Those undecided, or with a grant that has not ended; the newest first."""
    request, grant = table_of(AccessRequest), table_of(AccessGrant)
    due_grants = select(grant.c.number).where(grant.c.due_at.is_not(None))
    query = select(request).where(or_(request.c.due_at.is_not(None), request.c.number.in_(due_grants)))
    if person_id is not None:
        query = query.where(request.c.requester_id == person_id)
    return _all_with_votes(tx, tx.execute(query.order_by(request.c.number.desc())).all())


def pending_extensions(tx: Connection, numbers: Collection[int]) -> tuple[Request, ...]:
    """Undecided ones that ask to prolong the grants of these."""
    table = table_of(AccessRequest)
    query = select(table).where(table.c.due_at.is_not(None), table.c.extends.is_not(None))
    return _all_with_votes(tx, [row for row in tx.execute(query) if row.extends in numbers])
