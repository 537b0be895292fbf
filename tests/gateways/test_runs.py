"""Statements out of acts: once each, in order, and the same again out of a recording."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

from audit.recording.form import KEY, Header
from audit.recording.reader import Recording
from audit.recording.writer import Recorder
from gateways.postgres.acts import Act, Answered, Asked, Settled
from gateways.postgres.runs import Run, Runs
from gateways.postgres.tape import SqlTape, read_back


def told(acts: Sequence[tuple[int, Act]]) -> list[Run]:
    runs, found = Runs(), list[Run]()
    for at, act in acts:
        found += runs.take(at, act)
    return found + list(runs.rest())


def brief(runs: Sequence[Run]) -> list[tuple[int, str, int | None, int | None]]:
    return [(run.asked.n, run.outcome, run.rows, run.lasted) for run in runs]


def test_several_commands_of_one_text_are_one_statement() -> None:
    acts: list[tuple[int, Act]] = [
        (10, Asked(1, "insert …; select …")), (15, Answered(1, "INSERT 0 5", 5)), (19, Answered(1, "SELECT 3", 3)),
        (20, Settled("I")), (30, Asked(2, "select 1/0")), (35, Answered(2, code="22012", message="division by zero")),
        (36, Settled("I")), (40, Asked(3, "select pg_sleep(60)")),
    ]  # fmt: skip
    assert brief(told(acts)) == [(1, "ok", 8, 9), (2, "22012", None, 5), (3, "unknown", None, None)]


def test_a_failed_batch_says_what_was_never_run() -> None:
    acts: list[tuple[int, Act]] = [
        (0, Asked(1, "a")), (0, Asked(2, "b")), (0, Asked(3, "c")), (5, Answered(1, "OK")),
        (6, Answered(2, code="42P01")), (6, Answered(3, skipped=True)), (7, Settled("E")),
    ]  # fmt: skip
    assert [run.outcome for run in told(acts)] == ["ok", "42P01", "skipped"]


def test_what_was_told_before_a_death_is_what_a_recording_begins_with() -> None:
    """However the server's words fell, and some that never came."""
    chance = random.Random(7)
    for _ in range(200):
        acts, waiting, n = list[tuple[int, Act]](), list[int](), 0
        for at in range(60):
            match chance.randrange(3):
                case 0:
                    n += 1
                    waiting.append(n)
                    acts.append((at, Asked(n, f"statement {n}")))
                case 1 if waiting:
                    answered = waiting.pop(0)
                    if chance.random() < 0.9:
                        acts.append((at, Answered(answered, "OK", 1)))
                case 2:
                    acts.append((at, Settled("I")))
        cut = chance.randrange(len(acts))
        runs = Runs()
        before = [run for at, act in acts[:cut] for run in runs.take(at, act)]
        assert brief(told(acts))[: len(before)] == brief(before)


def test_a_record_reads_back_as_the_act_that_it_was() -> None:
    from audit.recording.form import Record

    records = [
        Record(1, "asked", {"n": 1, "text": "select $1", "values": ["x"], "size": 9}),
        Record(2, "something of a later version", {}),
        Record(3, "answered", {"n": 1, "tag": "SELECT 1", "rows": 1, "bytes_out": 7}),
    ]
    (run,) = read_back(records)
    assert (run.asked.values, run.rows, run.bytes_out, run.lasted) == (("x",), 1, 7, 2)


def test_one_long_text_that_is_run_thousands_of_times_at_once_can_be_read_back(tmp_path: Path) -> None:
    """As drivers do it for many rows: what they send is little, what is recorded of it more than one frame may hold."""
    header = Header(session="PA-1-1", ref="PA-1", form="sql", started_at=0)
    tape = SqlTape(Recorder(tmp_path / "r", header, bytes(KEY)))
    asked = [Asked(n, "x" * 6000, (str(n),)) for n in range(1, 3001)]
    tape.asked(asked)
    tape.recorder.close("closed")
    records = [record for _, record in Recording(tmp_path / "r", bytes(KEY)).read()]
    assert [run.asked for run in read_back(records)] == asked
