"""How late grants end when many end at once, among 100,000 that are active.

Lateness is that of the finished call to the provider, from the deadline on. The provider takes 5 ms for each; then the
same with a database that stands still; then a real OpenBao with a real PostgreSQL behind it, where the floor is
the same number of bare synchronous revocations with hvac, as many at a time, in the same run. Each is measured several
times but the second, and the median is shown. A part of it:
`python -m benchmarks.revoke --engine sqlite --without-vault`.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from benchmarks import revoke_memory
from benchmarks.figures import Figure, Result, median, percentile
from benchmarks.revoke_load import LEDGER, Revoker, Slow, a_grant, load
from benchmarks.revoke_real import really
from prodaccess.clock import SystemClock
from prodaccess.memory import settle_memory
from prodaccess.parts.postgres import Postgres
from store import SqlStore, open_store

ACTIVE = 100_000
AIMS = {1_000: 300, 10_000: 1_000}  # milliseconds, p99
ROUNDS = 3
ENOUGH = 90.0  # seconds with one engine, after which nothing is measured once more
SOON = timedelta(seconds=6)


def measure(engines: tuple[str, ...] = ("sqlite", "postgresql"), *, vault: bool = True) -> Result:
    figures = [figure for engine in engines for figure in _on(engine)]
    return Result("revoke", (*figures, *(asyncio.run(really()) if vault else ())))


# 5 ms each


def _on(engine: str) -> list[Figure]:
    with _database(engine) as (url, server):
        clock = SystemClock()
        store = open_store(url, clock, LEDGER)
        try:
            now, later, until = clock.now(), clock.now() + timedelta(hours=1), time.monotonic() + ENOUGH
            load(store.log.database, [a_grant(number, now, later) for number in range(1, ACTIVE + 1)])
            figures = [figure for count in AIMS for figure in _of(store, clock, (engine, count), until)]
            return figures + (list(revoke_memory.figures(server, store, clock)) if server is not None else [])
        finally:
            store.close()


def _of(store: SqlStore, clock: SystemClock, what: tuple[str, int], until: float) -> list[Figure]:
    engine, count = what
    rounds = [asyncio.run(_ended(store, clock, count))]
    while len(rounds) < ROUNDS and time.monotonic() < until:
        rounds.append(asyncio.run(_ended(store, clock, count)))
    first, p50, p99, last, cpu = (1000 * median(values) for values in zip(*rounds, strict=True))
    worst = 1000 * max(values[2] for values in rounds)
    name = f"{engine} · {count:,} at once"
    return [
        Figure(f"{name}, first", first, "ms"),
        Figure(f"{name}, p50", p50, "ms"),
        Figure(f"{name}, p99", p99, "ms", None, AIMS[count]),
        Figure(f"{name}, last", last, "ms"),
        Figure(f"{name}, p99 of the worst round", worst, "ms"),
        Figure(f"{name}, processor", cpu, "ms"),
    ]


async def _ended(store: SqlStore, clock: SystemClock, count: int) -> tuple[float, ...]:
    """Lateness of the first, the middle, the last but one in a hundred and the last; and processor time. Seconds."""
    start = 1 + sum((await store.grants_by_state()).values())
    settle_memory()
    now = clock.now()
    provider, deadline = Slow(clock), now + SOON
    load(store.log.database, [a_grant(start + n, now, deadline) for n in range(count)])
    cpu = time.process_time()
    await Revoker(store, clock, {"fake": provider}, lambda: len(provider.done)).run_until_ended(count, 60)
    cpu = time.process_time() - cpu
    late = [(at - deadline).total_seconds() for at in provider.done.values()]
    return min(late), percentile(late, 50), percentile(late, 99), max(late), cpu


@contextmanager
def _database(engine: str) -> Iterator[tuple[str, Postgres | None]]:
    with tempfile.TemporaryDirectory(prefix="prodaccess-revoke-") as directory:
        if engine == "sqlite":
            yield f"sqlite:///{Path(directory)}/revoke.db", None
        else:
            with Postgres() as server:
                yield server.url(), server


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.revoke", description=__doc__)
    parser.add_argument("--engine", choices=("sqlite", "postgresql"), action="append")
    parser.add_argument("--without-vault", action="store_true")
    options = parser.parse_args()
    print(measure(tuple(options.engine or ("sqlite", "postgresql")), vault=not options.without_vault).as_table())


if __name__ == "__main__":
    main()
