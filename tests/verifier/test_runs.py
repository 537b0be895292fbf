"""Entries that are dealt with many at a time give the same verdict as one by one, whatever is altered in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tests.verifier.making import ADA, SECOND, Log, canonical, edited
from verifier.entries import Entries
from verifier.report import Finding, Report, Tampered
from verifier.sources import Beside, Block

COUNT = 110  # so that seq and n get another digit on the way
Row = tuple[int, bytes, bytes]


class Slowly(Entries):
    """Nothing is usual."""

    def _reach(self, seq: int, block: Block, at: int) -> int:
        return at


class Counting(Entries):
    read = 0

    def _one(self, seq: int, body: bytes, beside: Row | None) -> None:
        self.read += 1
        super()._one(seq, body, beside)


@pytest.fixture(scope="module")
def log() -> Log:
    """A batch of queries, some seconds apart, all recorded at once."""
    log = Log()
    log.begin()
    log.open("PA-1")
    began = log.now
    for n in range(COUNT):
        log.now = began + 60 * SECOND - SECOND  # `add` goes on by one
        log.query("PA-1", at=began + n * SECOND // 4)
    return log


def beside_of(log: Log) -> list[Row]:
    return [(at, type_.encode(), ref.encode()) for at, type_, ref in log.rows]


def columns(rows: Sequence[Row] | None) -> Beside | None:
    return None if rows is None else Beside(*zip(*rows, strict=True))


Outcome = tuple[Finding | None, list[Finding], list[Finding], dict[str, int]]


def outcome(kind: type[Entries], bodies: Sequence[bytes], beside: Sequence[Row] | None) -> Outcome:
    """The finding that ends it, what else was found, and what passed."""
    report = Report("test")
    entries = kind(report, 0, 60, deep=False)
    try:
        for at in range(0, len(bodies), 50):
            part = columns(None if beside is None else beside[at : at + 50])
            entries.take(at, Block(bodies[at : at + 50], beside=part))
        entries.finish(None)
    except Tampered as tampered:
        return tampered.finding, report.failures, report.exceptions, {}
    return None, report.failures, report.exceptions, dict(report.passed)


def both(log: Log, bodies: Sequence[bytes]) -> Outcome:
    """As it is found with and without what stands beside, which is the same either way."""
    for beside in (beside_of(log), None):
        expected = outcome(Slowly, bodies, beside)
        assert outcome(Entries, bodies, beside) == expected
    return expected


def test_most_of_a_batch_is_not_read_one_by_one(log: Log) -> None:
    for beside in (beside_of(log), None):
        entries = Counting(Report("test"), 0, 60, deep=False)
        entries.take(0, Block(log.bodies, beside=columns(beside)))
        assert entries.read == len(log.bodies) - COUNT + 1, "and the first of the batch"
    finding, failures, exceptions, passed = both(log, log.bodies)
    assert (finding, failures, exceptions) == (None, [], [])
    assert passed["canonical"] == len(log.bodies)


def test_any_flipped_bit(log: Log) -> None:
    place, found = len(log.bodies) - 20, 0
    body = log.bodies[place]
    envelope = len(body) - body.rindex(b',"log":')
    for bit in range(len(body) * 8):
        flipped = bytearray(body)
        flipped[bit // 8] ^= 1 << bit % 8
        bodies = [*log.bodies[:place], bytes(flipped), *log.bodies[place + 1 :]]
        expected = outcome(Slowly, bodies, None)
        assert outcome(Entries, bodies, None) == expected
        found += expected[0] is not None
    assert found > envelope * 7, "few flips in the envelope give another that is possible; the hash sees those"


def _replaced(old: str, new: str) -> Callable[[bytes], bytes]:
    def alter(body: bytes) -> bytes:
        assert old.encode() in body
        return body.replace(old.encode(), new.encode())

    return alter


def _other(**changes: Any) -> Callable[[bytes], bytes]:
    return lambda body: edited(body, **changes)


def _moved(by: int, field: str) -> Callable[[bytes], bytes]:
    return lambda body: edited(body, **{field: json.loads(body)[field] + by})


def _time(text: str) -> Callable[[bytes], bytes]:
    def alter(body: bytes) -> bytes:
        return body.replace(b'"occurred_at":%d' % json.loads(body)["occurred_at"], b'"occurred_at":' + text.encode())

    return alter


ALTERED: dict[str, Callable[[bytes], bytes]] = {
    "another number": _moved(1, "seq"),
    "counted twice": _moved(-1, "n"),
    "behind another": _moved(-1, "prev"),
    "recorded earlier": _moved(-1, "recorded_at"),
    "recorded later": _moved(1, "recorded_at"),
    "before the grant": _moved(-3600 * SECOND, "occurred_at"),
    "after the grant": _moved(7200 * SECOND, "occurred_at"),
    "a minute and more ago": _moved(-61 * SECOND, "occurred_at"),
    "in the year 2500": _time("16725225600000000"),
    "in the year 1": _time("5"),
    "a time with a zero in front": _time("0179544240000000"),
    "a time with a sign": _time("+179544240000000"),
    "a time with a line in it": _time("1795_44240000000"),
    "no time": _time(""),
    "of another request": _other(ref="PA-2"),
    "of another kind": _other(type="host.command"),
    "of no known kind": _other(type="db.quack"),
    "of another log": _other(log="elsewhere/audit"),
    "of a later version": _other(v=2),
    "by somebody else": _other(by=ADA),
    "at another target": _replaced('"target":"orders-db"', '"target":"orders-db2"'),
    "with something behind it": lambda body: body + b" ",
    "empty": lambda _: b"",
    "not the kind that is usual": lambda body: canonical({**json.loads(body), "type": "grant.ending", "by": {}}),
}


@pytest.mark.parametrize("name", ALTERED)
@pytest.mark.parametrize("from_the_end", [1, 20, COUNT])
def test_whatever_is_altered(log: Log, name: str, from_the_end: int) -> None:
    place = len(log.bodies) - from_the_end
    altered = ALTERED[name](log.bodies[place])
    assert altered != log.bodies[place]
    finding, failures, _, _ = both(log, [*log.bodies[:place], altered, *log.bodies[place + 1 :]])
    first = finding or next(iter(failures), None)
    assert first is None or first.entry in (place, place + 1)


@pytest.mark.parametrize("column", range(3))
def test_what_stands_beside_has_to_be_the_same(log: Log, column: int) -> None:
    place = len(log.bodies) - 20
    row: list[Any] = list(beside_of(log)[place])
    row[column] = row[column] + (1 if column == 0 else b"x")
    beside = [*beside_of(log)[:place], tuple(row), *beside_of(log)[place + 1 :]]
    expected = outcome(Slowly, log.bodies, beside)
    assert outcome(Entries, log.bodies, beside) == expected
    assert expected[0] is not None
    assert (expected[0].check, expected[0].entry) == ("sequence", place)


def test_entries_that_change_places(log: Log) -> None:
    bodies = list(log.bodies)
    bodies[-5], bodies[-4] = bodies[-4], bodies[-5]
    assert both(log, bodies)[0] == Finding("sequence", f"says that it is entry {len(bodies) - 4}", len(bodies) - 5)


def test_two_requests_in_turn(log: Log) -> None:
    two = replace(Log(), bodies=[], rows=[])
    two.begin()
    two.open("PA-1")
    two.open("PA-2")
    began = two.now
    for n in range(60):
        two.now = began + n // 7 * SECOND
        two.query(f"PA-{1 + n // 3 % 2}", at=began)
    finding, failures, _, passed = both(two, two.bodies)
    assert (finding, failures) == (None, [])
    assert passed["subject"] == 72
