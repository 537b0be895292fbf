"""The served world as a fixture."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.api.serving import Api, serving
from tests.world import World


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    """The API over a fresh world."""
    async with serving(world) as served:
        yield served
