"""Writing a `Change`: inserts, guarded moves, and the audit entries last. All of it runs in one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, insert, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import SQLModel, col

from access.errors import Stale
from access.model import Grant, LoginCode, Receipt, Request
from access.ports import Change, Clock
from audit.log import append
from store import rows
from store.tables import (
    AccessGrant,
    AccessHandle,
    AccessLease,
    AccessRequest,
    AccessVote,
    Counter,
    Note,
    SignedInDevice,
    SignInCode,
)


def create(tx: Connection, build: Callable[[int], Change], clock: Clock) -> Receipt:
    """Take the next request number in this transaction: rolled back with it, so the numbers have no gaps."""
    counter = update(Counter).where(col(Counter.name) == "request").values(value=col(Counter.value) + 1)
    number = tx.execute(counter.returning(col(Counter.value))).scalar_one()
    return write(tx, build(number), clock)


def write(tx: Connection, change: Change, clock: Clock) -> Receipt:
    """Raises Stale, and then nothing of the change stands."""
    for request in change.requests:
        _save(tx, AccessRequest, rows.request_row(request), request)
    for grant in change.grants:
        _save(tx, AccessGrant, rows.grant_row(grant), grant)
    for vote in change.votes:
        tx.execute(insert(AccessVote).values(rows.vote_row(vote)))
    for handle in change.handles:
        _upsert(tx, AccessHandle, rows.handle_row(handle), ("grant", "attempt"))
    for lease in change.leases:
        _upsert(tx, AccessLease, rows.lease_row(lease), ("grant", "n"))
    for code in change.codes:
        _save_code(tx, code)
    for device in change.devices:
        _upsert(tx, SignedInDevice, rows.device_row(device), ("id",))
    return Receipt(append(tx, change.events, clock.now()))


def _save(
    tx: Connection, model: type[AccessRequest | AccessGrant], row: dict[str, Any], value: Request | Grant
) -> None:
    if value.version == 0:
        tx.execute(insert(model).values(row))
        return
    moved = tx.execute(
        update(model).where(col(model.number) == value.number, col(model.version) == value.version).values(row)
    )
    if moved.rowcount != 1:
        raise Stale(f"{value.ref} has moved on.")


def _save_code(tx: Connection, code: LoginCode) -> None:
    if code.used_at is None:
        tx.execute(insert(SignInCode).values(rows.code_row(code)))
        return
    unused = (col(SignInCode.code_hash) == code.code_hash, col(SignInCode.used_at).is_(None))
    if tx.execute(update(SignInCode).where(*unused).values(rows.code_row(code))).rowcount != 1:
        raise Stale("This code has been used.")


def _upsert(tx: Connection, model: type[SQLModel], row: dict[str, Any], keys: tuple[str, ...]) -> None:
    insert_for = sqlite_insert if tx.dialect.name == "sqlite" else postgresql_insert
    columns = [getattr(model, key) for key in keys]
    changes = {getattr(model, name): value for name, value in row.items() if name not in keys}
    named = {getattr(model, name).name: value for name, value in row.items()}
    statement = insert_for(model).values(named)
    tx.execute(statement.on_conflict_do_update(index_elements=columns, set_=changes))


def put_notes(tx: Connection, notes: Mapping[str, Mapping[str, Any]]) -> None:
    """Insert or replace; all in the caller's transaction."""
    for key, value in notes.items():
        _upsert(tx, Note, {"key": key, "value": json.dumps(value, ensure_ascii=False)}, ("key",))
