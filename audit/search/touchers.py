"""Who touched an object, and where: counted in the touches themselves, however many entries name it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, select, text
from sqlmodel import SQLModel

from audit.canonical import moment
from audit.search.projector import touch_rows
from audit.search.query import Query, within
from audit.search.reach import Reach

MOST_PEOPLE = 500  # lines of people in one answer
MOST_TOUCHES = 5_000  # that are counted in the index; what a whole year touches has millions
_STEP = 4  # of what was too much, how small a part is tried next
_TOUCHES = SQLModel.metadata.tables["search_touch"]


@dataclass(frozen=True, slots=True)
class Toucher:
    """All that one person did to an object at one target."""

    actor_id: str
    actor: str
    target: str
    op: str
    count: int
    first: datetime
    last: datetime
    last_seq: int


@dataclass(frozen=True, slots=True)
class People:
    """The latest first. `more`: there are others, or may be. `counted_from`: the first entry whose touches are counted
    where all of them were too many, so that each count is a least one; None when all are counted."""

    lines: tuple[Toucher, ...]
    more: bool
    counted_from: int | None


# One step of the index for each target, instead of reading all touches
_PLACES = text("""
WITH RECURSIVE place (target) AS (
  SELECT min(target) FROM search_touch WHERE object = :object
  UNION ALL
  SELECT (SELECT min(target) FROM search_touch WHERE object = :object AND target > place.target)
  FROM place WHERE place.target IS NOT NULL
) SELECT target FROM place WHERE target IS NOT NULL
""")


def places_of(tx: Connection, thing: str, reach: Reach) -> tuple[str, ...]:
    """The targets at which an object was ever touched."""
    behind = {row.target for row in reach.tail.rows for touch in touch_rows(row) if touch["object"] == thing}
    return tuple(sorted({*tx.execute(_PLACES, {"object": thing}).scalars(), *behind}))


@dataclass(frozen=True, slots=True)
class Touches:
    """Of an object, wherever it was touched (`places_of`): the newest, `most` of those in the index."""

    thing: str
    places: tuple[str, ...]
    most: int = MOST_TOUCHES


def people_of(tx: Connection, query: Query, touches: Touches, reach: Reach) -> People:
    """Everybody who touched it in the query's times."""
    holds = _holds(query, touches, reach)
    start = _counted_from(tx, holds, reach, touches.most)
    behind = _in_tail(query, touches.thing, reach)
    people: dict[tuple[str, ...], Toucher] = {}
    for one in (*_indexed(tx, [*holds, _TOUCHES.c.seq >= start], len(behind)), *behind):
        who = (one.actor_id, one.actor, one.target, one.op)
        people[who] = _together(people[who], one) if who in people else one
    lines = tuple(sorted(people.values(), key=lambda one: one.last_seq, reverse=True))
    partial = start > reach.low
    return People(lines[:MOST_PEOPLE], partial or len(lines) > MOST_PEOPLE, start if partial else None)


def _holds(query: Query, touches: Touches, reach: Reach) -> list[ColumnElement[bool]]:
    of = _TOUCHES.c
    holds = [of.object == touches.thing, of.target.in_(touches.places), of.seq < reach.high]
    holds += [of.at >= reach.after] if reach.after is not None else []
    holds += [of.at < reach.before] if reach.before is not None else []
    return holds + ([of.op.in_(query.ops)] if query.ops else [])


def _counted_from(tx: Connection, holds: Sequence[ColumnElement[bool]], reach: Reach, most: int) -> int:
    """The place in the log from which on there are at most `most`, and, where that is not all, not many fewer.

    Nobody knows how many lie in a part of the log before they are counted, up to `most`; so ever smaller ones are
    tried, the newest.
    """
    if _count(tx, holds, reach.low, most) <= most:
        return reach.low
    low, high = reach.low, reach.high  # from `low` on there are too many, from `high` on too few
    while high - low > 1:
        middle = high - max(1, (high - low) // _STEP)
        count = _count(tx, holds, middle, most)
        if most // _STEP <= count <= most:
            return middle
        low, high = (middle, high) if count > most else (low, middle)
    return high


def _count(tx: Connection, holds: Sequence[ColumnElement[bool]], start: int, most: int) -> int:
    """Those from a place on, up to one more than `most`."""
    some: Select[Any] = select(_TOUCHES.c.seq).where(*holds, _TOUCHES.c.seq >= start).limit(most + 1)
    return tx.execute(select(func.count()).select_from(some.subquery())).scalar_one()


def _indexed(tx: Connection, holds: Sequence[ColumnElement[bool]], behind: int) -> list[Toucher]:
    of = _TOUCHES.c
    group = (of.actor_id, of.actor, of.target, of.op)
    statement = select(*group, func.count(), func.min(of.at), func.max(of.at), func.max(of.seq))
    statement = statement.where(*holds).group_by(*group)
    if not behind:  # else somebody among the rest may be among the newest, and has to be counted with them
        statement = statement.order_by(func.max(of.seq).desc()).limit(MOST_PEOPLE + 1)
    return [_toucher(row) for row in tx.execute(statement).all()]


def _toucher(row: Any) -> Toucher:
    actor_id, actor, target, op, count, first, last, seq = row
    return Toucher(actor_id, actor, target, op, count, moment(first), moment(last), seq)


def _in_tail(query: Query, thing: str, reach: Reach) -> list[Toucher]:
    """The touches behind the index, one by one."""
    return [
        _toucher((touch["actor_id"], touch["actor"], touch["target"], touch["op"], 1, row.at, row.at, row.seq))
        for row in reach.tail.rows
        if within(query, row.at)
        for touch in touch_rows(row)
        if touch["object"] == thing and (not query.ops or touch["op"] in query.ops)
    ]


def _together(one: Toucher, other: Toucher) -> Toucher:
    return replace(
        one, count=one.count + other.count, first=min(one.first, other.first), last=max(one.last, other.last),
        last_seq=max(one.last_seq, other.last_seq),
    )  # fmt: skip
