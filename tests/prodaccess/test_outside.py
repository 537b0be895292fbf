"""A process that knows nobody yet gives nothing; what it learns counts from then on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

import pytest

from access.errors import Unavailable
from access.gate import Covered
from access.ports import Looked, NotLooked, Witness
from prodaccess.outside import Outside
from tests.people import LINUS, Directory, ManualClock


class Members:
    async def members(self, group_ids: Iterable[str], *, fresh: bool = False) -> Mapping[str, Looked | NotLooked]:
        assert fresh
        return {group: Looked(frozenset({"U0LINUS"}), ManualClock().now()) for group in group_ids}


class Signs:
    async def cover(self, seq: int) -> Covered:
        return cast("Covered", seq)


async def test_it_knows_nobody_and_signs_nothing() -> None:
    outside = Outside(ManualClock())
    with pytest.raises(Unavailable, match="does not ask who linus is"):
        await outside.check(LINUS)
    with pytest.raises(Unavailable, match="signs nothing"):
        await outside.cover(7)
    found = await outside.members(["slack:S1"], fresh=True)
    assert isinstance(found["slack:S1"], NotLooked)


async def test_it_asks_those_who_have_come() -> None:
    outside, directory = Outside(ManualClock()), Directory()
    outside.know(directory, cast("Witness", Signs()), Members(), {})
    assert await outside.check(LINUS) == await directory.check(LINUS)
    assert await outside.cover(7) == cast("Covered", 7)
    found = await outside.members(["slack:S1"], fresh=True)
    assert isinstance(found["slack:S1"], Looked)
