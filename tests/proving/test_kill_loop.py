"""A server that is killed again and again loses no credential: the short version of `make prove-kill`."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.proving.kill import kill_loop

KILLS = 6


@pytest.mark.timeout(300)
def test_nothing_is_lost_whenever_it_is_killed(tmp_path: Path) -> None:
    found = kill_loop(tmp_path, KILLS, random.Random(7))
    assert found.holds, found.as_table()
