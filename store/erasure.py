"""Carrying out what a `TextErased` entry says, in its transaction: the text is gone from wherever we keep it."""

from __future__ import annotations

from sqlalchemy import Connection, select, update
from sqlmodel import col

from access.events import RequestAsked, RequestDenied, TextErased
from access.model import parse_ref
from audit.search.projector import forget
from audit.tables import LedgerEntry, LedgerPayload
from store.tables import AccessGrant, AccessRequest

_TYPE = select(col(LedgerEntry.type))


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
        _blank(
            tx, parse_ref(event.ref), tx.execute(_TYPE.where(col(LedgerEntry.seq) == event.seq)).scalar_one_or_none()
        )


def _blank(tx: Connection, number: int, kind: str | None) -> None:
    """The same words where access itself keeps them."""
    request = update(AccessRequest).where(col(AccessRequest.number) == number)
    if kind == RequestAsked.TAG:
        tx.execute(request.values(reason=""))
        tx.execute(update(AccessGrant).where(col(AccessGrant.number) == number).values(reason=""))
    elif kind == RequestDenied.TAG:
        tx.execute(request.values(note=""))
