"""A process that signs nothing waits for one that does."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import pytest

from access.errors import Unavailable
from audit.checkpoint import Checkpoint
from notary.watching import PATIENCE, Watching


class Elsewhere:
    """What a server's notary leaves in the database, `after` so many looks."""

    def __init__(self, after: int) -> None:
        self.after = after

    async def checkpoint_covering(self, seq: int) -> Checkpoint | None:
        self.after -= 1
        return Checkpoint(seq + 3, bytes(32), "", datetime(2026, 1, 1, tzinfo=UTC)) if self.after < 0 else None


async def test_it_waits_until_a_server_has_signed() -> None:
    covered = await Watching(Elsewhere(2)).cover(41)  # type: ignore[arg-type]
    assert (covered.seq, covered.size) == (41, 44)
    assert covered.reaches(41)


async def test_without_a_server_nothing_is_given() -> None:
    waiting = asyncio.create_task(Watching(Elsewhere(1 << 30)).cover(41))  # type: ignore[arg-type]
    since = time.monotonic()
    with pytest.raises(Unavailable, match="No server has signed"):
        await waiting
    assert time.monotonic() - since >= PATIENCE
