"""Nonsense for the gateway's core: whatever comes from either side, in whatever pieces, is understood alike or refused.

`python -m tests.gateways.postgres.fuzz [SECONDS]`, ten minutes unless told otherwise; every second one of the rounds
goes through a real gateway to a real server, whose own log then says what it ran (tests.gateways.postgres.oracle).
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from struct import pack

from gateways.postgres import frames
from gateways.postgres import messages as m
from gateways.postgres.acts import Act
from gateways.postgres.conversation import Conversation
from gateways.postgres.frames import NotTheProtocol

MOST = 200
_CLIENT = b"QPBEDCHSFXdcfp"
_SERVER = b"123CDEGHINRSTVZAKWnsdct"
_NAMES = (b"", b"s1", b"s2", b"p1", b"\xff")
_TEXTS = (
    b"select 1", b"", b"prepare s1 as select 2", b"deallocate all", b"copy t from stdin", b"do $$ $$", b"\xff\xfe",
    b"x" * (MOST + 50), b"execute s1", b"commit; select 1",
)  # fmt: skip
_TAGS = (b"SELECT 1", b"COPY 3", b"INSERT 0 9", b"", b"DO", b"SELECT 99999999999999999999999", b"COPY \xd9\xa3")

Event = tuple[bool, bytes]  # whether it is the client's, and its bytes


def of_client(dice: random.Random) -> bytes:
    kind = dice.choice(_CLIENT)
    name, text = dice.choice(_NAMES), dice.choice(_TEXTS)
    payload = {
        m.QUERY: text + b"\0", m.PARSE: name + b"\0" + text + b"\0\0\0", m.BIND: name + b"\0" + _bind(dice),
        m.EXECUTE: name + b"\0\0\0\0\0", m.DESCRIBE: b"S" + name + b"\0", m.CLOSE: dice.choice((b"S", b"P")) + name,
        m.COPY_DATA: text, m.CALL: pack(">IHH", dice.randrange(1 << 32), 0, 0),
    }.get(kind, b"")  # fmt: skip
    return m.message(kind, payload)


def _bind(dice: random.Random) -> bytes:
    values = [dice.randbytes(dice.randrange(9)) for _ in range(dice.randrange(3))]
    told = b"".join(pack(">i", len(value)) + value for value in values)
    return dice.choice(_NAMES) + b"\0" + pack(">HHH", 1, dice.randrange(3), len(values)) + told + b"\0\0"


def of_server(dice: random.Random) -> bytes:
    kind = dice.choice(_SERVER)
    payload = {
        m.COMPLETE: dice.choice(_TAGS) + b"\0", m.READY: dice.choice(b"ITE").to_bytes(1), m.COPY_IN: b"\0\0\0",
        m.ERROR: m.error("22012", "no")[5:], m.ROW: dice.randbytes(dice.randrange(60)), m.COLUMNS: b"\0\0",
    }.get(kind, b"")  # fmt: skip
    return m.message(kind, payload) * (dice.randrange(1, 40) if kind == m.ROW else 1)


def mutated(dice: random.Random, data: bytes) -> bytes:
    """Mostly as it is; sometimes with a byte changed, left out or put in, or a length of its own."""
    if dice.random() < 0.9 or not data:
        return data
    spoilt, at = bytearray(data), dice.randrange(len(data))
    match dice.randrange(4):
        case 0:
            spoilt[at] = dice.randrange(256)
        case 1:
            del spoilt[at]
        case 2:
            spoilt.insert(at, dice.randrange(256))
        case _:
            spoilt[1:5] = pack(">I", dice.choice((0, 3, 4, 5, 0x3FFFFFFF, 0x40000004, 0x7FFFFFFF, 0xFFFFFFFF)))
    return bytes(spoilt)


def events(dice: random.Random) -> Iterator[Event]:
    honest = dice.random() < 0.5
    for _ in range(dice.randrange(1, 60)):
        client = dice.random() < 0.5
        made = b"".join((of_client if client else of_server)(dice) for _ in range(dice.randrange(1, 5)))
        yield client, made if honest else mutated(dice, made)


def pieces(dice: random.Random, data: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size = dice.choice((1, 2, 3, 5, 17, len(data)))
        yield data[at : at + size]
        at += size


class Listener:
    """A conversation, what came of it, and whether it was refused; `slow`: cut by the Python that has a twin in C."""

    def __init__(self, *, slow: bool) -> None:
        self.talk = Conversation(MOST)
        if slow:
            for side in (self.talk._client, self.talk._server):
                side._cut = frames.cut
        self.acts: list[Act] = []
        self.refused = False

    def hear(self, client: bool, data: bytes) -> None:
        if self.refused:
            return
        try:
            self.acts += self.talk.from_client(data) if client else self.talk.from_server(data)
        except NotTheProtocol:
            self.refused = True


def one_round(seed: int) -> None:
    """Raises AssertionError, or whatever the core must not raise."""
    dice = random.Random(seed)
    whole, split = Listener(slow=False), Listener(slow=True)
    for client, data in events(dice):
        whole.hear(client, data)
        for piece in pieces(dice, data):
            split.hear(client, piece)
        assert whole.refused == split.refused, f"seed {seed}: refused only in one way"
        if whole.refused:
            break
        assert whole.talk.at_boundary == split.talk.at_boundary, f"seed {seed}: another boundary"
    # What stood before the nonsense in the same piece is lost with it: nothing of that piece was forwarded.
    assert whole.acts == split.acts[: len(whole.acts)], f"seed {seed}: something else was understood"
    assert whole.refused or len(whole.acts) == len(split.acts), f"seed {seed}: more was understood"


def rounds(seconds: float, seed: int) -> int:
    """How many there were."""
    until, done = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        one_round(seed + done)
        done += 1
    return done


def main() -> int:
    from prodaccess.parts.postgres import Postgres
    from tests.gateways.postgres.oracle import Oracle

    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    seed, until = random.SystemRandom().randrange(1 << 40), time.monotonic() + seconds
    done = sessions = 0
    with tempfile.TemporaryDirectory() as place, Postgres() as server, Oracle(server, Path(place)) as oracle:
        while time.monotonic() < until:
            done += rounds(5, seed + done)
            sessions += oracle.rounds(5, seed + sessions)
    print(f"Seed {seed}: {done:,} rounds of nonsense, {sessions:,} sessions with a real server: nothing found.")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
