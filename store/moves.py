"""Writing a `Change`: inserts, guarded moves, and the audit entries last. All of it runs in one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, update
from sqlmodel import col

from access.errors import OverQuota, Stale
from access.model import Grant, LoginCode, Receipt, Request, RequestState
from access.ports import Change, Clock, Quota
from audit.canonical import micros
from audit.log import append
from audit.statement import Statement, inserting, moving, upserting
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

_NUMBER = Statement(
    lambda _: (
        update(Counter)
        .where(col(Counter.name) == "request")
        .values(value=col(Counter.value) + 1)
        .returning(col(Counter.value))
    )
)
_INSERT = {Request: inserting(AccessRequest), Grant: inserting(AccessGrant)}
_MOVE = {Request: moving(AccessRequest, "number", "version"), Grant: moving(AccessGrant, "number", "version")}
_VOTE = inserting(AccessVote)
_HANDLE, _LEASE, _DEVICE, _NOTE = (upserting(m) for m in (AccessHandle, AccessLease, SignedInDevice, Note))
_CODE = inserting(SignInCode)
_USE_CODE = Statement(
    lambda _: (
        update(SignInCode)
        .where(col(SignInCode.code_hash) == bindparam("hash"), col(SignInCode.used_at).is_(None))
        .values(used_at=bindparam("at"))
    )
)


def create(tx: Connection, build: Callable[[int], Change], quota: Quota | None, clock: Clock) -> Receipt:
    """Take the next request number in this transaction: rolled back with it, so the numbers have no gaps.

    Taking it also keeps every other `create` waiting, so that what the quota counts cannot change meanwhile.
    """
    number = _NUMBER.run(tx, {"name_1": "request", "value_1": 1}).scalar_one()
    if quota is not None:
        _hold_to(tx, quota)
    return write(tx, build(number), clock)


def _hold_to(tx: Connection, quota: Quota) -> None:
    theirs = col(AccessRequest.requester_id) == quota.person_id
    recent, pending = (
        tx.execute(select(func.count()).select_from(AccessRequest).where(theirs, which)).scalar_one()
        for which in (
            col(AccessRequest.created_at) > micros(quota.since),
            col(AccessRequest.state) == RequestState.PENDING.value,
        )
    )
    if recent >= quota.recent or pending >= quota.pending:
        raise OverQuota(too_often=recent >= quota.recent)


def write(tx: Connection, change: Change, clock: Clock) -> Receipt:
    """Raises Stale, and then nothing of the change stands."""
    for request in change.requests:
        _save(tx, request, rows.request_row(request))
    for grant in change.grants:
        _save(tx, grant, rows.grant_row(grant))
    for vote in change.votes:
        _VOTE.run(tx, rows.vote_row(vote))
    for handle in change.handles:
        _HANDLE.run(tx, rows.handle_row(handle))
    for lease in change.leases:
        _LEASE.run(tx, rows.lease_row(lease))
    for code in change.codes:
        _save_code(tx, code)
    for device in change.devices:
        _DEVICE.run(tx, rows.device_row(device))
    return Receipt(append(tx, change.events, clock.now()))


def put_notes(tx: Connection, notes: Mapping[str, Mapping[str, Any]]) -> None:
    """Insert or replace; all in the caller's transaction."""
    for key, value in notes.items():
        _NOTE.run(tx, {"key": key, "value": json.dumps(value, ensure_ascii=False)})


def _save(tx: Connection, value: Request | Grant, row: dict[str, Any]) -> None:
    if value.version == 0:
        _INSERT[type(value)].run(tx, row)
        return
    moved = _MOVE[type(value)].run(tx, row | {"now_number": value.number, "now_version": value.version})
    if moved.rowcount != 1:
        raise Stale(f"{value.ref} has moved on.")


def _save_code(tx: Connection, code: LoginCode) -> None:
    row = rows.code_row(code)
    if code.used_at is None:
        _CODE.run(tx, row)
    elif _USE_CODE.run(tx, {"hash": code.code_hash, "at": row["used_at"]}).rowcount != 1:
        raise Stale("This code has been used.")
