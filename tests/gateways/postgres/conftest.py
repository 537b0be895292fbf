"""The gateway in front of the real server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from prodaccess.parts.postgres import Postgres
from tests.gateways.postgres.open_door import Way, open_way


@pytest.fixture
async def way(postgres: Postgres) -> AsyncIterator[Way]:
    """Plain; its door is open."""
    async with open_way(postgres) as made:
        yield made
