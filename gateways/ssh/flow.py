"""Who cannot take more slows the other down: when a program's two channels are read, and when they are not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateways.ssh.line import Channel


class Flow:
    """`source` gives the channel that is read for the `client` or the `host`; None while there is nothing to read."""

    def __init__(self, source: Callable[[str], Channel | None]) -> None:
        self._source = source
        self.full = {"client": set[str](), "host": set[str]()}

    def room(self, end: str, why: str, *, room: bool) -> None:
        """Whether that end can take more; `why` not: itself, the connection, the log, an approval."""
        full = self.full[end]
        (full.discard if room else full.add)(why)
        if not full:  # not at once: what has waited would be passed on from in here, fill that end and empty it again
            asyncio.get_running_loop().call_soon(self._read_on, end)
        elif (source := self._source(end)) is not None:
            source.pause_reading()

    def begin(self) -> None:
        """There is something to read from now on, for ends that may have been full before."""
        for end, full in self.full.items():
            if full and (source := self._source(end)) is not None:
                source.pause_reading()

    def _read_on(self, end: str) -> None:
        if not self.full[end] and (source := self._source(end)) is not None:
            source.resume_reading()
