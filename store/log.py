"""The audit log over one database: `audit.log.Feed`, and what whoever signs, searches or verifies it reads."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection, bindparam, select
from sqlmodel import col

from access.events import LogKeyUsed, LogQuiet
from access.model import Receipt
from access.ports import Clock
from audit import log
from audit.canonical import micros, moment
from audit.checkpoint import Anchored, Checkpoint
from audit.log import Entry, Ledger
from audit.merkle import Range
from audit.search.find import Found, Touched, find, who_touched
from audit.search.projector import Progress, project
from audit.search.query import Query
from audit.statement import Statement, inserting
from audit.tables import LOG, LedgerAnchor, LedgerCheckpoint, LedgerEntry, PolicyBundle
from audit.tree import Kept, SqlTiles, Tree
from store.database import Database
from store.erasure import scrub
from store.guards import must_be_guarded
from store.migrate import must_be_current

_Result = TypeVar("_Result")
_AT_LENGTH = 30.0  # seconds for what reads or writes much, and gives nobody access
_LOOK = 1.0  # seconds between looks for entries that another process has written

_CHECKPOINT = (
    col(LedgerCheckpoint.size), col(LedgerCheckpoint.root), col(LedgerCheckpoint.note),
    col(LedgerCheckpoint.created_at),
)  # fmt: skip
_OF_OURS = col(LedgerCheckpoint.log_id) == bindparam("log")
_LAST = Statement(lambda _: select(*_CHECKPOINT).where(_OF_OURS).order_by(col(LedgerCheckpoint.size).desc()).limit(1))
_COVERING = Statement(
    lambda _: (
        select(*_CHECKPOINT)
        .where(_OF_OURS, col(LedgerCheckpoint.size) > bindparam("seq"))
        .order_by(col(LedgerCheckpoint.size))
        .limit(1)
    )
)
_BODIES = Statement(
    lambda _: (
        select(col(LedgerEntry.body))
        .where(
            col(LedgerEntry.log_id) == bindparam("log"),
            col(LedgerEntry.seq) >= bindparam("start"),
            col(LedgerEntry.seq) < bindparam("stop"),
        )
        .order_by(col(LedgerEntry.seq))
    )
)
_SAVE, _ANCHOR = inserting(LedgerCheckpoint), inserting(LedgerAnchor)


def open_log(url: str, ledger: Ledger) -> SqlLog:
    """Beside a running server: for verbs, which read, and append what they have to say.

    Raises BadDatabase, Unavailable, NotCurrent.
    """
    database = Database(url, alone=False)
    try:
        database.transact(must_be_current, write=False)
    except BaseException:
        database.close()
        raise
    return SqlLog(database, ledger)


@dataclass
class SqlLog:
    """Every method is one transaction."""

    database: Database
    ledger: Ledger

    def __post_init__(self) -> None:
        self._written = asyncio.Event()
        self._last_written = -1  # by this process
        self._kept: Kept = {}
        self._is_unclean = False  # erased words may still stand in SQLite's -wal

    def close(self) -> None:
        self.database.close()

    def announce(self, receipt: Receipt) -> Receipt:
        """Wake whoever waits for entries."""
        if receipt.seqs:
            self._last_written = max(self._last_written, receipt.seqs[-1])
            self._wake()
        return receipt

    def heard(self, head: int) -> None:
        """Wake them also for what another process has written."""
        if head > self._last_written:
            self._last_written = head
            self._wake()

    def _wake(self) -> None:
        self._written.set()
        self._written = asyncio.Event()

    # Feed

    async def entries(self, after: int, limit: int = 100) -> tuple[Entry, ...]:
        return await self.database.read(lambda tx: self.ledger.read(tx, after, limit))

    async def entries_of(
        self, ref: str, kinds: Collection[str] | None = None, after: int = -1, limit: int | None = None
    ) -> tuple[Entry, ...]:
        return await self.database.read(lambda tx: self.ledger.read_ref(tx, ref, kinds, after, limit))

    async def last_of(
        self, ref: str, kinds: Collection[str], limit: int, before: int | None = None
    ) -> tuple[Entry, ...]:
        return await self.database.read(lambda tx: self.ledger.read_last_of(tx, ref, kinds, limit, before))

    async def head(self) -> int:
        return await self.database.read(log.head)

    async def wait(self, after: int, timeout: float) -> bool:
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout
        while True:
            written = self._written  # taken before the look, so that a write in between is not missed
            if self._last_written > after or await self.head() > after:
                return True
            left = until - loop.time()
            if left <= 0:
                return False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, _LOOK)):  # wait_for may swallow a cancellation, up to Python 3.11
                    await written.wait()

    # Signing

    async def last_checkpoint(self) -> Checkpoint | None:
        return await self.database.read(lambda tx: _checkpoint(tx, _LAST, {"log": LOG}))

    async def checkpoint_covering(self, seq: int) -> Checkpoint | None:
        """The smallest that holds this entry."""
        return await self.database.read(lambda tx: _checkpoint(tx, _COVERING, {"log": LOG, "seq": seq}))

    async def checkpoints(self, after: int = 0) -> tuple[Checkpoint, ...]:
        """In order, those of more than `after` entries."""
        query = select(*_CHECKPOINT).where(col(LedgerCheckpoint.log_id) == LOG, col(LedgerCheckpoint.size) > after)
        ordered = query.order_by(col(LedgerCheckpoint.size))
        return await self.database.read(lambda tx: tuple(_of(row) for row in tx.execute(ordered)), patience=_AT_LENGTH)

    async def bodies(self, start: int, end: int | None, limit: int) -> tuple[bytes, ...]:
        """Of at most `limit` entries from `start` on, before `end`, in order."""
        stop = start + limit if end is None else min(end, start + limit)
        span = {"log": LOG, "start": start, "stop": stop}
        return await self.database.read(lambda tx: tuple(bytes(row[0]) for row in _BODIES.run(tx, span)))

    async def named_keys(self) -> tuple[bytes, ...]:
        """The bodies of all entries that name a key of the log's, in order. Reads the whole log's types."""
        query = select(col(LedgerEntry.body)).where(
            col(LedgerEntry.log_id) == LOG, col(LedgerEntry.type) == LogKeyUsed.TAG
        )
        ordered = query.order_by(col(LedgerEntry.seq))
        found = await self.database.read(lambda tx: tx.execute(ordered).scalars().all(), patience=_AT_LENGTH)
        return tuple(map(bytes, found))

    async def leaf(self, seq: int) -> bytes:
        """The stored leaf hash of an entry."""
        return (await self.database.ask(lambda tx: SqlTiles(tx).leaves(seq, seq + 1)))[0]

    async def checkpoint_range(self, size: int) -> Range:
        """The compact range of the tree when it had `size` entries, out of the stored tiles."""
        return await self._ask_tree(lambda tree: tree.range_at(size))

    async def inclusion(self, seq: int, size: int) -> tuple[bytes, ...]:
        return await self._ask_tree(lambda tree: tree.inclusion(seq, size))

    async def consistency(self, old: int, new: int) -> tuple[bytes, ...]:
        return await self._ask_tree(lambda tree: tree.consistency(old, new))

    async def _ask_tree(self, asked: Callable[[Tree], _Result]) -> _Result:
        return await self.database.ask(lambda tx: asked(Tree(SqlTiles(tx, kept=self._kept))))

    async def save_checkpoint(self, checkpoint: Checkpoint) -> None:
        row = {
            "log_id": LOG, "size": checkpoint.size, "root": checkpoint.root, "note": checkpoint.note,
            "created_at": micros(checkpoint.at),
        }  # fmt: skip
        await self.database.write(lambda tx: _SAVE.run(tx, row))

    async def save_anchored(self, anchored: Anchored) -> None:
        row = {
            "log_id": LOG, "size": anchored.size, "sink": anchored.sink, "ref": anchored.ref,
            "proof": anchored.proof, "at": micros(anchored.at),
        }  # fmt: skip
        await self.database.write(lambda tx: _ANCHOR.run(tx, row))

    # Searching

    async def project(self, limit: int) -> Progress:
        progress = await self.database.write(lambda tx: project(tx, self.ledger, limit), patience=_AT_LENGTH)
        if progress.tidied or self._is_unclean:
            await self.scrub()
        return progress

    async def scrub(self) -> None:
        """After an erasure; where a reader holds it up, `project` comes back to it."""
        self._is_unclean = not await asyncio.to_thread(scrub, self.database)

    async def find(self, query: Query, limit: int) -> Found:
        return await self.database.read(lambda tx: find(tx, self.ledger, query, limit), patience=_AT_LENGTH)

    async def who_touched(self, query: Query, limit: int) -> Touched:
        return await self.database.read(lambda tx: who_touched(tx, self.ledger, query, limit), patience=_AT_LENGTH)

    # What the log says about itself

    async def quiet(self, clock: Clock) -> None:
        """The heartbeat."""
        now = clock.now()
        seqs = await self.database.write(lambda tx: self.ledger.append(tx, (LogQuiet(at=now),), now))
        self.announce(Receipt(seqs))

    async def check_guards(self) -> None:
        """The log's tables are what they were made as. Raises Unguarded."""
        await self.database.read(must_be_guarded)

    async def policies(self) -> dict[str, str]:
        """The text of every policy that ever decided, by its hash."""
        query = select(col(PolicyBundle.hash), col(PolicyBundle.content))
        return await self.database.read(lambda tx: {row[0]: row[1] for row in tx.execute(query)}, patience=_AT_LENGTH)

    async def anchored(self) -> Sequence[Anchored]:
        """Everything that stands elsewhere, oldest first."""
        return await self.database.read(_anchored, patience=_AT_LENGTH)


def _anchored(tx: Connection) -> tuple[Anchored, ...]:
    table = LedgerAnchor
    columns = (col(table.size), col(table.sink), col(table.ref), col(table.proof), col(table.at))
    rows = tx.execute(select(*columns).order_by(col(table.size)))
    return tuple(Anchored(r.size, r.sink, r.ref, bytes(r.proof), moment(r.at)) for r in rows)


def _checkpoint(tx: Connection, statement: Statement, parameters: dict[str, int]) -> Checkpoint | None:
    row = statement.run(tx, parameters).one_or_none()
    return None if row is None else _of(row)


def _of(row: tuple[int, bytes, str, int]) -> Checkpoint:
    size, root, note, created_at = row
    return Checkpoint(size, bytes(root), note, moment(created_at))
