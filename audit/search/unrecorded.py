"""Credentials that could be used while an object may have been touched, by requests that nobody recorded."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, func, not_, or_, select, text
from sqlmodel import SQLModel

from access.events import CredentialIssued
from audit.canonical import micros, moment
from audit.search.index import among
from audit.search.newest import Wanted, newest
from audit.search.query import Query
from audit.search.rows import GrantFacts
from audit.search.tail import Tail
from audit.search.terms import FIELDS, term

NEAR = 1_500  # credentials that are looked through one by one, the newest
_GRANTS, _CREDENTIALS = (SQLModel.metadata.tables[name] for name in ("search_grant", "search_credential"))
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


def since(tx: Connection, tail: Tail, query: Query) -> datetime | None:
    """From when on a credential may have been issued that could be used in the query's times; None: ever.

    It may have been issued before them, under a grant that was open when they began. None was open for longer than
    the longest so far, so only those are looked at that ended as soon after.
    """
    if query.after is None:
        return None
    after, of = micros(query.after), _GRANTS.c
    longest = tx.execute(select(func.max(of.lasted))).scalar() or 0
    ended = and_(of.ended_at > after, of.ended_at <= after + longest)
    stored = select(func.min(of.opened_at)).where(of.opened_at <= after, or_(of.ended_at.is_(None), ended))
    opened = [tx.execute(stored).scalar(), *(grant.opened_at for grant in tail.grants)]
    return moment(min([after, *(at for at in opened if at is not None)]))


def newest_issued(tx: Connection, wanted: Wanted, limit: int) -> dict[int, str]:
    """The newest `limit` credentials of those that are meant, `seq` to request.

    Mostly they are among the newest `NEAR`, which lie side by side. What is rarer, the index of words finds.
    """
    of = _CREDENTIALS.c
    holds = [of.seq >= wanted.low, of.seq < wanted.high]
    holds += [of.at >= wanted.after] if wanted.after is not None else []
    holds += [of.at < wanted.before] if wanted.before is not None else []
    near = select(of.seq, of.ref, of.about).where(*holds).order_by(of.seq.desc()).limit(NEAR).subquery()
    says = [or_(*(_says(near.c.about, token) for token in group)) for group in wanted.require]
    says += [not_(_says(near.c.about, token)) for token in wanted.exclude]
    query = select(near.c.seq, near.c.ref).where(*says).order_by(near.c.seq.desc()).limit(limit)
    issued = dict(map(tuple, tx.execute(query).all()))
    if len(issued) == limit:
        return issued
    looked, lowest = tx.execute(select(func.count(), func.min(near.c.seq))).one()
    if looked < NEAR:
        return issued
    return issued | _refs_of(tx, newest(tx, replace(wanted, high=lowest), limit - len(issued)))


def _refs_of(tx: Connection, seqs: Sequence[int]) -> dict[int, str]:
    """Of credentials, in their order."""
    named, values = among(tx, seqs)
    query = text(f"SELECT seq, ref FROM search_credential WHERE seq {named} ORDER BY seq DESC")  # noqa: S608
    return dict(map(tuple, tx.execute(query, {"values": values}).all()))


def _says(about: ColumnElement[str], token: str) -> ColumnElement[bool]:
    return about.contains(f" {token} ", autoescape=True)


def usable(tx: Connection, tail: Tail, query: Query, credentials: Mapping[int, str]) -> list[int]:
    """Of credentials, `seq` to request, those of requests without a session that could be used in the query's times."""
    issued = set(credentials.values()) - {session.ref for session in tail.sessions}
    left = issued - _recorded(tx, issued)
    open_then = left if query.after is None else _in_force_at(tx, tail, left, micros(query.after))
    return [seq for seq, ref in credentials.items() if ref in open_then]


def _recorded(tx: Connection, refs: Collection[str]) -> set[str]:
    """Those of requests that have a session. Looked up one by one, as all of what follows: a join may read all."""
    named, values = among(tx, list(refs), "text")
    query = text(f"SELECT ref FROM search_session WHERE ref {named}")  # noqa: S608
    return set(tx.execute(query, {"values": values}).scalars().all())


def _in_force_at(tx: Connection, tail: Tail, refs: Collection[str], at: int) -> set[str]:
    named, values = among(tx, list(refs), "text")
    query = text(f"SELECT ref, opened_at, ended_at FROM search_grant WHERE ref {named}")  # noqa: S608
    known = {
        ref: GrantFacts(ref, opened_at=opened, ended_at=ended)
        for ref, opened, ended in tx.execute(query, {"values": values}).all()
    }
    known |= {grant.ref: grant for grant in tail.grants}
    return {ref for ref in refs if ref in known and _in_force(known[ref], at)}


def _in_force(grant: GrantFacts, after: int) -> bool:
    """Whether it did not end before."""
    return grant.opened_at is not None and (grant.ended_at is None or grant.ended_at > after)
