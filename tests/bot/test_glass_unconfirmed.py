"""A glass is broken by its form alone, also where who may do it is learnt a moment later."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path

import pytest

from access.ports import Looked
from tests.bot.office import AUDIT, Office
from tests.breaking import POLICY_WITH_SRE, with_glass
from tests.groups import Groups


class Late(Groups):
    """Knows of nobody until it is asked anew."""

    async def members(self, group_ids: Iterable[str], *, fresh: bool = False) -> Mapping[str, Looked]:
        assert self.clock is not None
        found = frozenset({"U0LINUS"}) if fresh else frozenset[str]()
        return dict.fromkeys(group_ids, Looked(found, self.clock.now()))


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    class Place(Office):
        groups = Late()

    async with Place(tmp_path) as made:
        yield made


async def test_a_typed_command_alone_never_breaks_the_glass(office: Office) -> None:
    with_glass(office, POLICY_WITH_SRE)
    linus = office.who("linus")
    await linus.command(AUDIT, "/prodaccess break-glass orders-db/write 10m because nobody answers")
    await office.settled()
    assert await office.store.grant(1) is None
