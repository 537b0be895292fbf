"""Fixtures of the whole suite. The real servers live in `tests.fixtures_parts`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.world import World

if TYPE_CHECKING:
    from prodaccess.parts.postgres import Postgres

pytest_plugins = ["tests.fixtures_parts"]
_names = itertools.count(1)


@pytest.fixture
def fresh_database(postgres: Postgres) -> str:
    """The URL of an empty database on the real PostgreSQL server."""
    name = f"prodaccess_{next(_names)}"
    postgres.execute(f"CREATE DATABASE {name}")
    return postgres.url(name)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A server without faces."""
    made = World(tmp_path)
    yield made
    made.close()
