"""The disk is full, or fails, while grants end: `python -m tests.proving.disk`.

Calls that write to it answer with an error, made by a library in front of the system's own. What can be written nowhere
must end all the same, and be told when the disk is well again.
"""

from __future__ import annotations

import asyncio
import errno
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.audit.proving.test_faults import Faults
from tests.proving.far import FarSide, database_of
from tests.proving.kill import Found, Loop, judge, read_and_verify

DATABASE, ALL = "/disk/prodaccess.db", "/disk/"
ENOUGH = 5  # credentials that are out when it begins to fail
_PATIENCE = 60.0  # seconds
_LOOK = 0.05


@dataclass(frozen=True)
class Failing:
    """Every `each`th call that writes into a path of which `within` is a part answers with this error."""

    number: int
    each: int
    within: str

    def __str__(self) -> str:
        often = "always" if self.each == 1 else f"each {self.each}rd call"
        return (
            f"{errno.errorcode[self.number]} {often}, {'database' if self.within == DATABASE else 'database and spool'}"
        )


WAYS = [Failing(number, each, within) for number, each in ((errno.ENOSPC, 1), (errno.EIO, 1), (errno.EIO, 3))
        for within in (DATABASE, ALL)]  # fmt: skip


@dataclass(frozen=True)
class FoundThere:
    found: Found
    out: int  # credentials that were out when the disk began to fail
    left: int  # of them, those that were still alive when it was well again
    failed_for: float  # seconds

    @property
    def holds(self) -> bool:
        return self.found.holds and self.left == 0 < self.out

    def as_table(self) -> str:
        return "\n".join((
            self.found.as_table(),
            f"out when the disk began to fail    {self.out}",
            f"alive {self.failed_for:4.1f} s later                 {self.left}",
        ))  # fmt: skip


def fail(directory: Path, failing: Failing) -> FoundThere:
    """One life whose disk fails until all that was out is gone; then one that ends what is left."""
    faults = Faults(directory, failing.within)
    faults.build()
    command = (sys.executable, "-m", "tests.proving.life", str(directory))
    loop = Loop(directory, command, FarSide(directory), faults.environment)
    far = loop.far
    with loop.alive():
        _wait(far, lambda: len(far.made) >= ENOUGH)
        faults.begin(failing.number, failing.each)
        began = time.monotonic()
        far.read()
        out = {line["key"] for line in far.made} - far.gone.keys()
        _wait(far, lambda: out <= far.gone.keys())
        faults.end()
        failed_for = time.monotonic() - began
    left = len(out - far.gone.keys())
    loop.end()
    entries, verifies = asyncio.run(read_and_verify(f"sqlite:///{database_of(directory)}", directory))
    return FoundThere(judge(entries, loop, verifies), len(out), left, failed_for)


def _wait(far: FarSide, true: Callable[[], bool]) -> None:
    """Until it is true, or it takes too long: then those who count will say so."""
    until = time.monotonic() + _PATIENCE
    while not true() and time.monotonic() < until:
        time.sleep(_LOOK)
        far.read()


def main() -> int:
    kept = True
    for failing in WAYS:
        with tempfile.TemporaryDirectory(prefix="prodaccess-disk-") as directory:
            there = fail(Path(directory), failing)
        kept = kept and there.holds
        sys.stdout.write(f"{failing}: {'kept' if there.holds else 'BROKEN'}\n{there.as_table()}\n\n")
        sys.stdout.flush()
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
