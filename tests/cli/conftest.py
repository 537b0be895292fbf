"""A served world and a machine to reach it from."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.serving import Api, serving
from tests.cli.shell import Shell
from tests.world import World


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    """The API over a fresh world."""
    async with serving(world) as served:
        yield served


@pytest.fixture
def shell(api: Api, tmp_path: Path, memory: Path) -> Shell:
    """A machine that nobody has signed in on."""
    home = tmp_path / "home"
    home.mkdir()
    return Shell(api, home, memory)
