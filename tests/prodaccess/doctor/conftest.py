"""A whole installation, in order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from prodaccess.parts.part import free_port
from slack_simulator import Simulator
from tests.prodaccess.doctor.installation import Installation
from tests.prodaccess.test_server import a_workspace


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Installation]:
    async with Simulator(a_workspace(free_port(), "socket")) as slack:
        made = Installation(tmp_path, slack)
        await made.live()
        yield made
