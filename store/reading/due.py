"""What somebody must act on: what is due, when the next is, and intents whose outcome nobody wrote down."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, or_, select
from sqlmodel import col

from access.ports import Due, Share
from audit.canonical import micros, moment
from store.tables import (
    AccessGrant,
    AccessLease,
    AccessRequest,
    AccessReview,
)


def until(tx: Connection, before: int, limit: int, share: Share | None) -> Due:
    """The numbers of what is due, the longest overdue first."""

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


def loose_intents(tx: Connection, before: int) -> tuple[tuple[int, int], ...]:
    """Leases that were begun by then and have neither public facts nor an end: grant, n."""
    query = select(col(AccessLease.grant), col(AccessLease.n)).where(
        col(AccessLease.public_id) == "", col(AccessLease.aborted_at).is_(None),
        col(AccessLease.issued_at) <= before,
    )  # fmt: skip
    return tuple((row[0], row[1]) for row in tx.execute(query.order_by(col(AccessLease.issued_at))))


def next_moment(tx: Connection) -> datetime | None:
    """When somebody must act next."""
    found = [tx.execute(select(func.min(col(m.due_at)))).scalar() for m in (AccessRequest, AccessGrant, AccessReview)]
    times = [value for value in found if value is not None]
    return moment(min(times)) if times else None
