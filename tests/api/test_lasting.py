"""A recording that is read out while its reader loses the right to it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from access.errors import NotFound
from api.lasting import while_allowed

LINE = b'[1, "o", {}]' + b" " * 40_000 + b"\n"


class Reader:
    """Who may read for so many questions."""

    def __init__(self, often: int) -> None:
        self.often, self.read = often, 0

    async def still(self) -> None:
        self.often -= 1
        if self.often < 0:
            raise NotFound("There is no such session that you may see.")

    def lines(self) -> Iterator[bytes]:
        for _ in range(100):
            self.read += 1
            yield LINE


@pytest.mark.parametrize(
    ("form", "last"),
    [
        ("records", json.dumps({"broken": "There is no such session that you may see."}).encode() + b"\n"),
        ("asciicast", b"# There is no such session that you may see.\n"),
    ],
)
async def test_it_ends_in_the_midst_and_says_why(form: str, last: bytes) -> None:
    reader = Reader(3)
    pieces = [piece async for piece in while_allowed(reader.lines(), reader.still, form, every=0)]
    assert pieces == [LINE * 2] * 3 + [last]
    assert reader.read == 8


async def test_all_of_it_comes_to_who_may_read_on() -> None:
    reader = Reader(1000)
    pieces = [piece async for piece in while_allowed(reader.lines(), reader.still, "records", every=0)]
    assert b"".join(pieces) == LINE * 100
