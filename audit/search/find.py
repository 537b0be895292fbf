"""Answering: the newest entries that are meant, and who touched an object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import Connection, text

from access.errors import BadInput
from audit.canonical import moment
from audit.search import index, unrecorded
from audit.search.facts import Reader, read_some_facts
from audit.search.index import COLUMNS
from audit.search.newest import newest
from audit.search.projector import recall
from audit.search.query import Query, accepts, contains
from audit.search.reach import Reach, reach_of, wanted
from audit.search.rows import SHOWN, Row, row_of
from audit.search.tail import Looked, Tail
from audit.search.terms import object_label, object_term, term, without_schema
from audit.search.tokens import words_of
from audit.search.touchers import Toucher, Touches, people_of, places_of

MOST_UNRECORDED = 500  # credentials that are looked at
_MOST_PLACES = 20  # targets of one object, above which every target may be its place
_UNSURE = (term("coverage", "partial"), term("coverage", "opaque"))


@dataclass(frozen=True, slots=True)
class Hit:
    """One entry of an answer. `text` is the beginning of what was typed, "(erased)" where it is gone."""

    seq: int
    at: datetime
    type: str
    ref: str
    actor_id: str
    actor: str
    target: str
    role: str
    ticket: str
    session: str
    host: str
    op: str
    coverage: str
    text: str


@dataclass(frozen=True, slots=True)
class Found:
    """Newest first. `more`: there are others."""

    hits: tuple[Hit, ...]
    more: bool
    looked: Looked

    @property
    def count(self) -> str:
        """`50+` where there are others; nobody counts all hits of a common word."""
        return f"{len(self.hits)}+" if self.more else str(len(self.hits))


@dataclass(frozen=True, slots=True)
class Touched:
    """`definite`: entries that name the object. `people`: everybody who touched it in these times, whatever else the
    query says but `op:`, the latest first. They are counted in full, or, where touches are very many, from the entry
    `counted_from` on: then each has done it at least so often, and others may have before.

    `possible`: entries that may have touched it without naming it, because nobody could read all of what they did
    (a function, a script), where the object is known to be: at `places`, or anywhere when that is empty. Of a table
    with its schema also those that name it without one: which schema that was, the session's search path said.

    `unrecorded`: of the newest `MOST_UNRECORDED` credentials that could be used there at the time, those of requests
    without a recorded session, counted; `credentials` are the newest of them. What was done with them is for the
    target's own log.
    """

    object: str
    definite: tuple[Hit, ...]
    more_definite: bool
    possible: tuple[Hit, ...]
    more_possible: bool
    people: tuple[Toucher, ...]
    places: tuple[str, ...]
    looked: Looked
    more_people: bool = False
    unrecorded: int = 0
    credentials: tuple[Hit, ...] = ()
    counted_from: int | None = None


def find(tx: Connection, ledger: Reader, query: Query, limit: int = 50) -> Found:
    """The newest `limit` entries that are meant."""
    return _find(tx, ledger, query, limit, reach_of(tx, Tail(tx, ledger), query))


def who_touched(tx: Connection, ledger: Reader, query: Query, limit: int = 50) -> Touched:
    """Of a query that names one table, path or host. Raises BadInput."""
    thing, reach = _the_object(query), reach_of(tx, Tail(tx, ledger), query)
    names = (thing, bare) if (bare := without_schema(thing)) else (thing,)
    places = tuple(sorted({place for name in names for place in places_of(tx, name, reach)}))
    definite = _find(tx, ledger, query, limit, reach)
    possible = _find(tx, ledger, _unsure(query, thing, places), limit, reach)
    if bare:
        possible = _both(possible, _find_bare(tx, ledger, query, limit, reach), limit)
    named = {hit.seq for hit in definite.hits}
    unnamed = tuple(hit for hit in possible.hits if hit.seq not in named)
    people = people_of(tx, query, Touches(thing, places), reach)
    known = places if len(places) <= _MOST_PLACES else ()
    count, credentials = _unrecorded(tx, query, known, limit, reach.tail)
    return Touched(
        thing, definite.hits, definite.more, unnamed, possible.more, people.lines, known, reach.tail.looked,
        people.more, count, credentials, people.counted_from,
    )  # fmt: skip


def _unrecorded(
    tx: Connection, query: Query, places: tuple[str, ...], limit: int, tail: Tail
) -> tuple[int, tuple[Hit, ...]]:
    """How many there are, and the newest."""
    asked = unrecorded.issued(query, places, unrecorded.since(tx, tail, query))
    behind = {row.seq: row for row in tail.rows if accepts(asked, row)}
    issued = {seq: row.ref for seq, row in islice(behind.items(), MOST_UNRECORDED)}
    if len(issued) < MOST_UNRECORDED:
        issued |= unrecorded.newest_issued(tx, wanted(asked, reach_of(tx, tail, asked)), MOST_UNRECORDED - len(issued))
    found = unrecorded.usable(tx, tail, query, issued)
    shown = found[:limit]
    hits = [_hit_of(behind[seq]) for seq in shown if seq in behind] + _hits(tx, [s for s in shown if s not in behind])
    return len(found), tuple(hits)


def _find(tx: Connection, ledger: Reader, query: Query, limit: int, reach: Reach) -> Found:
    rows = [row for row in reach.tail.rows if accepts(query, row)]
    hits = [_hit_of(row) for row in rows[: limit + 1]]
    if len(hits) <= limit:
        hits += _indexed(tx, ledger, query, limit + 1 - len(hits), reach)
    return Found(tuple(hits[:limit]), len(hits) > limit, reach.tail.looked)


# The index


def _indexed(tx: Connection, ledger: Reader, query: Query, limit: int, reach: Reach) -> list[Hit]:
    asked_for, found = wanted(query, reach), list[Hit]()
    while len(found) < limit:
        asked = limit - len(found)
        seqs = newest(tx, asked_for, asked)
        found += _meant(tx, ledger, query, _hits(tx, seqs))
        if len(seqs) < asked:
            break
        asked_for = replace(asked_for, high=seqs[-1])
    return found


def _meant(tx: Connection, ledger: Reader, query: Query, hits: list[Hit]) -> list[Hit]:
    """Without those that have the tokens of what is asked, but not as it is asked."""
    doubtful = [hit.seq for hit in hits if _is_doubtful(query, hit)]
    if not doubtful:
        return hits
    facts = read_some_facts(tx, ledger, doubtful)
    subjects = recall(tx, facts)
    meant = {f.seq for f in facts if accepts(query, row_of(f, subjects))}
    return [hit for hit in hits if hit.seq in meant or hit.seq not in doubtful]


def _is_doubtful(query: Query, hit: Hit) -> bool:
    """What is done to an object is plain where only one thing is done; a phrase, where the line shows it whole."""
    if query.objects and query.ops and " " in hit.op:
        return True
    if not query.phrases:
        return False
    words = words_of(hit.text)
    shown = words if len(hit.text) < SHOWN else words[:-1]
    return not all(contains(shown, phrase) for phrase in query.phrases)


def _hits(tx: Connection, seqs: Sequence[int]) -> list[Hit]:
    if not seqs:
        return []
    named, values = index.among(tx, seqs)
    query = text(f"SELECT {', '.join(COLUMNS)} FROM search_entry WHERE seq {named} ORDER BY seq DESC")  # noqa: S608
    return [_hit(dict(row)) for row in tx.execute(query, {"values": values}).mappings().all()]


def _hit_of(row: Row) -> Hit:
    return _hit({name: getattr(row, name) for name in COLUMNS})


def _hit(fields: dict[str, Any]) -> Hit:
    return Hit(**{**fields, "at": moment(fields["at"])})


# Objects


def _the_object(query: Query) -> str:
    if len(query.objects) == 1:
        return query.objects[0]
    if not query.objects and query.host and "*" not in query.host:
        return object_label("host", query.host)
    raise BadInput("Name one object: `table:public.orders`, `path:/etc/**` or `host:db-1`.", field="query")


def _find_bare(tx: Connection, ledger: Reader, query: Query, limit: int, reach: Reach) -> Found:
    """Entries that name the query's table without its schema; the index cannot tell them from those of another one."""
    thing = _the_object(query)
    bare = without_schema(thing)
    require = tuple((object_term(bare),) if group == (object_term(thing),) else group for group in query.require)
    asked = replace(query, require=require, exclude=(*query.exclude, object_term(thing)), objects=(bare,))
    found = _find(tx, ledger, asked, limit, reach)
    facts = read_some_facts(tx, ledger, [hit.seq for hit in found.hits])
    subjects = recall(tx, facts)
    meant = {f.seq for f in facts if any(touch.object == bare for touch in row_of(f, subjects).touches)}
    return replace(found, hits=tuple(hit for hit in found.hits if hit.seq in meant))


def _both(one: Found, other: Found, limit: int) -> Found:
    hits = sorted({hit.seq: hit for hit in (*one.hits, *other.hits)}.values(), key=lambda hit: hit.seq, reverse=True)
    return Found(tuple(hits[:limit]), one.more or other.more or len(hits) > limit, one.looked)


def _unsure(query: Query, thing: str, places: tuple[str, ...]) -> Query:
    """The same without the object and what is done to it, for whatever may have touched it unnamed."""
    theirs = {object_term(thing), *(term("op", op) for op in query.ops)}
    theirs |= {term("host", query.host)} if query.host and not query.objects else set()
    kept = tuple(group for group in query.require if not theirs & set(group))
    there = (tuple(term("target", place) for place in places),) if 0 < len(places) <= _MOST_PLACES else ()
    # what names the object and does something else to it may still have done this, too
    exclude = query.exclude if query.ops else (*query.exclude, object_term(thing))
    return replace(query, require=(*kept, _UNSURE, *there), exclude=exclude, objects=(), ops=())
