from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

from prodaccess.clock import SystemClock


class Wall:
    """A wall clock that somebody sets."""

    ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


def test_it_follows_the_wall_clock_forward() -> None:
    wall = Wall()
    clock = SystemClock(wall)
    wall.ahead = timedelta(hours=1)
    assert clock.now() > datetime.now(UTC) + timedelta(minutes=59)


def test_a_wall_clock_set_back_neither_turns_it_back_nor_stops_it() -> None:
    wall = Wall()
    clock = SystemClock(wall)
    before = clock.now()
    wall.ahead = timedelta(hours=-1)
    time.sleep(0.05)
    assert timedelta(seconds=0.04) < clock.now() - before < timedelta(seconds=5)


def test_a_standstill_in_the_middle_of_a_look_does_not_put_it_ahead_for_good() -> None:
    stops = iter([0.0, 0.3, 0.0])  # seconds before each reading of the wall clock

    def wall() -> datetime:
        time.sleep(next(stops))
        return datetime.now(UTC)

    clock = SystemClock(wall)
    clock.now()
    assert abs((clock.now() - datetime.now(UTC)).total_seconds()) < 0.1
