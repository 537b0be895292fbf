"""Ends that stand still: they are connected to, and say nothing any more."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from prodaccess.parts.postgres import Postgres

_LISTEN = """
import socket, time
with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
    print(listening.getsockname()[1], flush=True)
    time.sleep(600)
"""


@contextmanager
def a_stopped_server() -> Iterator[int]:
    """Its port. The kernel goes on accepting connections for it, as it does for any process that hangs."""
    process = subprocess.Popen([sys.executable, "-c", _LISTEN], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline())
        process.send_signal(signal.SIGSTOP)
        yield port
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class Pause:
    """Stops a PostgreSQL cluster, every process of it, and lets it go on."""

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self._stopped: Sequence[int] = ()

    def stop(self) -> None:
        postmaster = int((self.server.directory / "data" / "postmaster.pid").read_text().split()[0])
        others = [row[0] for row in self.server.execute("SELECT pid FROM pg_stat_activity")]
        self._stopped = [pid for pid in (postmaster, *others) if _signal(pid, signal.SIGSTOP)]

    def go_on(self) -> None:
        for pid in self._stopped:
            _signal(pid, signal.SIGCONT)
        self._stopped = ()


def _signal(pid: int, what: signal.Signals) -> bool:
    try:
        os.kill(pid, what)
    except ProcessLookupError:  # the session that asked
        return False
    return True
