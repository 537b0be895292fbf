"""`kill -9` of the gateway while several clients write: what the database has, the recordings have too.

`python -m tests.gateways.postgres.killing [TIMES]`, a hundred unless told otherwise.
"""

from __future__ import annotations

import os
import random
import re
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass

import psycopg

from audit.recording.form import Broken
from audit.recording.reader import Recording
from benchmarks.pg_gateway_process import KEY, GatewayProcess
from prodaccess.parts.part import HOST
from prodaccess.parts.postgres import Postgres

CLIENTS = 4
_NUMBER = re.compile(r"/\* (\d+) \*/")


@dataclass(frozen=True)
class Found:
    """Statements that the database carried out, and those of them that no recording has; `torn` recordings."""

    arrived: int
    unrecorded: frozenset[int]
    recorded: int
    torn: int


def kill_once(server: Postgres, number: int) -> Found:
    """At a moment that nobody chose."""
    table = f"killed_{number}"
    server.execute(f"create table {table} (n int)")
    upstream = {"host": HOST, "port": server.port, "user": "postgres", "password": server.password}
    with GatewayProcess(upstream) as gateway:
        clients = [
            threading.Thread(target=_write, args=(gateway.dsn(), table, client * 1_000_000))
            for client in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        _wait_for_some(server, table)
        time.sleep(random.uniform(0, 0.3))
        os.kill(gateway.pid, signal.SIGKILL)
        for client in clients:
            client.join()
        _wait_until_quiet(server)
        recorded, torn = _recorded(gateway)
    arrived = {n for (n,) in server.execute(f"select n from {table}")}
    server.execute(f"drop table {table}")
    return Found(len(arrived), frozenset(arrived - recorded), len(recorded), torn)


def _write(dsn: str, table: str, first: int) -> None:
    """One row after the other, with simple and prepared statements and several at once, until the gateway is gone."""
    with suppress(psycopg.Error), psycopg.connect(dsn, autocommit=True) as db:
        for n in range(first, first + 1_000_000, 4):
            db.execute(f"insert into {table} values ({n}) /* {n} */")
            with db.pipeline():
                for more in range(n + 1, n + 4):
                    db.execute(f"insert into {table} values (%s) /* {more} */", (more,))


def _wait_for_some(server: Postgres, table: str) -> None:
    until = time.monotonic() + 60
    while not server.execute(f"select 1 from {table} limit 1"):
        assert time.monotonic() < until, "nothing came through the gateway"
        time.sleep(0.02)


def _wait_until_quiet(server: Postgres) -> None:
    """The server finishes what it has read, also when nobody is there any more."""
    until = time.monotonic() + 60
    while server.execute(
        "select 1 from pg_stat_activity where query like '%insert into killed%' and pid <> pg_backend_pid()"
    ):
        assert time.monotonic() < until, "the server goes on"
        time.sleep(0.02)


def _recorded(gateway: GatewayProcess) -> tuple[set[int], int]:
    numbers, torn = set[int](), 0
    for file in gateway.recordings.iterdir():
        recording = Recording(file, KEY)
        try:
            for _, record in recording.read():
                if record.kind == "asked" and (found := _NUMBER.search(record.data["text"])):
                    numbers.add(int(found[1]))
            torn += not recording.reading.complete
        except Broken:  # killed before its first line: nothing had been forwarded
            torn += 1
    return numbers, torn


def main() -> int:
    times = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    arrived = recorded = torn = 0
    missing = set[int]()
    with Postgres() as server:
        for number in range(times):
            found = kill_once(server, number)
            arrived, recorded, torn = arrived + found.arrived, recorded + found.recorded, torn + found.torn
            missing |= found.unrecorded
    print(f"{times} kills: {arrived:,} statements arrived, {recorded:,} are recorded, {len(missing)} are missing;")  # noqa: T201
    print(f"{torn:,} recordings have no end, and say so.")  # noqa: T201
    return 1 if missing or not arrived else 0


if __name__ == "__main__":
    sys.exit(main())
