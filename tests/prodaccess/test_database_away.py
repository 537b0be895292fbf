"""A real PostgreSQL stops, or stands still, across deadlines."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.prodaccess.away import Leaving, Plan, over_an_outage


@pytest.fixture(scope="module")
def leaving() -> Iterator[Leaving]:
    with Leaving() as server:
        yield server


async def test_grants_end_while_postgresql_is_stopped(leaving: Leaving, tmp_path: Path) -> None:
    away = await over_an_outage(tmp_path, leaving, Plan(expiries=20, seconds=0.5, tolerance=2))
    assert (away.left, away.unwritten, len(away.ended)) == (0, 0, 20)
    assert max(away.late) < away.outage  # none had to wait for the database
    assert away.from_memory > 0
    assert 0 < sum(event.happened_at is not None and event.tried for event in away.ended) <= away.from_memory
    assert not [what for what in away.exceptions if "it says that everything was gone" not in what]
    assert away.verifies


@pytest.mark.skipif(not os.environ.get("SOAK"), reason="the same once more, and longer")
async def test_grants_end_while_postgresql_stands_still(leaving: Leaving, tmp_path: Path) -> None:
    away = await over_an_outage(tmp_path, leaving, Plan(expiries=20, seconds=2, frozen=True))
    assert (away.left, away.unwritten, len(away.ended)) == (0, 0, 20)
    assert away.from_memory > 10
    assert max(away.late) < 2
    assert away.verifies
