"""Carrying out what a `TextErased` entry says, in its transaction: the text is gone from wherever we keep it."""

from __future__ import annotations

from sqlalchemy import Connection, update
from sqlmodel import col

from access.events import TextErased
from access.model import parse_ref
from audit.search.projector import forget
from audit.tables import LedgerPayload
from store.tables import AccessGrant, AccessRequest


def erase(tx: Connection, event: TextErased, now: int) -> None:
    """`now` in microseconds. Harmless when it is done already."""
    tx.execute(
        update(LedgerPayload)
        .where(
            col(LedgerPayload.seq) == event.seq, col(LedgerPayload.field).in_(event.fields),
            col(LedgerPayload.wrapped_key).is_not(None),
        )
        .values(wrapped_key=None, destroyed_at=now)
    )  # fmt: skip
    forget(tx, event.seq)
    if event.ref and "reason" in event.fields:
        number = parse_ref(event.ref)
        tx.execute(update(AccessRequest).where(col(AccessRequest.number) == number).values(reason="", note=""))
        tx.execute(update(AccessGrant).where(col(AccessGrant.number) == number).values(reason=""))
