"""Filling the projections behind the log: in order, from a stored place on, each batch in one transaction."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, select, update
from sqlmodel import SQLModel, col

from access.errors import AccessError
from access.events import CredentialIssued
from audit.log import Feed
from audit.search import common, index
from audit.search.facts import Facts, Reader, read_facts
from audit.search.rows import ERASED, GrantFacts, Row, SessionFacts, Subjects, row_of
from audit.search.tables import (
    BLOCK,
    ZONE,
    SearchCommon,
    SearchCredential,
    SearchGrant,
    SearchProgress,
    SearchSession,
    SearchTouch,
    SearchZone,
)
from audit.search.terms import ranges
from audit.statement import inserting, upserting

log = logging.getLogger(__name__)

VERSION = 1  # of what is derived from an entry: another one begins anew
BATCH = 200  # entries per transaction: whoever else writes waits for it
_IDLE = 30.0  # seconds
_PAUSE = 1.0  # seconds after a failure

_SAVE_GRANT, _SAVE_SESSION, _SAVE_ZONE = upserting(SearchGrant), upserting(SearchSession), upserting(SearchZone)
_ADD_CREDENTIAL = inserting(SearchCredential)


@dataclass(frozen=True, slots=True)
class Progress:
    """After one batch: the last entry that is indexed, and whether there is more to do at once.

    `tidied`: the last of the words that were taken out has just left the index.
    """

    seq: int
    more: bool
    tidied: bool = False


class Projections(Protocol):
    """`project` below, in a transaction of its own."""

    async def project(self, limit: int) -> Progress: ...


class Projector:
    """Keeps the projections up with the log."""

    def __init__(self, projections: Projections, feed: Feed) -> None:
        self._projections = projections
        self._feed = feed

    async def run(self) -> None:
        """Until cancelled. A failure is logged and tried again: nothing else waits for search."""
        while True:
            try:
                progress = await self._projections.project(BATCH)
                if not progress.more:
                    await self._feed.wait(progress.seq, _IDLE)
            except AccessError as error:
                log.warning("search does not follow the log", extra={"action": "project", "why": str(error)})
                await asyncio.sleep(_PAUSE)
            except Exception:
                log.exception("search does not follow the log", extra={"action": "project"})
                await asyncio.sleep(_IDLE)


# In the caller's transaction


def project(tx: Connection, ledger: Reader, limit: int = BATCH) -> Progress:
    """Take in the next entries, and remember how far. Idempotent: what is taken in is not looked at again."""
    version, seq, tidy = _lock(tx)
    if version != VERSION:
        rebuild(tx)
        seq, tidy = -1, 0
    facts = read_facts(tx, ledger, seq, limit)
    if facts:
        _write(tx, facts)
        seq = facts[-1].seq
        _remember(tx, seq=seq)
    left = index.tidy(tx, tidy) if tidy else 0  # in every batch: a busy log never leaves a batch without entries
    if left != tidy:
        _remember(tx, tidy=left)
    return Progress(seq, len(facts) == limit or left > 0, tidied=tidy > 0 and not left)


def rebuild(tx: Connection) -> None:
    """Drop everything derived; `project` then begins with the first entry."""
    _lock(tx)
    index.clear(tx)
    for model in (SearchTouch, SearchCredential, SearchGrant, SearchSession, SearchZone, SearchCommon):
        tx.execute(SQLModel.metadata.tables[str(model.__tablename__)].delete())
    _remember(tx, version=VERSION, seq=-1, tidy=0)


def forget(tx: Connection, seqs: Sequence[int]) -> None:
    """Take entries' words out of the index; their terms stay. Call it where their texts are destroyed.

    Waits for a batch that is being projected: it may have read a text before. The words are found no more at
    once; the projector then clears what is left of them in SQLite's index, PostgreSQL's vacuum in its own.
    """
    _, indexed, _ = _lock(tx)
    if known := sorted({seq for seq in seqs if seq <= indexed}):
        index.strip(tx, known, ERASED)
        _remember(tx, tidy=1)


def indexed_to(tx: Connection) -> int:
    """The last entry that can be found through the index, -1 when there is none."""
    version, seq = tx.execute(select(col(SearchProgress.version), col(SearchProgress.seq))).one()
    return seq if version == VERSION else -1


def write_rows(tx: Connection, rows: Sequence[Row]) -> None:
    """Entries, what they touched, what was issued, and when: all but requests and sessions. In the log's order."""
    first, last = rows[0].seq, rows[-1].seq
    index.make_room(tx, first, last)
    index.add(tx, rows, [touch for row in rows for touch in touch_rows(row)])
    if issued := credential_rows(rows):
        _ADD_CREDENTIAL.run_many(tx, issued)
    _widen_zones(tx, rows)
    for block in range(first // BLOCK, (last + 1) // BLOCK):  # those that are now complete
        common.keep(tx, block, common.bits_of(index.words_of(tx, block * BLOCK, BLOCK)))


def touch_rows(row: Row) -> list[dict[str, Any]]:
    found = sorted({(thing, touch.op) for touch in row.touches for thing in ranges(touch.object)})
    return [
        {"object": thing, "target": row.target, "seq": row.seq, "op": op, "at": row.at, "actor_id": row.actor_id,
         "actor": row.actor}
        for thing, op in found
    ]  # fmt: skip


def credential_rows(rows: Iterable[Row]) -> list[dict[str, Any]]:
    return [
        {"seq": row.seq, "at": row.at, "ref": row.ref, "about": index.packed(index.terms_of(row.words))}
        for row in rows
        if row.type == CredentialIssued.TAG
    ]


def recall(tx: Connection, facts: Iterable[Facts]) -> Subjects:
    """What is known of the requests and sessions that these entries name."""
    facts = list(facts)
    refs, sessions = {f.ref for f in facts if f.ref}, {f.text("session") for f in facts} - {""}
    grants = _rows(tx, SearchGrant, "ref", refs)
    places = _rows(tx, SearchSession, "session", sessions)
    return Subjects({r["ref"]: GrantFacts(**r) for r in grants}, {r["session"]: SessionFacts(**r) for r in places})


def _write(tx: Connection, facts: Sequence[Facts]) -> None:
    subjects = recall(tx, facts)
    grants, sessions = dict(subjects.grants), dict(subjects.sessions)
    write_rows(tx, [row_of(f, subjects) for f in facts])
    for ref, grant in subjects.grants.items():
        if grants.get(ref) != grant:
            _SAVE_GRANT.run(tx, asdict(grant))
    for name, session in subjects.sessions.items():
        if sessions.get(name) != session:
            _SAVE_SESSION.run(tx, asdict(session))


def _widen_zones(tx: Connection, rows: Sequence[Row]) -> None:
    times: dict[int, list[int]] = {}
    for row in rows:
        times.setdefault(row.seq // ZONE, []).append(row.at)
    for known in _rows(tx, SearchZone, "zone", set(times)):
        times[known["zone"]] += [known["first_at"], known["last_at"]]
    for zone, seen in times.items():
        _SAVE_ZONE.run(tx, {"zone": zone, "first_at": min(seen), "last_at": max(seen)})


def _rows(tx: Connection, model: type[SQLModel], by: str, values: set[Any]) -> list[dict[str, Any]]:
    table = SQLModel.metadata.tables[str(model.__tablename__)]
    return [dict(row) for row in tx.execute(select(table).where(table.c[by].in_(values))).mappings()] if values else []


def _lock(tx: Connection) -> tuple[int, int, int]:
    columns = (col(SearchProgress.version), col(SearchProgress.seq), col(SearchProgress.tidy))
    version, seq, tidy = tx.execute(select(*columns).with_for_update()).one()
    return version, seq, tidy


def _remember(tx: Connection, **changes: int) -> None:
    tx.execute(update(SearchProgress).values(**changes))
