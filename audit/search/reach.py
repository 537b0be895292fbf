"""Where in the log the entries of a query can be."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, select
from sqlmodel import col

from audit.canonical import micros
from audit.search.newest import Wanted
from audit.search.query import Query
from audit.search.tables import ZONE, SearchZone
from audit.search.tail import Tail


@dataclass(frozen=True, slots=True)
class Reach:
    """Behind the index, or in it at the places `[low, high)`. Times as in `Wanted`."""

    tail: Tail
    low: int
    high: int
    after: int | None
    before: int | None


def reach_of(tx: Connection, tail: Tail, query: Query) -> Reach:
    low, high = 0, tail.looked.indexed_to + 1
    after = None if query.after is None else micros(query.after)
    before = None if query.before is None else micros(query.before)
    if after is not None:
        first = tx.execute(select(func.min(col(SearchZone.zone))).where(col(SearchZone.last_at) >= after)).scalar()
        low = high if first is None else first * ZONE
    if before is not None:
        last = tx.execute(select(func.max(col(SearchZone.zone))).where(col(SearchZone.first_at) < before)).scalar()
        high = 0 if last is None else min(high, (last + 1) * ZONE)
    return Reach(tail, low, high, after, before)


def wanted(query: Query, reach: Reach) -> Wanted:
    """What the index is asked for a query."""
    return Wanted(query.require, query.exclude, reach.low, reach.high, reach.after, reach.before)
