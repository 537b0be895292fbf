"""What the server itself says it ran, against what the gateway recorded: random conversations, held to be true.

Every statement in the server's log stands in the recording under its own text, or under one that is marked as not
certain; what the recording says was done is in the server's log; and what it says was skipped is not.
"""

from __future__ import annotations

import itertools
import random
import re
import socket
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from struct import pack
from types import TracebackType
from typing import Self

from audit.recording.reader import Recording
from benchmarks.pg_gateway_process import KEY, TICKET, USER, GatewayProcess
from gateways.postgres import messages as m
from gateways.postgres.scram import MECHANISM, Client
from prodaccess.parts.part import HOST
from prodaccess.parts.postgres import Postgres

DATABASE = "fuzz"
_RAN = re.compile(r"LOG:  (?:statement|execute [^:]*): (.*)")
_WITHIN = 30.0  # seconds for a session to end


class Login:
    """A socket that is let in, and nothing else: whatever is said on it is the caller's own."""

    def __init__(self, port: int, application: str, database: str = DATABASE) -> None:
        self.socket = socket.create_connection((HOST, port), timeout=_WITHIN)
        told = f"user\0{USER}\0database\0{database}\0application_name\0{application}\0\0".encode()
        self.socket.sendall(pack(">II", len(told) + 8, 196608) + told)
        client = Client(TICKET)
        self._take()
        first = client.first().encode()
        self.say(m.message(m.PASSWORD, MECHANISM.encode() + b"\0" + pack(">I", len(first)) + first))
        self.say(m.message(m.PASSWORD, client.final(self._take()[1][4:].decode()).encode()))
        while self._take()[0] != m.READY:
            pass

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def _take(self) -> tuple[int, bytes]:
        head = self._exactly(5)
        return head[0], self._exactly(int.from_bytes(head[1:], "big") - 4)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise ConnectionError
            data += more
        return data

    def to_the_end(self) -> bytes:
        """Whatever the server still says, until it hangs up."""
        said = bytearray()
        with suppress(ConnectionError):
            while more := self.socket.recv(1 << 16):
                said += more
        self.socket.close()
        return bytes(said)


def program(dice: random.Random, numbers: Iterator[int]) -> Iterator[bytes]:
    """Messages that mostly mean something, one after the other without waiting."""
    names, portals = ("", "s1", "s2"), ("", "p1")
    for _ in range(dice.randrange(1, 40)):
        n, name, portal = next(numbers), dice.choice(names), dice.choice(portals)
        match dice.randrange(14):
            case 0 | 1:
                yield m.message(m.QUERY, _simple(dice, n).encode() + b"\0")
            case 2 | 3 | 4:
                yield m.message(m.PARSE, f"{name}\0{_single(dice, n)}\0".encode() + b"\0\0")
            case 5 | 6:
                yield m.message(m.BIND, f"{portal}\0{name}\0".encode() + b"\0" * 6)
            case 7 | 8:
                yield m.message(m.EXECUTE, f"{portal}\0".encode() + pack(">I", dice.choice((0, 0, 1))))
            case 9:
                yield m.message(m.DESCRIBE, f"{dice.choice(('S' + name, 'P' + portal))}\0".encode())
            case 10:
                yield m.message(m.CLOSE, f"{dice.choice(('S' + name, 'P' + portal))}\0".encode())
            case 11:
                yield m.message(dice.choice((m.SYNC, m.SYNC, m.FLUSH)))
            case 12:
                yield m.message(m.COPY_DATA, b"7\n") + m.message(dice.choice((m.COPY_DONE, m.COPY_FAIL)), b"")
            case _:
                bound = f"{portal}\0{name}\0".encode() + b"\0" * 6
                yield m.message(m.PARSE, f"{name}\0{_single(dice, n)}\0".encode() + b"\0\0")
                yield m.message(m.BIND, bound) + m.message(m.EXECUTE, f"{portal}\0".encode() + b"\0" * 4)
                yield m.message(m.SYNC)
    yield m.message(m.SYNC) + m.message(m.TERMINATE)


def _single(dice: random.Random, n: int) -> str:
    return dice.choice(
        (
            f"select {n}", f"select {n} from generate_series(1, 3)", f"select {n} / 0", f"selekt {n}", f"begin -- {n}",
            f"commit -- {n}", f"insert into t values ({n})", f"select {n} from nowhere", f"copy t from stdin -- {n}",
            f"copy (select {n}) to stdout", f"discard all -- {n}", f"deallocate all -- {n}",
            f"prepare s2 as select {n}", f"execute s2 -- {n}", f"close p1 -- {n}", f"begin -- {n}",
            f"declare p1 cursor for select {n}", f"close all -- {n}",
            f"do $$ begin execute 'deall' || 'ocate s1'; execute 'prep' || 'are s1 as select {n}'; end $$",
        )
    )  # fmt: skip


def _simple(dice: random.Random, n: int) -> str:
    one, other = _single(dice, n), _single(dice, n)
    return dice.choice((one, one, f"{one}; {other}".replace(" -- ", " /* */ "), f"/* {n} */"))


@dataclass(frozen=True)
class Told:
    """A statement in the recording, and how it ended."""

    text: str
    exact: bool
    skipped: bool
    done: bool


@dataclass
class Oracle:
    """A gateway in front of a server that logs all it runs."""

    server: Postgres
    place: Path
    _stack: ExitStack = field(default_factory=ExitStack)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1000))
    _gateway: GatewayProcess | None = None

    def __enter__(self) -> Self:
        self.server.execute(f"create database {DATABASE}")
        self.server.execute(f"alter database {DATABASE} set log_statement = 'all'")
        self.server.execute("create table t (n int)", DATABASE)
        upstream = {"host": HOST, "port": self.server.port, "user": "postgres", "password": self.server.password}
        self._gateway = self._stack.enter_context(GatewayProcess(upstream))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        self.server.execute(f"drop database {DATABASE} with (force)")

    def rounds(self, seconds: float, seed: int) -> int:
        """How many sessions there were. Raises AssertionError."""
        until, done = time.monotonic() + seconds, 0
        while time.monotonic() < until or not done:
            self.session(seed + done)
            done += 1
        return done

    def session(self, seed: int) -> None:
        assert self._gateway is not None
        dice, name = random.Random(seed), f"fuzz-{seed}"
        before = set(self._gateway.recordings.iterdir())
        login = Login(self._gateway.port, name)
        data = b"".join(program(dice, self._numbers))
        at = 0
        with suppress(ConnectionError):  # the server ends a session that breaks off a COPY with something else
            while at < len(data):
                size = dice.choice((1, 7, 50, 500, len(data)))
                login.say(data[at : at + size])
                at += size
        login.to_the_end()
        (file,) = set(self._gateway.recordings.iterdir()) - before
        self._judge(f"seed {seed}", list(told(file)), self._ran(name))

    def _ran(self, name: str) -> list[str]:
        """Every statement that the server says it ran in the session of that name."""
        lines = self.server.log.read_text().splitlines()
        return [found[1] for line in lines if f" app={name} " in line and (found := _RAN.search(line))]

    def _judge(self, seed: str, recorded: list[Told], ran: list[str]) -> None:
        certain = Counter(told.text for told in recorded if told.exact)
        doubtful = sum(not told.exact for told in recorded)
        unrecorded = Counter(ran) - certain
        assert unrecorded.total() <= doubtful, f"{seed}: ran, and is not recorded: {unrecorded}"
        done = Counter(told.text for told in recorded if told.exact and told.done and told.text.strip())
        assert not done - Counter(ran), f"{seed}: recorded as done, and never ran: {done - Counter(ran)}"
        possible = Counter(told.text for told in recorded if not told.skipped) + Counter({"": doubtful})
        for text, times in Counter(ran).items():
            assert times <= possible[text] + doubtful, f"{seed}: recorded as skipped, and ran: {text}"


def told(file: Path) -> Iterator[Told]:
    """The statements of a recording, once it is complete."""
    until = time.monotonic() + _WITHIN
    while True:
        recording = Recording(file, KEY)
        records = [record for _, record in recording.read()]
        if recording.reading.complete:
            break
        assert time.monotonic() < until, "the recording has no end"
        time.sleep(0.01)
    ends: dict[int, list[dict[str, object]]] = {}
    for record in records:
        if record.kind == "answered":
            ends.setdefault(record.data["n"], []).append(record.data)
    for record in records:
        if record.kind == "asked":
            said = ends.get(record.data["n"], [])
            yield Told(
                record.data["text"], record.data.get("exact", True), any(end.get("skipped") for end in said),
                bool(said) and not any(end.get("code") or end.get("skipped") for end in said),
            )  # fmt: skip
