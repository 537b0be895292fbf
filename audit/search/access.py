"""Who had access to a target at a time, from the intervals of the grants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, or_, select
from sqlmodel import SQLModel

from audit.canonical import micros, moment
from audit.search.facts import Reader
from audit.search.rows import GrantFacts
from audit.search.tail import Looked, Tail

_GRANTS = SQLModel.metadata.tables["search_grant"]


@dataclass(frozen=True, slots=True)
class Access:
    """One grant's access, as an interval. `ended_at` is None while it is open."""

    ref: str
    person_id: str
    person: str
    target: str
    role: str
    ticket: str
    opened_at: datetime
    expires_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class Holders:
    """Whose access to a target was open at a time, the latest opened first."""

    accesses: tuple[Access, ...]
    looked: Looked


def who_had_access(tx: Connection, ledger: Reader, target: str, at: datetime) -> Holders:
    """Everybody whose access to a target was open at a time."""
    when, tail = micros(at), Tail(tx, ledger)
    query = select(_GRANTS).where(_GRANTS.c.target == target, _GRANTS.c.opened_at <= when)
    query = query.where(or_(_GRANTS.c.ended_at.is_(None), _GRANTS.c.ended_at > when))
    grants = {row["ref"]: GrantFacts(**row) for row in tx.execute(query).mappings()}
    grants |= {grant.ref: grant for grant in tail.grants}
    open_then = [_access(g) for g in grants.values() if g.target == target and _is_open(g, when)]
    return Holders(tuple(sorted(open_then, key=lambda access: access.opened_at, reverse=True)), tail.looked)


def _is_open(grant: GrantFacts, when: int) -> bool:
    opened, ended = grant.opened_at, grant.ended_at
    return opened is not None and opened <= when and (ended is None or ended > when)


def _access(grant: GrantFacts) -> Access:
    assert grant.opened_at is not None
    return Access(
        grant.ref, grant.person_id, grant.person, grant.target, grant.role, grant.ticket, moment(grant.opened_at),
        None if grant.expires_at is None else moment(grant.expires_at),
        None if grant.ended_at is None else moment(grant.ended_at),
    )  # fmt: skip
