"""Fixtures of the whole suite. The real servers live in `tests.fixtures_parts`."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateways.postgres.loop import CARRIES, CarryingLoop
from tests.prepared import migrate_all
from tests.world import World

if TYPE_CHECKING:
    from prodaccess.parts.postgres import Postgres

pytest_plugins = ["tests.fixtures_parts"]
_names = itertools.count(1)
_LONG = ("prodaccess", "browser", "proving", "slack_simulator", "providers", "notary", "store")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Rooms whose tests wait for whole processes come first, so that no worker is left alone with one at the end."""
    here = Path(__file__).parent
    items.sort(key=lambda item: not any(part in _LONG for part in item.path.relative_to(here).parts))


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The one that servers run on."""
    return {"asyncio": CarryingLoop if CARRIES else asyncio.SelectorEventLoop}


@pytest.fixture(scope="session")
def migrated_database(postgres: Postgres) -> str:
    """One whose tables are there, for the others to be copies of it."""
    name = "prodaccess_migrated"
    postgres.execute(f"CREATE DATABASE {name}")
    migrate_all(postgres.url(name))
    return name


@pytest.fixture
def fresh_database(postgres: Postgres, migrated_database: str) -> str:
    """The URL of a database on the real PostgreSQL server, with nothing in its tables."""
    name = f"prodaccess_{next(_names)}"
    postgres.execute(f"CREATE DATABASE {name} TEMPLATE {migrated_database}")
    return postgres.url(name)


@pytest.fixture
def empty_database(postgres: Postgres) -> str:
    """The same, without tables."""
    name = f"prodaccess_{next(_names)}"
    postgres.execute(f"CREATE DATABASE {name}")
    return postgres.url(name)


@pytest.fixture
def memory() -> Iterator[Path]:
    """A directory that lives in memory."""
    made = Path(tempfile.mkdtemp(prefix="prodaccess-test-", dir="/dev/shm"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """A server without faces."""
    made = World(tmp_path)
    yield made
    made.close()
