"""Reviews."""

from __future__ import annotations

from sqlalchemy import Connection, select

from access.model import Review
from audit.statement import selecting, table_of
from store import rows
from store.tables import AccessReview

_REVIEW = selecting(AccessReview, "number")


def one(tx: Connection, number: int) -> Review | None:
    """By its request's number."""
    row = _REVIEW.run(tx, {"number": number}).one_or_none()
    return None if row is None else rows.review_of(row)


def open_ones(tx: Connection, person_id: str | None) -> tuple[Review, ...]:
    """Those not closed, the oldest first; everybody's without a person."""
    table = table_of(AccessReview)
    query = select(table).where(table.c.due_at.is_not(None)).order_by(table.c.opened_at)
    if person_id is not None:
        query = query.where(table.c.requester_id == person_id)
    return tuple(rows.review_of(row) for row in tx.execute(query))
