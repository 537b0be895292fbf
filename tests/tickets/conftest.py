"""Fixtures: a vendor's API, and a clock that moves when told."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.people import ManualClock
from tests.tickets.far import Far


@pytest.fixture
async def far() -> AsyncIterator[Far]:
    async with Far().serving() as served:
        yield served


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()
