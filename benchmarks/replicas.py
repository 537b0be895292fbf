"""Three processes on one PostgreSQL end 6,000 grants within four seconds, and one of them is killed or frozen."""

from __future__ import annotations

import argparse
import asyncio
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from access.retry import CLAIM
from benchmarks.figures import Figure, Result, percentile
from benchmarks.replicas_thread import tell
from benchmarks.revoke_load import LEDGER, a_grant, load
from prodaccess.clock import SystemClock
from prodaccess.parts.postgres import Postgres
from store import SqlStore, open_store

PROCESSES = 3
FAULT_AFTER = 1.5  # seconds after the first deadline
FAULTS = {"none": None, "kill -9": signal.SIGKILL, "SIGSTOP": signal.SIGSTOP}


@dataclass(frozen=True)
class Load:
    """How many other grants there are, how many end, within how many seconds."""

    others: int = 100_000
    grants: int = 6_000
    within: float = 4.0


@dataclass(frozen=True)
class Ended:
    """When each grant's call was done, after its deadline, and how many calls were made beyond one for each."""

    late: tuple[float, ...]
    repeated: int
    entries: int  # “grant ended” in the log


def measure(others: int = 100_000) -> Result:
    with Postgres() as server:
        return Result("replicas", (*_figures(server.url(), Load(others)), *_thread(server)))


def _thread(server: Postgres) -> Iterator[Figure]:
    for n, fault in enumerate(("none", "kill -9", "SIGSTOP")):
        server.execute(f"CREATE DATABASE thread_{n}")
        told = asyncio.run(tell(server.url(f"thread_{n}"), PROCESSES, fault))  # type: ignore[arg-type]
        yield Figure(f"thread, {fault} · messages", told.messages, "")
        yield Figure(f"thread, {fault} · lost", told.lost, "", None, 0)
        yield Figure(f"thread, {fault} · doubled", told.doubled, "", None, 0)
        yield Figure(f"thread, {fault} · longest gap between two cards", told.longest_gap, "s")


def _figures(url: str, work: Load) -> Iterator[Figure]:
    clock = SystemClock()
    store = open_store(url, clock, LEDGER)
    try:
        now = clock.now()
        load(store.log.database, [a_grant(n, now, now + timedelta(hours=9)) for n in range(1, work.others + 1)])
        first = work.others + 1
        for name, fault in FAULTS.items():
            ended = run(store, url, work, (first, fault))
            first += work.grants
            yield from _table(name, ended, work)
    finally:
        store.close()


def _table(name: str, ended: Ended, work: Load) -> Iterator[Figure]:
    lease = CLAIM.total_seconds()
    aims = {"none": (None, None), "kill -9": (0.5, 1.0), "SIGSTOP": (None, lease)}[name]
    yield Figure(f"{name} · p50", percentile(ended.late, 50), "s")
    yield Figure(f"{name} · p99", percentile(ended.late, 99), "s", None, aims[0])
    yield Figure(f"{name} · last", max(ended.late), "s", None, aims[1])
    yield Figure(f"{name} · later than 1 s", sum(late > 1.0 for late in ended.late), "")
    yield Figure(f"{name} · calls beyond one each", ended.repeated, "")
    yield Figure(f"{name} · ends written down, of {work.grants}", ended.entries, "", work.grants, 1.0)


def run(store: SqlStore, url: str, work: Load, what: tuple[int, signal.Signals | None]) -> Ended:
    """The grants from this number on, with this fault."""
    first, fault = what
    with tempfile.TemporaryDirectory(prefix="prodaccess-replicas-") as directory, _processes(url, directory) as running:
        clock = SystemClock()
        now, start = clock.now(), clock.now() + timedelta(seconds=6)
        due = {first + i: start + timedelta(seconds=work.within * i / work.grants) for i in range(work.grants)}
        load(store.log.database, [a_grant(number, now, at) for number, at in due.items()])
        head = asyncio.run(store.log.head())
        time.sleep(max(0.0, start.timestamp() + FAULT_AFTER - time.time()))
        if fault is not None:
            running[0].send_signal(fault)
        _wait(store, set(due))
        if fault is signal.SIGSTOP:
            running[0].send_signal(signal.SIGCONT)
            time.sleep(3)  # for what it does when it wakes
        done: dict[int, float] = {}
        calls = 0
        for file in Path(directory).glob("*.done"):
            for line in file.read_text().splitlines():
                number, at = line.split()
                calls += 1
                done[int(number)] = min(float(at), done.get(int(number), float("inf")))
        late = tuple(done[number] - at.timestamp() for number, at in due.items())
        return Ended(late, calls - len(due), _ends(store, head))


@contextmanager
def _processes(url: str, directory: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    running: list[subprocess.Popen[bytes]] = []
    try:
        for n in range(PROCESSES):
            command = [sys.executable, "-m", "benchmarks.replicas_worker", url, f"{directory}/{n}.done"]
            with Path(directory, f"{n}.log").open("wb") as said:
                running.append(subprocess.Popen(command, stderr=said))
        for n in range(PROCESSES):
            _until_ready(Path(directory, f"{n}.log"))
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


def _until_ready(said: Path) -> None:
    until = time.monotonic() + 60
    while '"ready"' not in said.read_text():
        if time.monotonic() > until:
            raise AssertionError(f"a process did not start: {said.read_text()[-2000:]}")
        time.sleep(0.02)


def _wait(store: SqlStore, numbers: set[int]) -> None:
    """Until all of them have ended. A look at one index, so that it takes little from what is measured."""
    until, (low, high) = time.monotonic() + 90, (min(numbers), max(numbers))
    query = f"SELECT count(*) FROM access_grant WHERE due_at IS NOT NULL AND number BETWEEN {low} AND {high}"
    while store.log.database.transact(lambda tx: tx.exec_driver_sql(query).scalar_one(), write=False):
        if time.monotonic() > until:
            raise AssertionError("the grants have not ended")
        time.sleep(0.5)


def _ends(store: SqlStore, head: int) -> int:
    query = f"SELECT count(*) FROM ledger_entry WHERE type = 'grant.ended' AND seq > {head}"
    return int(store.log.database.transact(lambda tx: tx.exec_driver_sql(query).scalar_one(), write=False))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replicas", description=__doc__)
    parser.add_argument("--others", type=int, default=100_000, help="active grants beside those that end")
    options = parser.parse_args()
    print(measure(options.others).as_table())


if __name__ == "__main__":
    main()
