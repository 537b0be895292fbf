"""A relay in which statements wait, between two ends that are written to and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from struct import pack
from typing import Any, cast

import pytest

from gateways.holding import Answer, Wish
from gateways.postgres import messages as m
from gateways.postgres.acts import Act, Answered, Asked
from gateways.postgres.frames import NotTheProtocol
from gateways.postgres.holding import HoldingRelay
from gateways.postgres.pieces import MOST_WHOLE, Pieces
from gateways.postgres.side import Side

NO = Answer(allowed=False, why="ada has refused PA-7-1.1.")


class End:
    """What a relay writes to, and what it is called back by."""

    def __init__(self) -> None:
        self.written, self.lost, self.transport, self.reads = b"", False, self, True

    def pass_on(self, sink: Callable[[bytes], None], *_: object) -> None:
        self.feed = sink

    def write(self, data: bytes) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True

    def close(self) -> None: ...

    hang_up = drop = close


@dataclass
class Gated:
    """`gateways.postgres.holding.Gate` and a tape; every wish is answered by `says`."""

    says: Answer = NO
    hold: frozenset[str] = frozenset({"write-without-where"})
    wishes: list[Wish] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)

    def shown(self, text: str, values: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
        return text, values

    async def ask(self, wish: Wish, tell: Callable[[str], None], _gone: asyncio.Future[Answer]) -> Answer:
        self.wishes.append(wish)
        tell("it waits")
        return self.says

    def asked(self, acts: Sequence[Act]) -> None:
        self.acts += acts

    answered = asked


@dataclass
class Ends:
    client: Any
    server: Any
    gate: Gated

    @classmethod
    def of(cls, gate: Gated) -> Ends:
        client, server = End(), End()
        sides = (cast("Side", client), cast("Side", server))
        HoldingRelay(sides, gate, lambda _: None, gate).start()
        return cls(client, server, gate)

    async def says(self, *messages: bytes) -> bytes:
        """What of it reaches the database now."""
        before = len(self.server.written)
        self.client.feed(b"".join(messages))
        await asyncio.sleep(0.01)
        return bytes(self.server.written[before:])

    async def hears(self, *messages: bytes) -> bytes:
        before = len(self.client.written)
        self.server.feed(b"".join(messages))
        await asyncio.sleep(0.01)
        return bytes(self.client.written[before:])


def parse(text: str, name: str = "") -> bytes:
    return m.message(m.PARSE, f"{name}\0{text}\0".encode() + pack(">H", 0))


def bind(name: str = "") -> bytes:
    return m.message(m.BIND, f"\0{name}\0".encode() + pack(">HHH", 0, 0, 0))


EXECUTE, SYNC = m.message(m.EXECUTE, b"\0" + pack(">I", 0)), m.message(m.SYNC)
PARSED, READY = m.message(m.PARSED), m.message(m.READY, b"I")
REFUSED = m.error("26000", "prepared statement does not exist", severity="ERROR")


async def test_what_follows_a_refused_statement_passes_once_the_database_has_refused_it_too() -> None:
    """Until then it is not certain that the rest of its batch is skipped: a COPY could swallow what was put in."""
    ends = Ends.of(Gated())
    sent = await ends.says(parse("delete from t"), bind(), EXECUTE, SYNC)
    assert sent.startswith(parse("delete from t") + b"B")
    assert EXECUTE not in sent
    assert SYNC not in sent
    heard = await ends.hears(PARSED, REFUSED)
    assert heard == PARSED + m.error("42501", NO.why, severity="ERROR")
    assert ends.server.written.endswith(EXECUTE + SYNC)
    assert await ends.hears(READY) == READY
    assert len(ends.gate.wishes) == 1
    told = [act for act in ends.gate.acts if isinstance(act, Asked | Answered)]
    assert told == [Asked(1, "delete from t", size=13), Answered(1, code="42501", message=NO.why)]


async def test_a_refusal_cannot_be_made_to_run_something() -> None:
    """Whoever knew the name under which it is sent could prepare a statement of that name."""
    sent = set()
    for _ in range(3):
        ends = Ends.of(Gated())
        sent.add((await ends.says(parse("delete from t"), bind()))[len(parse("delete from t")) :])
        ends.client.feed(m.message(m.TERMINATE))
    assert len(sent) == 3
    assert all(len(each) > 32 and bind() not in each for each in sent)
    simple = await Ends.of(Gated()).says(m.message(m.QUERY, b"delete from t\0"))
    assert b"delete" not in simple
    assert simple[:1] == b"Q"


async def test_what_is_let_passes_as_it_came() -> None:
    ends = Ends.of(Gated(says=Answer(allowed=True)))
    messages = (parse("delete from t", "d"), bind("d"), EXECUTE, SYNC)
    assert await ends.says(*messages) == b"".join(messages)
    assert [wish.text for wish in ends.gate.wishes] == ["delete from t"]  # for its Bind, and not again for its Execute
    assert await ends.says(bind("d"), EXECUTE, SYNC) == bind("d") + EXECUTE + SYNC
    assert len(ends.gate.wishes) == 2


@pytest.mark.parametrize("size", [1, 3, 7, 100])
async def test_bytes_of_what_need_not_wait_are_the_same_however_they_come(size: int) -> None:
    ends = Ends.of(Gated())
    said = parse("select 1") + bind() + EXECUTE + SYNC + m.message(m.COPY_DATA, b"x" * 50) + m.message(m.SYNC)
    heard = PARSED + m.message(m.BOUND) + m.message(m.ROW, b"y" * 40) + m.message(m.COMPLETE, b"SELECT 1\0") + READY
    for at in range(0, len(said), size):
        ends.client.feed(said[at : at + size])
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    assert ends.server.written == said
    for at in range(0, len(heard), size):
        ends.server.feed(heard[at : at + size])
    assert ends.client.written == heard
    assert ends.gate.wishes == []


async def test_a_long_message_is_read_to_its_end() -> None:
    """Although no more is read, for now, than a little behind what waits."""
    ends = Ends.of(Gated())
    long = parse("select '" + "x" * 600_000 + "'")
    for at in range(0, len(long), 65536):
        ends.client.feed(long[at : at + 65536])
    for _ in range(1000):
        if ends.server.written == long and ends.client.reads:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it was not read to its end")


@pytest.mark.parametrize(
    "head", [b"Q\0\0\0\1", b"Q\xff\xff\xff\xff", b"d\0\0\0\0", pack(">BI", ord("P"), MOST_WHOLE + 1)]
)
def test_what_cannot_be_a_message_ends_it(head: bytes) -> None:
    pieces = Pieces(frozenset(b"QP"))
    pieces.feed(head)
    with pytest.raises(NotTheProtocol):
        pieces.next()
