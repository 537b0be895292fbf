"""A log in a real SQLite file with its notary, and the ways to tamper with it."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from access.errors import Unavailable
from access.events import ServerStarted
from access.tasks import meanwhile
from audit.note import Note, VerifierKey, parse_note, verify
from notary.notary import Notary
from notary.ports import Consistency, Genuine, Place, Signer
from notary.signers.file import FileSigner, make_key
from notary.signing import Signing
from store import SqlStore
from store.log import SqlLog
from tests.people import LEDGER, ManualClock
from tests.prepared import open_prepared


class Bench:
    """`restart` is what a new process on the same files is."""

    def __init__(self, directory: Path, key: Path) -> None:
        directory.mkdir()
        if not key.exists():
            make_key(key)
        self.clock = ManualClock()
        self.file = directory / "prodaccess.db"
        self.signer: Signer = FileSigner(LEDGER.origin, key)
        self.store: SqlStore
        self.signing: Signing
        self.notary: Notary
        self.open()

    def open(self) -> None:
        self.store = open_prepared(f"sqlite:///{self.file}", self.clock, LEDGER)
        self.new_notary()

    def new_notary(self, earlier: Sequence[VerifierKey] = ()) -> None:
        self.signing = Signing(self.log, self.signer, self.clock, earlier)
        self.notary = Notary(self.log, self.signing, self.clock, lambda: self.log.quiet(self.clock))

    def restart(self) -> None:
        self.store.close()
        self.open()

    def close(self) -> None:
        self.store.close()
        self.signer.close()

    @property
    def log(self) -> SqlLog:
        return self.store.log

    async def append(self, count: int, version: str = "1.0") -> None:
        now = self.clock.now()
        events = [ServerStarted(at=now, version=f"{version}.{i}") for i in range(count)]
        await self.log.database.write(lambda tx: LEDGER.append(tx, events, now))

    async def signed(self, count: int, version: str = "1.0") -> Note:
        """Append, and have it signed."""
        await self.append(count, version)
        await self.signing.catch_up()
        return await self.last()

    async def last(self) -> Note:
        """The last checkpoint, verified."""
        kept = await self.log.last_checkpoint()
        assert kept is not None
        note = parse_note(kept.note)
        verify(note, [await self.key()])
        assert (note.size, note.root) == (kept.size, kept.root)
        return note

    async def key(self) -> VerifierKey:
        return VerifierKey(self.signer.name, await self.signer.public_key())

    def tamper(self, *statements: str) -> None:
        """As the database's owner, triggers or not."""
        with sqlite3.connect(self.file) as db:
            triggers = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for name, _ in triggers:
                db.execute(f"DROP TRIGGER {name}")
            for statement in statements:
                assert db.execute(statement).rowcount > 0, statement
            for _, sql in triggers:
                db.execute(sql)
        db.close()

    def rename(self, table: str, to: str) -> None:
        with sqlite3.connect(self.file) as db:
            db.execute(f"ALTER TABLE {table} RENAME TO {to}")
        db.close()

    def back_up(self) -> Path:
        copy = self.file.with_suffix(".backup")
        with sqlite3.connect(self.file) as db, sqlite3.connect(copy) as to:
            db.backup(to)
        db.close()
        to.close()
        return copy

    def restore(self, copy: Path) -> None:
        """Yesterday's backup, and a new process."""
        self.store.close()
        for left in self.file.parent.glob(f"{self.file.name}-*"):
            left.unlink()
        shutil.copy(copy, self.file)
        self.open()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with meanwhile(self.notary.run()):
            yield


class Drawer:
    """An anchor that keeps what it is given, in memory; `why` makes it fail, `hangs` makes it hang."""

    def __init__(self, name: str = "drawer") -> None:
        self.name = name
        self.notes: list[str] = []
        self.why: Exception | None = None
        self.hangs = False
        self.asked = 0

    async def publish(self, note: str, consistency: Consistency) -> Place:
        await self._answer()
        self.notes.append(note)
        return Place(f"page {len(self.notes)}", b"kept")

    async def newest(self, genuine: Genuine) -> str | None:
        self.asked += 1
        await self._answer()
        good = [note for note in self.notes if genuine(note)]
        return max(good, key=lambda note: parse_note(note).size, default=None)

    async def trouble(self) -> str:
        return str(self.why or "")

    def close(self) -> None:
        self.hangs = False

    async def _answer(self) -> None:
        if self.hangs:
            await asyncio.Event().wait()
        if self.why is not None:
            raise self.why


class ShakySigner:
    """Another signer whose way there can break: it `hangs`, is `slow` or `down`. Counts its signatures."""

    def __init__(self, inner: Signer) -> None:
        self.name = inner.name
        self.inner = inner
        self.down = self.hangs = False
        self.slow = 0.01  # seconds, each way
        self.count = 0

    async def public_key(self) -> bytes:
        await self._travel()
        return await self.inner.public_key()

    async def sign(self, message: bytes) -> bytes:
        await self._travel()
        self.count += 1
        return await self.inner.sign(message)

    def close(self) -> None:
        self.inner.close()

    async def _travel(self) -> None:
        await asyncio.sleep(self.slow)
        if self.hangs:
            await asyncio.Event().wait()
        if self.down:
            raise Unavailable("The signer does not answer.")


async def until(true: Callable[[], bool], seconds: float = 10) -> None:
    for _ in range(int(seconds / 0.02)):
        if true():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come about")
