"""The spool survives crashes, torn lines and full disks, and its files go when they have served."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from access.errors import Unavailable
from access.ports import Gone
from access.revoking.outcome import Outcome
from prodaccess.revoking.spool import FileSpool, line_of, outcome_of

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
BEGUN = Outcome(7, 4, NOW, NOW)
OVER = replace(BEGUN, tries=2, failed_at=NOW, why="it refused — é\nand said so", gone=Gone(("ok.",), NOW, tried=True))
OVER = replace(OVER, gone_at=NOW + timedelta(microseconds=1))


def left(directory: Path) -> tuple[Outcome, ...]:
    spool = FileSpool(directory)
    found = spool.left()
    spool.close()
    return found


@contextmanager
def no_file_grows_beyond(size: int) -> Iterator[None]:
    """As on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


@pytest.mark.parametrize("outcome", [BEGUN, OVER])
def test_a_line_says_all_of_it(outcome: Outcome) -> None:
    line = line_of(outcome)
    assert outcome_of(line.rstrip(b"\n")) == outcome
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")


@settings(max_examples=50)
@given(st.integers(0, 400), st.integers(0, 255))
def test_an_altered_line_is_none(at: int, byte: int) -> None:
    line = bytearray(line_of(OVER).rstrip(b"\n"))
    at %= len(line)
    is_same = line[at] == byte
    line[at] = byte
    assert (outcome_of(bytes(line)) is not None) == is_same


@settings(max_examples=30)
@given(st.integers(0, 900))
def test_a_torn_line_is_passed_over_and_all_others_count(tmp_path_factory: pytest.TempPathFactory, cut: int) -> None:
    directory = tmp_path_factory.mktemp("spool")
    whole = line_of(BEGUN) + line_of(replace(BEGUN, number=8)) + line_of(OVER)
    (directory / "1-a.spool").write_bytes(whole[:cut])
    numbers = {outcome.number: outcome for outcome in left(directory)}
    ends = [len(line_of(BEGUN)) - 1, len(line_of(BEGUN) + line_of(replace(BEGUN, number=8))) - 1, len(whole) - 1]
    read = sum(cut >= end for end in ends)
    assert set(numbers) == [set(), {7}, {7, 8}, {7, 8}][read]
    assert read < 3 or numbers[7] == OVER


async def test_many_at_once_are_few_writes_and_all_of_them_stand(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path / "made" / "spool")
    await asyncio.gather(*(spool.append([replace(BEGUN, number=n)]) for n in range(200)))
    (file,) = files(tmp_path / "made" / "spool")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert left(file.parent) == ()  # a living process has it
    spool.close()
    assert {outcome.number for outcome in left(file.parent)} == set(range(200))


def files(directory: Path) -> list[Path]:
    return list(directory.iterdir())


async def test_it_goes_when_it_has_served(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path)
    await spool.append([BEGUN])
    await spool.clear()
    assert not files(tmp_path)
    await spool.append([OVER])
    spool.close()
    assert left(tmp_path) == (OVER,)
    after = FileSpool(tmp_path)
    after.left()
    await after.clear()
    after.close()
    assert not files(tmp_path)


async def test_a_full_disk_is_said_and_what_was_written_stands(tmp_path: Path) -> None:
    spool = FileSpool(tmp_path)
    await spool.append([BEGUN])
    with no_file_grows_beyond(len(line_of(BEGUN)) + 50), pytest.raises(Unavailable, match="File too large"):
        await spool.append([replace(OVER, number=8)])
    assert spool.is_broken
    await spool.append([replace(OVER, number=9)])
    assert not spool.is_broken
    spool.close()
    assert {outcome.number for outcome in left(tmp_path)} == {7, 9}


def test_a_directory_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert left(tmp_path / "nowhere") == ()
    (tmp_path / "1-a.spool").write_bytes(os.urandom(500) + b"\n" + line_of(BEGUN))
    assert left(tmp_path) == (BEGUN,)
