"""Where people's words are kept beside the audit log, and whose they are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, select
from sqlmodel import col

from access.errors import NotFound
from access.model import Person
from access.ports import PrivateTexts
from audit.canonical import fields_of
from audit.log import head
from audit.tables import LedgerEntry, LedgerPayload


def under(tx: Connection, ref: str) -> tuple[PrivateTexts, ...]:
    """Of all entries about one request."""
    return _which(tx, col(LedgerEntry.ref) == ref)


def at(tx: Connection, seq: int) -> tuple[PrivateTexts, ...]:
    """Of one entry. Raises NotFound where there is none."""
    if seq > head(tx):
        raise NotFound(f"There is no entry {seq}.")
    return _which(tx, col(LedgerEntry.seq) == seq)


def _which(tx: Connection, which: ColumnElement[bool]) -> tuple[PrivateTexts, ...]:
    query = (
        select(
            col(LedgerPayload.seq),
            col(LedgerPayload.field),
            col(LedgerEntry.ref),
            col(LedgerEntry.type),
            col(LedgerEntry.body),
        )
        .join(LedgerEntry, col(LedgerEntry.seq) == col(LedgerPayload.seq))
        .where(which, col(LedgerPayload.seed).is_not(None))
    )
    rows = tx.execute(query.order_by(col(LedgerPayload.seq), col(LedgerPayload.field)))
    return tuple(_texts_of(list(entry)) for _, entry in groupby(rows, key=lambda row: row.seq))


def _texts_of(entry: Sequence[Any]) -> PrivateTexts:
    """One row for each field."""
    first, fields = entry[0], tuple(row.field for row in entry)
    by = fields_of(bytes(first.body)).get("by")
    return PrivateTexts(first.ref, first.seq, fields, first.type, Person(**by) if by else None)
