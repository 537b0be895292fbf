"""Whatever honest life writes, in whatever order, the stand-alone verifier accepts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.access.afterwards.test_replay_random import TEXT, Place, Play
from tests.access.evidence.test_looked import Kept
from tests.tickets.desk import Desk
from tests.verifier.conftest import Verify
from tests.verifier.living import Life


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    Place.groups, Place.desk = Kept(), Desk()
    Place.tickets = {"jira": Place.desk}
    made = Place(tmp_path, TEXT)
    yield made
    made.close()


@pytest.mark.parametrize("seed", range(20, 26))
async def test_what_happened_at_random_is_in_order(place: Place, verify: Verify, seed: int) -> None:
    life, play = Life(place), Play(place, seed)
    await life.begin()
    for _ in range(250):
        await play.act()
    await place.tasks.drain(timeout=10)
    await life.sign()
    report = verify("database", place.url, "--key", life.signer.key, "--witness", life.witness.key)
    assert report["failures"] == []
    assert report["exit"] == 0, report
