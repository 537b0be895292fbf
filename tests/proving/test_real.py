"""Real credentials at a real target, tried by logging in: as `make prove-kill-real` and `prove-faults`, but short."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from prodaccess.parts.openbao import OpenBao
from prodaccess.parts.postgres import Postgres
from prodaccess.parts.production_db import ProductionDb
from tests.fixtures_parts import VaultFixture
from tests.proving.faults import HEAD, as_table, cells, one_by_one, short
from tests.proving.ground import Ground
from tests.proving.kill_real import kill_loop

KILLS = 2


@pytest.fixture
def ground(openbao: OpenBao, postgres: Postgres, production_db: ProductionDb, vault: VaultFixture) -> Ground:
    return Ground(openbao, postgres, production_db, vault.access, postgres)


@pytest.mark.timeout(300)
def test_killed_at_any_moment_nothing_usable_is_left(ground: Ground, fresh_database: str, tmp_path: Path) -> None:
    database = fresh_database.rpartition("/")[2]
    found = kill_loop(tmp_path, ground, (database, KILLS, random.Random(3)))
    assert found.holds, found.as_table()


@pytest.mark.timeout(300)
async def test_what_is_promised_while_something_is_away(ground: Ground) -> None:
    found = await one_by_one(ground, short())
    wrong = [row.faults(seen) for row, seen in found]
    assert not any(wrong), as_table([HEAD, *(cells(row, seen) for row, seen in found)])
