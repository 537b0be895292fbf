"""What the audit log costs, as ratios to a floor of the same run: the same rows written, the same bytes read.

The floor of an append inserts ready-made rows of the same two tables in the same batch, without the log. Value and
floor are measured in turn, and their medians compared: on a busy machine the ratio holds when the figures do not.
What an append adds is work of the processor, some 12 µs an event, 5 of them sealing the private text. PostgreSQL stores
one piece while the next is made; SQLite works in the same thread, where nothing can overlap, and a second one gained
nothing. A disk that takes longer to sync than this machine's brings the ratio down. What a verification adds is the
tree (one hash an entry), the columns that stand beside the entries, and holding every entry against the one in front.
Its floor sorts the bodies on SQLite, which the verification does not need to; without that the floor is a third lower.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from access.events import Event
from audit.log import ORIGIN
from audit.note import VerifierKey
from benchmarks.audit_log import LEDGER, START, Bare, keep_policy, make_tree, queries, story
from benchmarks.figures import Figure, Result, median, percentile
from notary.notary import Notary
from notary.signers.file import FileSigner, make_key
from notary.signing import Signing
from prodaccess.clock import SystemClock
from prodaccess.parts.postgres import Postgres
from store import SqlStore, open_store
from verifier.notes import Key
from verifier.report import VERIFIED
from verifier.sources.database import Database as Source
from verifier.walk import Wish, verify

BATCHES = {1: None, 10: None, 100: 1.5, 500: None}  # entries → the aim
ROUNDS = 25  # of each batch, floor and value in turn
ONE_BY_ONE = 200
ENTRIES = 20_000  # in the log that is verified
VERIFICATIONS = 5
MILLION = 1_000_000
PROOFS = 400

_DURABLE = ("ALTER SYSTEM SET fsync = on", "ALTER SYSTEM SET synchronous_commit = on", "SELECT pg_reload_conf()")


def measure() -> Result:
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as directory, Postgres() as server:
        for statement in _DURABLE:
            server.execute(statement)
        place = Path(directory)
        make_key(place / "audit.pem")
        for engine, urls in (("SQLite", _files(place)), ("PostgreSQL", _databases(server))):
            figures += asyncio.run(_engine(engine, urls, place / "audit.pem"))
    return Result("audit", tuple(figures))


def _files(place: Path) -> Iterator[str]:
    return (f"sqlite:///{place}/{n}.db" for n in range(9))


def _databases(server: Postgres) -> Iterator[str]:
    for n in range(9):
        server.execute(f"CREATE DATABASE bench_{n}")
        yield server.url(f"bench_{n}")


async def _engine(engine: str, urls: Iterator[str], pem: Path) -> list[Figure]:
    signer = FileSigner(ORIGIN, pem)
    with _open(next(urls)) as store:
        figures = [_append(engine, store, queries(batch), aim) for batch, aim in BATCHES.items()]
        figures.append(_append(engine, store, queries(100, text=""), 1.5))
        figures += await _one_by_one(engine, store, signer)
    url = next(urls)
    with _open(url) as store:
        await _live(store, signer)
        figures += await asyncio.to_thread(_verify, engine, store, url, await _key(signer))
    with _open(next(urls)) as store:
        figures += await _prove(engine, store)
    return figures


@contextmanager
def _open(url: str) -> Iterator[SqlStore]:
    store = open_store(url, SystemClock(), LEDGER)
    try:
        yield store
    finally:
        store.close()


async def _key(signer: FileSigner) -> Key:
    return Key.parse(str(VerifierKey(ORIGIN, await signer.public_key())))


@dataclass
class _Race:
    """Milliseconds of the value and of its floor, measured in turn."""

    value: list[float] = field(default_factory=list)
    floor: list[float] = field(default_factory=list)

    def figure(self, name: str, unit: str, scale: float, aim: float | None) -> Figure:
        return Figure(name, median(self.value) * scale, unit, median(self.floor) * scale, aim)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


async def _awaited(work: Awaitable[Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = await work
    return (time.perf_counter() - began) * 1000, result


def _append(engine: str, store: SqlStore, events: Sequence[Event], aim: float | None) -> Figure:
    transact, race, batch = store.log.database.transact, _Race(), len(events)

    def append() -> object:
        return transact(lambda tx: LEDGER.append(tx, events, START))

    append()
    bare = transact(lambda tx: Bare.like_the_last(tx, batch), write=False)
    for _ in range(ROUNDS):
        bare.renew()
        race.floor.append(_timed(lambda: transact(bare.write)))
        race.value.append(_timed(append))
    kind = "append" if bare.payloads else "without private texts, append"
    return race.figure(f"{engine}: {kind} {batch} at once, each", "µs", 1000 / batch, aim)


async def _one_by_one(engine: str, store: SqlStore, signer: FileSigner) -> list[Figure]:
    """As one gate event goes: written by the store, then covered by a checkpoint."""
    log, (event,) = store.log, queries(1)
    notary = Notary(log, Signing(log, signer, SystemClock()), SystemClock(), _nothing)
    await notary.cover(0)
    written, covered = _Race(), _Race()
    bare = log.database.transact(lambda tx: Bare.like_the_last(tx, 1), write=False)
    bare.payloads.clear()
    for _ in range(ONE_BY_ONE):
        bare.renew()
        floor, _ = await _awaited(log.database.write(bare.write))
        value, (seq,) = await _awaited(log.database.write(lambda tx: LEDGER.append(tx, (event,), START)))
        cover, _ = await _awaited(notary.cover(seq))
        for race, taken in ((written, value), (covered, cover)):
            race.floor.append(floor)
            race.value.append(taken)
    return [
        written.figure(f"{engine}: acknowledgement, one producer", "ms", 1, 2.5),
        covered.figure(f"{engine}: checkpoint that covers it", "ms", 1, None),
    ]


async def _nothing() -> None:
    """No heartbeat."""


async def _live(store: SqlStore, signer: FileSigner) -> None:
    store.log.database.transact(keep_policy)
    for events in story(ENTRIES):
        store.log.database.transact(partial(LEDGER.append, events=events, now=START))
    await Signing(store.log, signer, SystemClock()).catch_up()


def _verify(engine: str, store: SqlStore, url: str, key: Key) -> list[Figure]:
    """`--quick` does what the floor does, and the tree; otherwise each entry is also read and put in its place."""
    races = {True: _Race(), False: _Race()}
    for _ in range(VERIFICATIONS):
        floor = _timed(lambda: _read_and_hash(store))
        for quick, race in races.items():
            race.floor.append(floor)
            race.value.append(_verified(url, Wish(keys=(key,), quick=quick)))
    scale = 1000 / ENTRIES
    return [
        races[True].figure(f"{engine}: verify --quick, each entry", "µs", scale, 1.5),
        races[False].figure(f"{engine}: verify, each entry", "µs", scale, 1.5),
    ]


def _verified(url: str, wish: Wish) -> float:
    """Milliseconds."""
    source = Source(url, quick=wish.quick)
    began = time.perf_counter()
    report = verify(source, wish)
    taken = (time.perf_counter() - began) * 1000
    source.close()
    assert report.exit == VERIFIED, report.as_text(colour=False)
    return taken


def _read_and_hash(store: SqlStore) -> None:
    with store.log.database.engine.connect() as connection:
        cursor = connection.connection.cursor()
        cursor.execute("SELECT body FROM ledger_entry ORDER BY seq")
        while rows := cursor.fetchmany(256):
            for row in rows:
                sha256(row[0]).digest()
        cursor.close()


async def _prove(engine: str, store: SqlStore) -> list[Figure]:
    log, chance = store.log, Random(7)
    await asyncio.to_thread(log.database.transact, lambda tx: make_tree(tx, MILLION))
    proof = [(await _awaited(log.inclusion(chance.randrange(MILLION), MILLION)))[0] for _ in range(PROOFS)]
    return [Figure(f"{engine}: inclusion proof at a million entries, p95", percentile(proof, 95), "ms", None, 1.5)]
