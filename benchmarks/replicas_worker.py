"""One of several processes that end grants: `python -m benchmarks.replicas_worker URL FILE`.

Each finished call is one line of the file, `NUMBER TIME`, written at once: it outlives the process.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time

from access.model import Grant
from access.ports import Gone, NotYet
from benchmarks.revoke_load import LEDGER
from prodaccess.clock import SystemClock
from prodaccess.logs import set_up_logs
from prodaccess.memory import settle_memory
from prodaccess.policies.file import FixedPolicy, parse_policy
from prodaccess.revoking.process import make_revoker
from providers.memory import MemoryProvider
from store import open_store

CALL = 0.005  # seconds
_POLICY = "version: 1\npeople: {linus: U0LINUS}\nadmins: [linus]\ntargets: {}\n"


class Slow(MemoryProvider):
    """Takes its time for each call."""

    def __init__(self, clock: SystemClock, file: str) -> None:
        super().__init__(clock, "fake")
        self._file = os.open(file, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    async def revoke(self, grant: Grant) -> Gone | NotYet:
        await asyncio.sleep(CALL)
        os.write(self._file, f"{grant.number} {time.time():.6f}\n".encode())
        return Gone(("The make-believe target has removed it.",), tried=True)


async def serve(url: str, file: str) -> None:
    clock = SystemClock()
    store = open_store(url, clock, LEDGER)
    revoker = make_revoker(store, clock, {"fake": Slow(clock, file)}, FixedPolicy(parse_policy(_POLICY)))
    settle_memory()
    await revoker.run(asyncio.Event())


if __name__ == "__main__":
    set_up_logs("info")
    asyncio.run(serve(*sys.argv[1:]))
