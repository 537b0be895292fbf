"""The demo's clock: real time plus what people have jumped, so that an end can be seen without waiting for it."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from prodaccess.clock import SystemClock


class JumpingClock:
    """`access.ports.Clock` that is ahead by the seconds a file holds. It never goes back, whatever the file says."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._real = SystemClock()
        self._ahead = 0.0

    def now(self) -> datetime:
        self._ahead = max(self._ahead, read_ahead(self._file))
        return self._real.now() + timedelta(seconds=self._ahead)


def read_ahead(file: Path) -> float:
    """Seconds; 0 before the first jump."""
    with suppress(FileNotFoundError):
        return float(file.read_text())
    return 0.0


def write_ahead(file: Path, seconds: float) -> None:
    """In one step: a reader sees the old number or the new one."""
    new = file.with_suffix(".new")
    new.write_text(str(seconds))
    new.replace(file)
