"""The witness of a process that signs nothing: it waits until a server's notary has."""

from __future__ import annotations

import asyncio
import time

from access.errors import Unavailable
from access.gate import Covered
from notary.ports import Records

PATIENCE = 2.8  # seconds; a notary signs each second, and whoever waits for us does so a little longer
_LOOK = 0.05


class Watching:
    """`access.ports.Witness` over the checkpoints that stand in the database."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def cover(self, seq: int) -> Covered:
        """Raises Unavailable."""
        until = time.monotonic() + PATIENCE
        while (found := await self._records.checkpoint_covering(seq)) is None:
            if time.monotonic() >= until:
                raise Unavailable("No server has signed the audit log in time. Does one run?")
            await asyncio.sleep(_LOOK)
        return Covered(seq=seq, size=found.size)
