"""How much time has surely passed: the wall clock's, without what that was set ahead while we looked.

Beside the recordings stands what the wall clock said at the last look, and one that nobody sets. Where both went on in
step, time has passed; what the wall clock went ahead by itself is remembered, and counted off. Over a restart of the
machine nobody knows: then only an hour is believed. So time may seem shorter than it was, and never longer.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

NAME = "clock"
UNSEEN = 3600.0  # seconds between two looks that are believed where the machine was started in between
_STEP = 60.0  # seconds that the two may differ between two looks
_MOST = 100  # leaps that are remembered one by one
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_ELAPSED = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Leap(msgspec.Struct, frozen=True):
    """That the wall clock was set ahead at what it then called `at`, by so many seconds."""

    at: float
    by: float


class Look(msgspec.Struct, frozen=True):
    """What both clocks said, in seconds; `boot`: of which start of the machine."""

    wall: float
    elapsed: float
    boot: str
    leaps: tuple[Leap, ...] = ()

    def since(self, moment: datetime) -> timedelta:
        """How much time has surely passed since then."""
        began = moment.timestamp()
        return timedelta(seconds=self.wall - began - sum(leap.by for leap in self.leaps if leap.at >= began))


@dataclass(frozen=True)
class Passed:
    """`elapsed` counts seconds and is set by nobody, since that `boot`."""

    elapsed: Callable[[], float] = lambda: time.clock_gettime(_ELAPSED)
    boot: Callable[[], str] = lambda: _BOOT.read_text("ascii").strip()

    def look(self, place: Path, now: datetime) -> Look:
        """And remember it there. Raises OSError; a file that cannot be read counts as none."""
        path = place / NAME
        look = Look(now.timestamp(), self.elapsed(), self._boot())
        with suppress(FileNotFoundError, msgspec.DecodeError):  # of the time before, nobody knows
            look = after(msgspec.json.decode(path.read_bytes(), type=Look), look)
        new = path.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(look))
        new.replace(path)
        return look

    def _boot(self) -> str:
        try:
            return self.boot()
        except OSError:
            return ""  # no such thing here: then nothing is of the same start


def after(before: Look, now: Look) -> Look:
    """With what has been leapt so far."""
    went = now.wall - before.wall
    if now.boot and now.boot == before.boot:
        passed = max(0.0, now.elapsed - before.elapsed)
    else:
        passed = min(max(0.0, went), UNSEEN)
    ahead = went - passed
    if ahead > _STEP:
        leaps = (*before.leaps, Leap(before.wall, ahead))
    else:
        leaps = _set_back(before.leaps, -ahead) if -ahead > _STEP else before.leaps
    while len(leaps) > _MOST:
        first, second, *rest = leaps
        leaps = (Leap(max(first.at, second.at), first.by + second.by), *rest)
    return msgspec.structs.replace(now, leaps=leaps)


def _set_back(leaps: tuple[Leap, ...], seconds: float) -> tuple[Leap, ...]:
    """What was set ahead by mistake is set right: the newest first."""
    kept: list[Leap] = []
    for leap in reversed(leaps):
        less = min(leap.by, seconds)
        seconds -= less
        if leap.by - less > 0:
            kept.append(Leap(leap.at, leap.by - less))
    return tuple(reversed(kept))
