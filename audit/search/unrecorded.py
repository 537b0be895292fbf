"""Credentials that somebody held while an object may have been touched: which to ask for, and which were in force."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, or_, select
from sqlmodel import SQLModel

from access.events import CredentialIssued, SessionOpened
from audit.canonical import micros, moment
from audit.search.query import Query
from audit.search.rows import GrantFacts
from audit.search.tail import Tail
from audit.search.terms import FIELDS, term

_GRANTS = SQLModel.metadata.tables["search_grant"]
_AT_ONCE = 100  # requests of one question
_THEIRS = tuple(f"{FIELDS[name][0]}=" for name in ("actor", "ref", "ticket", "target"))


def issued(query: Query, places: Sequence[str], since: datetime | None) -> Query:
    """The same for credentials. Who, which request and where can be asked of them; what was done with them cannot."""
    kept = [group for group in query.require if all(token.startswith(_THEIRS) for token in group)]
    there = [tuple(term("target", place) for place in places)] if places else []
    return Query(
        query.text,
        require=(*kept, (term("type", CredentialIssued.TAG),), *there),
        exclude=tuple(token for token in query.exclude if token.startswith(_THEIRS)),
        after=since,
        before=query.before,
    )


def sessions_of(refs: Collection[str]) -> Iterator[Query]:
    """For the recorded sessions of these requests."""
    ordered = sorted(refs)
    for i in range(0, len(ordered), _AT_ONCE):
        named = tuple(term("ref", ref) for ref in ordered[i : i + _AT_ONCE])
        yield replace(Query(""), require=(named, (term("type", SessionOpened.TAG),)))


def in_force(tx: Connection, tail: Tail, query: Query) -> tuple[datetime | None, frozenset[str]]:
    """The beginning of the oldest grant that was open in the query's times, and the requests of all of them.

    A credential may have been issued before these times and used in them. Without `after:` every one may.
    """
    if query.after is None:
        return None, frozenset()
    after = micros(query.after)
    stored = select(_GRANTS).where(or_(_GRANTS.c.ended_at.is_(None), _GRANTS.c.ended_at > after))
    grants = {row["ref"]: GrantFacts(**row) for row in tx.execute(stored).mappings()}
    grants |= {grant.ref: grant for grant in tail.grants}
    open_then = [g for g in grants.values() if g.opened_at is not None and (g.ended_at is None or g.ended_at > after)]
    since = min((g.opened_at for g in open_then if g.opened_at is not None), default=after)
    return moment(min(since, after)), frozenset(grant.ref for grant in open_then)
