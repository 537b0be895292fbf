"""Every attack on the stored log is noticed, and by whom it must be: by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.audit.proving.engines import Engine, Postgresql, Sqlite
from tests.audit.proving.matrix import ROWS, Noticed, run


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Engine:
    if request.param == "sqlite":
        return Sqlite(tmp_path)
    return Postgresql(request.getfixturevalue("postgres"))


async def test_every_attack_is_noticed(engine: Engine, tmp_path: Path) -> None:
    matrix = await run(engine, tmp_path)
    print(f"\n{matrix.as_table()}")  # noqa: T201 (pytest -s shows it)
    assert {row.name: noticed for row, noticed in matrix.rows} == {row.name: row.expected for row, _ in matrix.rows}
    assert all(row.expected != Noticed() for row in ROWS)
