"""A server that is killed again and again, or whose disk fails, loses no credential: as `make prove-…`, but short."""

from __future__ import annotations

import errno
import random
import shutil
from pathlib import Path

import pytest

from tests.proving.disk import ALL, Failing, fail
from tests.proving.kill import kill_loop

KILLS = 3


@pytest.mark.timeout(300)
def test_nothing_is_lost_whenever_it_is_killed(tmp_path: Path) -> None:
    found = kill_loop(tmp_path, KILLS, random.Random(7))
    assert found.holds, found.as_table()


@pytest.mark.timeout(300)
@pytest.mark.skipif(not shutil.which("gcc"), reason="a disk that fails is made with a C compiler")
def test_nothing_is_lost_while_nothing_can_be_written(tmp_path: Path) -> None:
    there = fail(tmp_path, Failing(errno.ENOSPC, 1, ALL))
    assert there.holds, there.as_table()
