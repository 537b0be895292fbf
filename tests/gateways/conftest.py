"""The gateway that most tests of sessions are about."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from prodaccess.parts.postgres import Postgres
from tests.gateways.held import HOLDING, Client, holding
from tests.gateways.scene import POLICY, Scene, standing


@pytest.fixture
async def scene(tmp_path: Path, postgres: Postgres) -> AsyncIterator[Scene]:
    """One for PostgreSQL, with a policy that holds nothing."""
    async with standing(POLICY, postgres, tmp_path) as made:
        yield made


@pytest.fixture
async def client(tmp_path: Path, postgres: Postgres) -> AsyncIterator[Client]:
    """Of one under a policy that has statements wait."""
    async with standing(HOLDING, postgres, tmp_path) as made, holding(made) as found:
        yield found
