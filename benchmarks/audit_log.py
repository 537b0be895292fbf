"""What the audit benchmark writes: events as a gateway reports them, and the same rows without the log."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, TypedDict

from sqlalchemy import Connection, Table, func, select
from sqlmodel import SQLModel

from access.events import (
    ApprovalGiven,
    CredentialIntended,
    CredentialIssued,
    Event,
    GrantActive,
    GrantEnded,
    GrantEnding,
    PolicyLoaded,
    QueryRun,
    RequestApproved,
    RequestAsked,
    ServerStarted,
    SessionClosed,
    SessionOpened,
)
from access.model import Person
from audit.log import ORIGIN, Ledger
from audit.merkle import subtree
from audit.payloads import KEY, PayloadKey
from audit.statement import inserting
from audit.tables import LedgerEntry, LedgerPayload, LedgerTile, PolicyBundle
from audit.tree import TILE_WIDTH

LEDGER = Ledger(ORIGIN, PayloadKey(os.urandom(KEY)))
START = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
_FLOOR = 2  # the log_id of rows that are no log's
_LINUS, _ADA = (Person(f"T0ACME/U0{name.upper()}", name, f"U0{name.upper()}") for name in ("linus", "ada"))
_STATEMENT = "SELECT id, total FROM public.orders WHERE customer_id = {} LIMIT 100"
POLICY_TEXT = "version: 1"
_DIGEST, _POLICY = "d" * 64, sha256(POLICY_TEXT.encode()).hexdigest()
Row = tuple[Any, ...]
_ENTRY, _PAYLOAD, _TILE = (inserting(model) for model in (LedgerEntry, LedgerPayload, LedgerTile))


def queries(count: int, text: str = _STATEMENT) -> tuple[Event, ...]:
    """Statements of one session."""
    shape = "SELECT id, total FROM public.orders WHERE customer_id = ? LIMIT ?"
    return tuple(
        QueryRun(
            at=START, ref="PA-7", by=_LINUS, session="s1", target="orders-db", text=text.format(n), shape=shape,
            touches=("read table:public.orders",), coverage="full", rows=3,
        )
        for n in range(count)
    )  # fmt: skip


def story(count: int) -> Iterator[tuple[Event, ...]]:
    """Some `count` entries in batches: a request, its grant, a long session, the end. It verifies."""
    ends, about = START + timedelta(hours=1), _About(at=START, ref="PA-7")
    yield (
        ServerStarted(at=START, version="0.1.0"),
        PolicyLoaded(at=START, policy_hash=_POLICY, rules=1),
        RequestAsked(
            **about, by=_LINUS, request_id="ab", target="orders-db", role="read", reason="refunds stuck",
            duration=timedelta(hours=1), ticket="OPS-1", policy_hash=_POLICY, rule="orders-db/read", digest=_DIGEST,
            approvals_needed=1, deciders=(_ADA.slack_id,), lapses_at=ends,
        ),
        ApprovalGiven(**about, by=_ADA, policy_hash=_POLICY, rule="r", digest=_DIGEST, count=1, needed=1,
                      counted=(_ADA.id,)),
        RequestApproved(**about, by=_ADA, approvers=(_ADA.id,), provider="vault", expires_at=ends),
        GrantActive(**about, provider="vault", expires_at=ends, promise="gone at once"),
        CredentialIntended(**about, by=_LINUS, n=1, attempt=1, host="h", address="a", policy_hash=_POLICY),
        CredentialIssued(**about, by=_LINUS, n=1, public_id="u", not_after=ends, host="h", address="a"),
        SessionOpened(**about, by=_LINUS, session="s1", gateway="postgres", target="orders-db", host="h",
                      address="a"),
    )  # fmt: skip
    for _ in range(count // 500):
        yield queries(500)
    yield (
        SessionClosed(**about, by=_LINUS, session="s1", why="closed", actions=count, recording="ab" * 32),
        GrantEnding(**about, cause="owner"),
        GrantEnded(**about, cause="owner", credentials=1, opened_at=START, ending_since=START,
                   proof=("gone",)),
    )  # fmt: skip


def keep_policy(tx: Connection) -> None:
    """The text that the story's decisions name."""
    inserting(PolicyBundle).run(tx, {"hash": _POLICY, "content": POLICY_TEXT, "loaded_at": 0})


class _About(TypedDict):
    at: datetime
    ref: str


@dataclass
class Bare:
    """Rows like those of the log, ready-made and belonging to no log."""

    entries: list[Row]
    payloads: list[Row]
    _next: int = field(default=0)

    @classmethod
    def like_the_last(cls, tx: Connection, count: int) -> Bare:
        """As the last `count` entries and their private texts are."""
        entry, payload = _table(LedgerEntry), _table(LedgerPayload)
        like = tx.execute(select(entry).where(entry.c.log_id == 1).order_by(entry.c.seq.desc()).limit(count)).all()
        beside = tx.execute(select(payload).where(payload.c.seq >= min(row.seq for row in like)))
        last = tx.execute(select(func.max(entry.c.seq)).where(entry.c.log_id == _FLOOR)).scalar_one()
        return cls([tuple(row) for row in like], [tuple(row) for row in beside], 0 if last is None else last + 1)

    def renew(self) -> None:
        """Keys that are not there yet."""
        self.entries = [(_FLOOR, seq, *row[2:]) for seq, row in enumerate(self.entries, self._next)]
        self.payloads = [(os.urandom(32), *row[1:]) for row in self.payloads]
        self._next += len(self.entries)

    def write(self, tx: Connection) -> None:
        """By the statements that the log itself uses."""
        _ENTRY.run_rows(tx, self.entries)
        if self.payloads:
            _PAYLOAD.run_rows(tx, self.payloads)


def _table(model: type[SQLModel]) -> Table:
    return SQLModel.metadata.tables[str(model.__tablename__)]


def make_tree(tx: Connection, size: int) -> None:
    """The stored tree of a log of so many entries: its tiles, and the entries that are in no full tile yet."""
    level, hashes = 0, [sha256(b"\0%d" % n).digest() for n in range(size)]
    rest = [
        {"log_id": 1, "seq": seq, "recorded_at": 0, "type": "log.quiet", "ref": "", "leaf": hashes[seq], "body": b""}
        for seq in range(size - size % TILE_WIDTH, size)
    ]
    _ENTRY.run_many(tx, rest)
    while tiles := list(_tiles(level, hashes)):
        _TILE.run_many(tx, tiles)
        level, hashes = level + 1, [tile["root"] for tile in tiles]
    tx.exec_driver_sql("ANALYZE")  # as a database of that size has been


def _tiles(level: int, hashes: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    for idx in range(len(hashes) // TILE_WIDTH):
        held = hashes[idx * TILE_WIDTH : (idx + 1) * TILE_WIDTH]
        yield {"log_id": 1, "level": level, "idx": idx, "root": subtree(held), "hashes": b"".join(held)}
