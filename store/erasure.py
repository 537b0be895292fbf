"""Carrying out what a `TextErased` entry says, in its transaction: the text is gone from wherever we keep it."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing, suppress

from sqlalchemy import Connection, select, update
from sqlmodel import col

from access.events import RequestAsked, RequestDenied, TextErased
from access.model import parse_ref
from audit.search.projector import forget
from audit.tables import LedgerEntry, LedgerPayload
from store.database import Database
from store.tables import AccessGrant, AccessRequest

log = logging.getLogger(__name__)
_MOMENT = 0.1  # seconds
_TRIES = 5
_TYPE = select(col(LedgerEntry.type))


def erase(tx: Connection, events: Sequence[TextErased], now: int) -> None:
    """`now` in microseconds. Harmless when it is done already."""
    if not events:
        return
    for event in events:
        tx.execute(
            update(LedgerPayload)
            .where(
                col(LedgerPayload.seq) == event.seq, col(LedgerPayload.field).in_(event.fields),
                col(LedgerPayload.seed).is_not(None),
            )
            .values(seed=None, destroyed_at=now)
        )  # fmt: skip
        if event.ref and "reason" in event.fields:
            kind = tx.execute(_TYPE.where(col(LedgerEntry.seq) == event.seq)).scalar_one_or_none()
            _blank(tx, parse_ref(event.ref), kind)
    forget(tx, [event.seq for event in events])


def _blank(tx: Connection, number: int, kind: str | None) -> None:
    """The same words where access itself keeps them."""
    request = update(AccessRequest).where(col(AccessRequest.number) == number)
    if kind == RequestAsked.TAG:
        tx.execute(request.values(reason=""))
        tx.execute(update(AccessGrant).where(col(AccessGrant.number) == number).values(reason=""))
    elif kind == RequestDenied.TAG:
        tx.execute(request.values(note=""))


def scrub(database: Database) -> bool:
    """What was overwritten must not stay readable in SQLite's -wal: it is written back, and the file emptied.

    A reader of an old state holds it up: others then wait for a moment only, and after a few tries this is False.
    """
    path = database.engine.url.database
    if not database.is_sqlite or path is None:
        return True
    with closing(sqlite3.connect(path, timeout=_MOMENT)) as connection:
        for _ in range(_TRIES):
            with suppress(sqlite3.OperationalError):  # locked
                (busy, *_) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                if not busy:
                    return True
            time.sleep(_MOMENT)
    log.warning("erased words stay in the -wal file until nobody reads an older state", extra={"action": "erase"})
    return False
