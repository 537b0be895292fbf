"""Writing a `Change`: inserts, guarded moves, and the audit entries last. All of it runs in one transaction."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select, update
from sqlmodel import SQLModel, col

from access.errors import OverQuota, Stale
from access.events import TextErased
from access.model import BREAK_GLASS, Grant, GrantState, LoginCode, Receipt, Request, RequestState, Review
from access.policy import Policy
from access.ports import Change, Clock, Quota
from access.sessions.model import Held, HeldState, Session
from audit.canonical import micros
from audit.log import Ledger
from audit.statement import Statement, inserting, keeping, moving, selecting, upserting
from audit.tables import PolicyBundle
from store import rows
from store.erasure import erase
from store.many import as_read, move_many
from store.tables import (
    AccessCut,
    AccessGrant,
    AccessHandle,
    AccessHeld,
    AccessLease,
    AccessPass,
    AccessRequest,
    AccessReview,
    AccessSeen,
    AccessSession,
    AccessStop,
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
_TABLES: dict[type, type[SQLModel]] = {Request: AccessRequest, Grant: AccessGrant, Review: AccessReview}
_INSERT = {kind: inserting(table) for kind, table in _TABLES.items()}
_MOVE = {kind: moving(table, "number", "version") for kind, table in _TABLES.items()}
_VOTE, _CUT = inserting(AccessVote), inserting(AccessCut)
_HANDLE, _LEASE, _DEVICE, _NOTE = (upserting(m) for m in (AccessHandle, AccessLease, SignedInDevice, Note))
_SEEN = keeping(AccessSeen)
_PASS, _STOP = upserting(AccessPass), upserting(AccessStop)
_HELD, _MOVE_HELD = inserting(AccessHeld), moving(AccessHeld, "grant_number", "session", "n", "version")
_OPEN = Statement(
    lambda _: (
        select(col(AccessSession.n))
        .where(
            col(AccessSession.grant) == bindparam("number"),
            col(AccessSession.n) == bindparam("session"),
            col(AccessSession.closed_at).is_(None),
        )
        .with_for_update(read=True)
    )
)
_SESSION, _MOVE_SESSION = inserting(AccessSession), moving(AccessSession, "grant_number", "n", "version")
#: held until the commit, so that no session begins beside an ending that has not seen it
_STATE = Statement(
    lambda _: (
        select(col(AccessGrant.state)).where(col(AccessGrant.number) == bindparam("number")).with_for_update(read=True)
    )
)
_KEPT_NOTE = Statement(lambda _: select(col(Note.value)).where(col(Note.key) == bindparam("key")).with_for_update())
_CODE = inserting(SignInCode)
_POLICY, _KNOWN_POLICY = keeping(PolicyBundle), selecting(PolicyBundle, "hash")
_USE_CODE = Statement(
    lambda _: (
        update(SignInCode)
        .where(col(SignInCode.code_hash) == bindparam("hash"), col(SignInCode.used_at).is_(None))
        .values(used_at=bindparam("at"))
    )
)


@dataclass(frozen=True, slots=True)
class Written:
    """What one transaction of many changes wrote, and which of them stood."""

    receipt: Receipt
    stood: tuple[bool, ...]


@dataclass(frozen=True)
class Desk:
    """Where one transaction is written."""

    tx: Connection
    ledger: Ledger
    clock: Clock

    def create(self, build: Callable[[int], Change], quota: Quota | None) -> Receipt:
        """Take the next request number in this transaction: rolled back with it, so the numbers have no gaps.

        Taking it also keeps every other `create` waiting, so that what the quota counts cannot change meanwhile.
        """
        number = _NUMBER.run(self.tx, {"name_1": "request", "value_1": 1}).scalar_one()
        if quota is not None:
            _hold_to(self.tx, quota)
        return self.write(build(number))

    def write(self, change: Change) -> Receipt:
        """Raises Stale, and then nothing of the change stands."""
        for request in change.requests:
            _save(self.tx, request, rows.request_row(request))
        for grant in change.grants:
            _save(self.tx, grant, rows.grant_row(grant))
        for review in change.reviews:
            _save(self.tx, review, rows.review_row(review))
        for vote in change.votes:
            _VOTE.run(self.tx, rows.vote_row(vote))
        for handle in change.handles:
            _HANDLE.run(self.tx, rows.handle_row(handle))
        for lease in change.leases:
            _LEASE.run(self.tx, rows.lease_row(lease))
        for code in change.codes:
            _save_code(self.tx, code)
        for device in change.devices:
            _DEVICE.run(self.tx, rows.device_row(device))
        self._write_sessions(change)
        return self._witness(change)

    def _write_sessions(self, change: Change) -> None:
        for given in change.passes:
            _PASS.run(self.tx, rows.pass_row(given))
        for session in change.sessions:
            _save_session(self.tx, session)
        for cut in change.cuts:
            _CUT.run(self.tx, rows.cut_row(cut))
        for stop in change.stops:
            _STOP.run(self.tx, rows.stop_row(stop))
        for held in change.held:
            _save_held(self.tx, held)
        if change.seen:  # in one order: two gateways may say the same at once
            _SEEN.run_many(self.tx, [rows.seen_row(seen) for seen in sorted(change.seen)])

    def write_each(self, changes: Sequence[Change], *, wait: bool) -> Written:
        """Those whose grant is still as it was read, with their audit entries; of the others nothing."""
        first = {change.grants[0].number: change for change in reversed(changes)}  # of one grant only one can stand
        still = as_read(self.tx, [change.grants[0] for change in first.values()], wait=wait)
        stood = tuple(first[(number := change.grants[0].number)] is change and number in still for change in changes)
        good = [change for change, stands in zip(changes, stood, strict=True) if stands]
        move_many(self.tx, [change.grants[0] for change in good])
        leases = [rows.lease_row(lease) for change in good for lease in change.leases]
        if leases:
            _LEASE.run_many(self.tx, leases)
        for review in [review for change in good for review in change.reviews]:
            _save(self.tx, review, rows.review_row(review))
        events = tuple(event for change in good for event in change.events)
        return Written(Receipt(self.ledger.append(self.tx, events, self.clock.now()), events), stood)

    def _witness(self, change: Change) -> Receipt:
        now = self.clock.now()
        for policy in change.policies:
            _keep_policy(self.tx, policy, micros(now))
        erase(self.tx, [event for event in change.events if isinstance(event, TextErased)], micros(now))
        return Receipt(self.ledger.append(self.tx, change.events, now), change.events)


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
        raise OverQuota(too_often=recent >= quota.recent, waiting=pending, recent=recent)
    if quota.reviewed and tx.execute(_unreviewed(quota.person_id)).scalar_one():
        raise Stale("Something of theirs waits for its review since.")


def _unreviewed(person_id: str) -> Select[int]:
    """How many glasses they have broken, to access that was given, and nobody has looked at."""
    failed = select(col(AccessGrant.number)).where(col(AccessGrant.state) == GrantState.FAILED.value)
    return select(func.count()).where(
        col(AccessReview.requester_id) == person_id, col(AccessReview.why) == BREAK_GLASS,
        col(AccessReview.due_at).is_not(None), col(AccessReview.number).not_in(failed),
    )  # fmt: skip


def _keep_policy(tx: Connection, policy: Policy, now: int) -> None:
    if _KNOWN_POLICY.run(tx, {"hash": policy.hash}).one_or_none() is None:
        _POLICY.run(tx, {"hash": policy.hash, "content": policy.text, "loaded_at": now})


def put_notes(
    tx: Connection, notes: Mapping[str, Mapping[str, Any]], still: Mapping[str, Mapping[str, Any] | None]
) -> None:
    """Insert or replace; all in the caller's transaction. Raises Stale where one of `still` says something else."""
    for key, said in still.items():
        row = _KEPT_NOTE.run(tx, {"key": key}).one_or_none()
        if (None if row is None else json.loads(row.value)) != said:
            raise Stale(f"Somebody else has noted {key}.")
    for key, value in notes.items():
        _NOTE.run(tx, {"key": key, "value": json.dumps(value, ensure_ascii=False)})


def _save(tx: Connection, value: Request | Grant | Review, row: dict[str, Any]) -> None:
    if value.version == 0:
        _INSERT[type(value)].run(tx, row)
        return
    moved = _MOVE[type(value)].run(tx, row | {"now_number": value.number, "now_version": value.version})
    if moved.rowcount != 1:
        raise Stale(f"{value.ref} has moved on.")


def _save_session(tx: Connection, session: Session) -> None:
    row = rows.session_row(session)
    if session.version == 0:
        if _STATE.run(tx, {"number": session.grant}).scalar_one_or_none() != GrantState.ACTIVE.value:
            raise Stale(f"{session.ref} is not active any more.")
        _SESSION.run(tx, row)
        return
    now = {"now_grant_number": session.grant, "now_n": session.n, "now_version": session.version}
    if _MOVE_SESSION.run(tx, row | now).rowcount != 1:
        raise Stale(f"{session.id} has moved on.")


def _save_held(tx: Connection, held: Held) -> None:
    """Where nobody waits any more, it can only be refused."""
    is_open = _OPEN.run(tx, {"number": held.grant, "session": held.session}).scalar_one_or_none() is not None
    if not is_open and held.state is not HeldState.REFUSED:
        raise Stale(f"{held.session_id} has ended.")
    if held.version == 0:
        _HELD.run(tx, rows.held_row(held))
        return
    now = {"now_grant_number": held.grant, "now_session": held.session, "now_n": held.n, "now_version": held.version}
    if _MOVE_HELD.run(tx, rows.held_row(held) | now).rowcount != 1:
        raise Stale(f"{held.id} has been decided.")


def _save_code(tx: Connection, code: LoginCode) -> None:
    row = rows.code_row(code)
    if code.used_at is None:
        _CODE.run(tx, row)
    elif _USE_CODE.run(tx, {"hash": code.code_hash, "at": row["used_at"]}).rowcount != 1:
        raise Stale("This code has been used.")
