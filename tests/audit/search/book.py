"""A log and its projections, used as the store uses them: each step in a transaction of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, text, update
from sqlmodel import col

from access.events import (
    CommandRun,
    CredentialIssued,
    Event,
    FileTouched,
    GrantActive,
    GrantEnded,
    QueryRun,
    RequestAsked,
    SessionOpened,
)
from audit.search.access import Holders, who_had_access
from audit.search.find import Found, Touched, find, who_touched
from audit.search.projector import forget, project, rebuild
from audit.search.query import parse_query
from audit.search.recheck import recheck
from audit.tables import LedgerPayload
from store.database import Database
from store.migrate import migrate
from tests.people import ADA, LEDGER, LINUS, ManualClock
from tests.prepared import prepare

NOW = ManualClock().now()
_T = TypeVar("_T")


class Book:
    def __init__(self, url: str) -> None:
        prepare(url)
        self.database = Database(url)
        migrate(self.database)

    def close(self) -> None:
        self.database.close()

    @property
    def is_sqlite(self) -> bool:
        return self.database.is_sqlite

    def run(self, work: Callable[[Connection], _T]) -> _T:
        return self.database.transact(work)

    def sql(self, statement: str, **bound: Any) -> Any:
        return self.run(lambda tx: tx.execute(text(statement), bound))

    def say(self, *events: Event) -> tuple[int, ...]:
        return self.run(lambda tx: LEDGER.append(tx, events, max(event.at for event in events)))

    def index(self, limit: int = 500) -> int:
        while (progress := self.run(lambda tx: project(tx, LEDGER, limit))).more:
            pass
        return progress.seq

    def rebuild(self) -> None:
        self.run(rebuild)
        self.index()

    def find(self, query: str, limit: int = 50) -> Found:
        return self.run(lambda tx: find(tx, LEDGER, parse_query(query, NOW), limit))

    def seqs(self, query: str, limit: int = 50) -> list[int]:
        return [hit.seq for hit in self.find(query, limit).hits]

    def touched(self, query: str, limit: int = 50) -> Touched:
        return self.run(lambda tx: who_touched(tx, LEDGER, parse_query(query, NOW), limit))

    def holders(self, target: str, at: datetime) -> Holders:
        return self.run(lambda tx: who_had_access(tx, LEDGER, target, at))

    def recheck(self) -> str | None:
        return self.run(lambda tx: recheck(tx, LEDGER))

    def erase(self, seq: int) -> None:
        """As the store does it."""

        def work(tx: Connection) -> None:
            gone = update(LedgerPayload).where(col(LedgerPayload.seq) == seq, col(LedgerPayload.seed).is_not(None))
            tx.execute(gone.values(seed=None, destroyed_at=1))
            forget(tx, [seq])

        self.run(work)


def asked(ref: str = "PA-1", *, at: datetime = NOW, by: Any = LINUS, **changes: Any) -> RequestAsked:
    fields: dict[str, Any] = {
        "request_id": f"id-{ref}", "target": "orders-db", "role": "read", "duration": timedelta(hours=1),
        "reason": "refunds stuck since the deploy", "ticket": "OPS-412", "policy_hash": "p0", "rule": "orders-db/read",
        "approvals_needed": 1, "deciders": ("U0ADA",), "digest": "d0", "lapses_at": at,
    }  # fmt: skip
    return RequestAsked(at=at, ref=ref, by=by, **{**fields, **changes})


def active(ref: str, at: datetime) -> GrantActive:
    return GrantActive(at=at, ref=ref, provider="vault", expires_at=at + timedelta(hours=1), promise="ends by itself")


def issued(ref: str, at: datetime, *, by: Any = LINUS) -> CredentialIssued:
    return CredentialIssued(
        at=at, ref=ref, by=by, n=1, public_id=f"v-{ref}", not_after=at + timedelta(hours=1), host="thinkpad",
        address="10.2.0.7",
    )  # fmt: skip


def ended(ref: str, at: datetime) -> GrantEnded:
    return GrantEnded(
        at=at, ref=ref, cause="deadline", credentials=1, opened_at=at, ending_since=at, proof=("refused",)
    )


def opened(
    session: str = "s1", *, ref: str = "PA-1", target: str = "orders-db", host: str = "use1-db-003"
) -> SessionOpened:
    return SessionOpened(
        at=NOW, ref=ref, by=LINUS, session=session, gateway="postgres", target=target, host=host, address="10.2.0.7"
    )


def query(
    said: str,
    *touches: str,
    ref: str = "PA-1",
    at: datetime = NOW,
    by: Any = LINUS,
    coverage: str = "full",
    **more: Any,
) -> QueryRun:
    fields: dict[str, Any] = {"session": "s1", "target": "orders-db", "shape": "…"}
    return QueryRun(at=at, ref=ref, by=by, text=said, touches=touches, coverage=coverage, **{**fields, **more})


def command(said: str, *touches: str, host: str = "use1-web-1", coverage: str = "full", **more: Any) -> CommandRun:
    fields: dict[str, Any] = {"at": NOW, "ref": "PA-2", "by": ADA, "session": "s2", "target": "web"}
    program = said.split(maxsplit=1)[0]
    return CommandRun(text=said, program=program, touches=touches, host=host, coverage=coverage, **{**fields, **more})


def file(*touches: str, host: str = "use1-web-1", **more: Any) -> FileTouched:
    fields: dict[str, Any] = {"at": NOW, "ref": "PA-2", "by": ADA, "session": "s2", "target": "web"}
    return FileTouched(touches=touches, host=host, coverage="full", **{**fields, **more})
