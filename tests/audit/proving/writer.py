"""Processes that append to one log: `python -m tests.audit.proving.writer URL PROCESSES APPENDS`.

Each commits one entry at a time and then says so, on a line `SEQ VERSION`; 0 APPENDS goes on until it is killed.
What cannot be written is said as `no SENTENCE` and tried again.
"""

from __future__ import annotations

import itertools
import os
import sys
import time
from datetime import UTC, datetime

from access.errors import AccessError
from access.events import ServerStarted
from store.log import SqlLog, open_log
from tests.people import LEDGER

_PAUSE = 0.05  # seconds


def main(url: str, processes: int, appends: int) -> int:
    """Forks, so that what takes long to import is imported once."""
    children = []
    for writer in range(processes):
        child = os.fork()
        if child == 0:
            _write(url, writer, appends)
            os._exit(0)
        children.append(child)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


def _write(url: str, writer: int, appends: int) -> None:
    log = open_log(url, LEDGER)
    for i in range(appends) if appends else itertools.count():
        version = f"{os.getpid()}.{i}"
        while (line := _append(log, writer, version)).startswith("no "):
            os.write(1, f"{line}\n".encode())
            time.sleep(_PAUSE)
        os.write(1, f"{line}\n".encode())  # in one piece: shorter than a pipe's buffer
    log.close()


def _append(log: SqlLog, writer: int, version: str) -> str:
    now = datetime.now(UTC)
    event = ServerStarted(at=now, ref=f"PA-{writer % 3}", version=version)
    try:
        (seq,) = log.database.transact(lambda tx: log.ledger.append(tx, (event,), now))
    except AccessError as error:
        return f"no {error}"
    return f"{seq} {version}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
