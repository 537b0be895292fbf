"""The bot's own fixtures."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bot.office import Office


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    """The bot, running in its local Slack."""
    async with Office(tmp_path) as made:
        yield made
