"""Fixtures: a workspace being served, and a bot connected to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from slack_simulator import Simulator
from tests.slack_simulator.town import Gatekeeper, connected, workspace


@pytest.fixture
async def sim() -> AsyncIterator[Simulator]:
    async with Simulator(workspace(), ack_seconds=1.0) as serving:
        yield serving


@pytest.fixture
async def bot(sim: Simulator) -> AsyncIterator[Gatekeeper]:
    async with connected(sim) as connected_bot:
        yield connected_bot
