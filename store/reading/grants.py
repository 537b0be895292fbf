"""Grants, with all that was made for them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, Select, func, select
from sqlmodel import col

from access.model import Grant
from audit.statement import selecting, table_of
from store import rows
from store.reading import AT_ONCE
from store.tables import (
    AccessGrant,
    AccessHandle,
    AccessLease,
)

_GRANT = selecting(AccessGrant, "number")
_HANDLES = selecting(AccessHandle, "grant_number", order="attempt")
_LEASES = selecting(AccessLease, "grant_number", order="n")


def owners(tx: Connection, locators: Sequence[str]) -> dict[str, int]:
    """Whose the handles and leases at these locators are."""
    found: dict[str, int] = {}
    for i in range(0, len(locators), AT_ONCE):
        for table in (table_of(AccessHandle), table_of(AccessLease)):
            which = table.c.locator.in_(locators[i : i + AT_ONCE])
            found |= {row[0]: row[1] for row in tx.execute(select(table.c.locator, table.c.grant_number).where(which))}
    return found


def open_numbers(tx: Connection) -> tuple[int, ...]:
    """Of those that have not ended."""
    return tuple(
        sorted(tx.execute(select(col(AccessGrant.number)).where(col(AccessGrant.due_at).is_not(None))).scalars())
    )


def by_number(tx: Connection, numbers: Sequence[int]) -> dict[int, Grant]:
    """In the order asked for."""
    found: dict[int, Grant] = {}
    for i in range(0, len(numbers), AT_ONCE):
        found |= _some_grants(tx, numbers[i : i + AT_ONCE])
    return {number: found[number] for number in numbers if number in found}


def _some_grants(tx: Connection, numbers: Sequence[int]) -> dict[int, Grant]:
    """The rows first: PostgreSQL shows each statement what stands by then, and the version must not be newer than what
    is to be ended. What is newer itself harms nobody: whoever writes is refused for the version.
    """
    table = table_of(AccessGrant)
    found = tx.execute(select(table).where(table.c.number.in_(numbers))).all()
    handles, leases = (
        _by_grant(tx, select(table).where(table.c.grant_number.in_(numbers)).order_by(table.c.grant_number, order))
        for table, order in ((table_of(AccessHandle), "attempt"), (table_of(AccessLease), "n"))
    )
    return {row.number: rows.grant_of(row, handles.get(row.number, ()), leases.get(row.number, ())) for row in found}


def _by_grant(tx: Connection, query: Select[Any]) -> dict[int, list[Any]]:
    return {number: list(those) for number, those in groupby(tx.execute(query), key=lambda row: row.grant_number)}


def one(tx: Connection, number: int) -> Grant | None:
    """By its number."""
    row = _GRANT.run(tx, {"number": number}).one_or_none()
    if row is None:
        return None
    children = {"grant_number": number}
    return rows.grant_of(row, _HANDLES.run(tx, children).all(), _LEASES.run(tx, children).all())


def count_states(tx: Connection) -> dict[str, int]:
    """How many are in each state that some are in."""
    query = select(col(AccessGrant.state), func.count()).group_by(col(AccessGrant.state))
    return {row[0]: row[1] for row in tx.execute(query)}
