"""Values to rows and rows to values, in one place each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from access.model import (
    Cause,
    Device,
    Grant,
    GrantState,
    Handle,
    Lease,
    LoginCode,
    Person,
    Request,
    RequestState,
    Review,
    ReviewState,
    Vote,
)
from access.sessions.model import Cut, Held, HeldState, Pass, Seen, Session, Stop
from audit.canonical import micros, moment

_Row = Any  # a SQLAlchemy Row: its attributes are the columns


def person_text(person: Person | None) -> str | None:
    return None if person is None else json.dumps([person.id, person.name, person.slack_id], ensure_ascii=False)


@lru_cache(4096)
def _person(text: str) -> Person:
    return Person(*json.loads(text))


def _maybe_person(text: str | None) -> Person | None:
    return None if text is None else _person(text)


def _micros(when: datetime | None) -> int | None:
    return None if when is None else micros(when)


def _moment(value: int | None) -> datetime | None:
    return None if value is None else moment(value)


def _seconds(span: timedelta | None) -> int | None:
    return None if span is None else round(span.total_seconds())


def _span(seconds: int | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)


def request_row(request: Request) -> dict[str, Any]:
    return {
        "id": request.id, "number": request.number, "key": request.key, "requester_id": request.requester.id,
        "requester": person_text(request.requester), "target": request.target, "role": request.role,
        "duration": round(request.duration.total_seconds()), "reason": request.reason, "ticket": request.ticket,
        "state": request.state.value, "created_at": micros(request.created_at),
        "lapses_at": micros(request.lapses_at), "due_at": _micros(request.due_at),
        "policy_hash": request.policy_hash, "rule": request.rule, "approvals_needed": request.approvals_needed,
        "extends": request.extends, "glass": request.glass, "asked": json.dumps(request.asked),
        "reminded_at": _micros(request.reminded_at),
        "decided_by": person_text(request.decided_by), "decided_at": _micros(request.decided_at),
        "note": request.note, "version": request.version + 1,
    }  # fmt: skip


def request_of(row: _Row, votes: Iterable[_Row]) -> Request:
    return Request(
        id=row.id, number=row.number, key=row.key, requester=_person(row.requester), target=row.target,
        role=row.role, duration=timedelta(seconds=row.duration), reason=row.reason, ticket=row.ticket,
        state=RequestState(row.state), created_at=moment(row.created_at), lapses_at=moment(row.lapses_at),
        due_at=_moment(row.due_at), policy_hash=row.policy_hash, rule=row.rule,
        approvals_needed=row.approvals_needed, extends=row.extends, glass=bool(row.glass),
        asked=tuple(json.loads(row.asked)), reminded_at=_moment(row.reminded_at),
        votes=tuple(vote_of(vote) for vote in votes), decided_by=_maybe_person(row.decided_by),
        decided_at=_moment(row.decided_at), note=row.note, version=row.version,
    )  # fmt: skip


def vote_row(vote: Vote) -> dict[str, Any]:
    return {
        "request_id": vote.request_id, "person_id": vote.by.id, "person": person_text(vote.by),
        "at": micros(vote.at), "rule": vote.rule, "shorter": _seconds(vote.shorter),
    }  # fmt: skip


def vote_of(row: _Row) -> Vote:
    return Vote(row.request_id, _person(row.person), moment(row.at), row.rule, _span(row.shorter))


def grant_row(grant: Grant) -> dict[str, Any]:
    return {
        "number": grant.number, "request_id": grant.request_id, "requester": person_text(grant.requester),
        "target": grant.target, "role": grant.role, "reason": grant.reason, "ticket": grant.ticket,
        "provider": grant.provider, "uses": json.dumps(dict(grant.uses), ensure_ascii=False),
        "state": grant.state.value, "created_at": micros(grant.created_at), "expires_at": micros(grant.expires_at),
        "due_at": _micros(grant.due_at), "duration": _seconds(grant.duration),
        "started_at": _micros(grant.started_at), "retimed_at": _micros(grant.retimed_at),
        "warned_at": _micros(grant.warned_at), "glass": grant.glass, "review": grant.review, "attempts": grant.attempts,
        "cause": grant.cause.value if grant.cause else None, "ended_by": person_text(grant.ended_by),
        "ending_since": _micros(grant.ending_since), "ended_at": _micros(grant.ended_at),
        "effective_by": _micros(grant.effective_by), "escalated": grant.escalated, "alarms": grant.alarms,
        "claim": grant.claim, "gateway": grant.gateway, "version": grant.version + 1,
    }  # fmt: skip


def ending_row(grant: Grant) -> dict[str, Any]:
    """What of a grant its ending changes."""
    return {
        "number": grant.number, "state": grant.state.value, "due_at": _micros(grant.due_at),
        "attempts": grant.attempts, "cause": grant.cause.value if grant.cause else None,
        "ended_by": person_text(grant.ended_by), "ending_since": _micros(grant.ending_since),
        "ended_at": _micros(grant.ended_at), "effective_by": _micros(grant.effective_by),
        "escalated": grant.escalated, "alarms": grant.alarms, "claim": grant.claim, "version": grant.version + 1,
    }  # fmt: skip


def grant_of(row: _Row, handles: Iterable[_Row], leases: Iterable[_Row]) -> Grant:
    return Grant(
        number=row.number, request_id=row.request_id, requester=_person(row.requester), target=row.target,
        role=row.role, reason=row.reason, ticket=row.ticket, provider=row.provider, uses=json.loads(row.uses),
        state=GrantState(row.state), created_at=moment(row.created_at), expires_at=moment(row.expires_at),
        due_at=_moment(row.due_at), duration=timedelta(seconds=row.duration), started_at=_moment(row.started_at),
        retimed_at=_moment(row.retimed_at), warned_at=_moment(row.warned_at), glass=bool(row.glass),
        review=bool(row.review), attempts=row.attempts, cause=Cause(row.cause) if row.cause else None,
        ended_by=_maybe_person(row.ended_by), ending_since=_moment(row.ending_since),
        ended_at=_moment(row.ended_at), effective_by=_moment(row.effective_by), escalated=bool(row.escalated),
        handles=tuple(_handle_of(h) for h in handles), leases=tuple(_lease_of(lease) for lease in leases),
        alarms=row.alarms, claim=row.claim, version=row.version, gateway=row.gateway,
    )  # fmt: skip


def handle_row(handle: Handle) -> dict[str, Any]:
    return {
        "grant_number": handle.grant, "attempt": handle.attempt, "locator": handle.locator,
        "created_at": micros(handle.created_at), "issuer": handle.issuer,
    }  # fmt: skip


def _handle_of(row: _Row) -> Handle:
    return Handle(row.grant_number, row.attempt, row.locator, moment(row.created_at), row.issuer)


def lease_row(lease: Lease) -> dict[str, Any]:
    return {
        "grant_number": lease.grant, "n": lease.n, "attempt": lease.attempt, "public_id": lease.public_id,
        "locator": lease.locator, "issued_at": micros(lease.issued_at), "not_after": micros(lease.not_after),
        "gone_at": _micros(lease.gone_at), "aborted_at": _micros(lease.aborted_at),
    }  # fmt: skip


def _lease_of(row: _Row) -> Lease:
    return Lease(
        row.grant_number, row.n, row.attempt, row.public_id, row.locator, moment(row.issued_at), moment(row.not_after),
        _moment(row.gone_at), _moment(row.aborted_at),
    )  # fmt: skip


def pass_row(given: Pass) -> dict[str, Any]:
    return {
        "name": given.name, "grant_number": given.grant, "gateway": given.gateway, "proof": given.proof,
        "device": given.device, "created_at": micros(given.created_at), "ended_at": _micros(given.ended_at),
        "bound": given.bound,
    }  # fmt: skip


def pass_of(row: _Row) -> Pass:
    return Pass(
        row.name, row.grant_number, row.gateway, row.proof, row.device, moment(row.created_at), _moment(row.ended_at),
        row.bound,
    )  # fmt: skip


def session_row(session: Session) -> dict[str, Any]:
    return {
        "grant_number": session.grant, "n": session.n, "gateway": session.gateway, "pass_name": session.pass_name,
        "requester_id": session.requester.id, "requester": person_text(session.requester), "target": session.target,
        "host": session.host, "address": session.address, "client": session.client, "process": session.process,
        "seed": session.seed, "opened_at": micros(session.opened_at), "closed_at": _micros(session.closed_at),
        "why": session.why, "acts": session.acts, "size": session.size,
        "recording": session.recording, "version": session.version + 1,
        "stop": session.stop, "raw": int(session.raw), "stored": session.stored,
        "stored_at": _micros(session.stored_at), "removed_at": _micros(session.removed_at),
    }  # fmt: skip


def session_of(row: _Row) -> Session:
    return Session(
        grant=row.grant_number, n=row.n, gateway=row.gateway, pass_name=row.pass_name,
        requester=_person(row.requester), target=row.target, host=row.host, address=row.address, client=row.client,
        process=row.process, seed=row.seed, opened_at=moment(row.opened_at), closed_at=_moment(row.closed_at),
        why=row.why, acts=row.acts, size=row.size, recording=row.recording, version=row.version,
        stop=row.stop, raw=bool(row.raw), stored=row.stored, stored_at=_moment(row.stored_at),
        removed_at=_moment(row.removed_at),
    )  # fmt: skip


def cut_row(cut: Cut) -> dict[str, Any]:
    return {"session": cut.session, "by_person": person_text(cut.by), "at": micros(cut.at)}


def seen_row(seen: Seen) -> dict[str, Any]:
    return {"person": seen.person, "target": seen.target, "thing": seen.thing}


def stop_row(stop: Stop) -> dict[str, Any]:
    return {"session": stop.session, "pid": stop.pid, "at": micros(stop.at)}


def stop_of(row: _Row) -> Stop:
    return Stop(row.session, row.pid, moment(row.at))


def cut_of(row: _Row) -> Cut:
    return Cut(row.session, _person(row.by_person), moment(row.at))


def held_row(held: Held) -> dict[str, Any]:
    return {
        "grant_number": held.grant, "session": held.session, "n": held.n, "asked_at": micros(held.asked_at),
        "lapses_at": micros(held.lapses_at), "state": held.state.value, "by_person": person_text(held.by),
        "at": _micros(held.at), "version": held.version + 1,
    }  # fmt: skip


def held_of(row: _Row) -> Held:
    return Held(
        row.grant_number, row.session, row.n, moment(row.asked_at), moment(row.lapses_at), HeldState(row.state),
        _maybe_person(row.by_person), _moment(row.at), row.version,
    )  # fmt: skip


def review_row(review: Review) -> dict[str, Any]:
    return {
        "number": review.number, "requester_id": review.requester.id, "requester": person_text(review.requester),
        "target": review.target, "role": review.role, "why": review.why, "state": review.state.value,
        "opened_at": micros(review.opened_at), "due_at": _micros(review.due_at), "reminders": review.reminders,
        "by_person": person_text(review.by), "at": _micros(review.at), "version": review.version + 1,
    }  # fmt: skip


def review_of(row: _Row) -> Review:
    return Review(
        number=row.number, requester=_person(row.requester), target=row.target, role=row.role, why=row.why,
        state=ReviewState(row.state), opened_at=moment(row.opened_at), due_at=_moment(row.due_at),
        reminders=row.reminders, by=_maybe_person(row.by_person), at=_moment(row.at), version=row.version,
    )  # fmt: skip


def code_row(code: LoginCode) -> dict[str, Any]:
    return {
        "code_hash": code.code_hash, "person": person_text(code.person), "expires_at": micros(code.expires_at),
        "used_at": _micros(code.used_at),
    }  # fmt: skip


def code_of(row: _Row) -> LoginCode:
    return LoginCode(row.code_hash, _person(row.person), moment(row.expires_at), _moment(row.used_at))


def device_row(device: Device) -> dict[str, Any]:
    return {
        "id": device.id, "person_id": device.person.id, "person": person_text(device.person),
        "token_hash": device.token_hash, "public_key": device.public_key, "host": device.host,
        "address": device.address, "created_at": micros(device.created_at),
        "expires_at": micros(device.expires_at), "ended_at": _micros(device.ended_at),
    }  # fmt: skip


def device_of(row: _Row) -> Device:
    return Device(
        id=row.id, person=_person(row.person), token_hash=row.token_hash, public_key=row.public_key, host=row.host,
        address=row.address, created_at=moment(row.created_at), expires_at=moment(row.expires_at),
        ended_at=_moment(row.ended_at),
    )  # fmt: skip
