"""One process at a time at what several share; but a database that says nothing keeps nobody's access alive."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest

from access.model import Grant
from access.ports import Gone, NotYet
from benchmarks.revoke_load import a_grant
from prodaccess.serial import Serial
from providers.memory import MemoryProvider
from store.claims import Alone
from tests.people import ManualClock

CLOCK = ManualClock()
GRANT = a_grant(1, CLOCK.now(), CLOCK.now())


class Document(MemoryProvider):
    async def revoke(self, grant: Grant) -> Gone | NotYet:
        return Gone((f"{grant.ref} is gone.",))


class Frozen:
    """A database that takes a question and says nothing until it thaws."""

    def __init__(self) -> None:
        self.thawed, self.asked, self.closed = threading.Event(), 0, 0

    def take(self, name: str) -> Any:
        assert name == "aws"
        self.asked += 1
        self.thawed.wait(60)
        return self

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def frozen() -> Iterator[Frozen]:
    made = Frozen()
    yield made
    made.thawed.set()


async def test_nor_is_it_waited_for_once_it_is_known_to_be_silent(frozen: Frozen) -> None:
    known: list[bool] = []
    serial = Serial(Document(CLOCK, "aws"), cast("Alone", frozen), patience=1e9, is_silent=lambda: bool(known))
    ending = asyncio.ensure_future(serial.revoke(GRANT))
    await asyncio.sleep(0.01)
    known.append(True)  # while it waits
    async with asyncio.timeout(30):
        answers = [await ending, await serial.revoke(GRANT)]
    assert answers == [Gone(("PA-1 is gone.",))] * 2
    assert frozen.asked == 1


async def test_a_silent_database_holds_up_no_end(frozen: Frozen) -> None:
    serial = Serial(Document(CLOCK, "aws"), cast("Alone", frozen), patience=0.05)
    async with asyncio.timeout(30):
        answers = [await serial.revoke(GRANT) for _ in range(3)]
    assert answers == [Gone(("PA-1 is gone.",))] * 3
    assert frozen.asked == 1  # nor are threads spent on asking it again and again
    frozen.thawed.set()
    async with asyncio.timeout(30):
        while not frozen.closed:  # noqa: ASYNC110 (in a thread)
            await asyncio.sleep(0.01)
    await serial.revoke(GRANT)
    assert (frozen.asked, frozen.closed) == (2, 2)
