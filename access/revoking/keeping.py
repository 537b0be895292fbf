"""Grants in little memory: what it takes to end them, and nothing of what people wrote. Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from sys import intern
from typing import Any, NamedTuple

from access.model import Grant, GrantState, Handle, Lease, Person

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Kept(NamedTuple):
    """One grant. `shared` is the same text for all of one person at one target, and stands in memory once."""

    due: int  # microseconds since the epoch
    version: int
    is_ending: bool
    shared: str
    own: bytes


def kept(grant: Grant) -> Kept:
    """Without reason and ticket: no provider ends anything by them, and erased words must not live on here."""
    person = grant.requester
    shared = [person.id, person.name, person.slack_id, grant.target, grant.role, grant.provider, dict(grant.uses)]
    own = [
        grant.number, grant.attempts, grant.alarms, round(grant.duration.total_seconds()),
        *map(_micros, (grant.created_at, grant.expires_at, grant.started_at, grant.ending_since)),
        [[h.attempt, h.locator, _micros(h.created_at), h.issuer] for h in grant.handles],
        [
            [x.n, x.attempt, x.public_id, x.locator, *map(_micros, (x.issued_at, x.not_after, x.gone_at, x.aborted_at))]
            for x in grant.leases
        ],
    ]  # fmt: skip
    is_ending = grant.state is GrantState.REVOKING
    due = _micros(grant.due_at if is_ending else grant.expires_at) or 0
    return Kept(due, grant.version, is_ending, intern(_text(shared)), _text(own).encode())


def grant_of(known: Kept) -> Grant:
    """As it was kept."""
    *person, target, role, provider, uses = json.loads(known.shared)
    number, attempts, alarms, duration, created, expires, started, ending, handles, leases = json.loads(known.own)
    return Grant(
        number=number, request_id="", requester=Person(*person), target=target, role=role, reason="",
        ticket="", provider=provider, uses=uses,
        state=GrantState.REVOKING if known.is_ending else GrantState.ACTIVE,
        created_at=moment(created), expires_at=moment(expires), due_at=moment(known.due),
        duration=timedelta(seconds=duration), started_at=_moment(started), attempts=attempts,
        ending_since=_moment(ending), alarms=alarms,
        handles=tuple(Handle(number, attempt, locator, moment(at), issuer) for attempt, locator, at, issuer in handles),
        leases=tuple(
            Lease(number, n, attempt, name, locator, moment(at), moment(until), _moment(gone), _moment(aborted))
            for n, attempt, name, locator, at, until, gone, aborted in leases
        ),
        version=known.version,
    )  # fmt: skip


def _text(plain: list[Any]) -> str:
    return json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def micros(at: datetime) -> int:
    """Microseconds since the epoch; exact, without floats."""
    return (at - _EPOCH) // _MICROSECOND


def moment(value: int) -> datetime:
    """The UTC datetime of `micros`."""
    return _EPOCH + timedelta(microseconds=value)


def _micros(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def _moment(value: int | None) -> datetime | None:
    return None if value is None else moment(value)
