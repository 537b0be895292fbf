"""How much time has surely passed, whatever the wall clock is set to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from gateways.passed import NAME, UNSEEN, Look, Passed, after

BEGAN = datetime(2026, 7, 1, tzinfo=UTC)


class Machine:
    """Whose wall clock can be set, and which can be started anew."""

    def __init__(self, place: Path) -> None:
        self.place, self.truth, self.ahead, self.boot, self.up = place, 0.0, 0.0, 1, 0.0

    @property
    def wall(self) -> datetime:
        return BEGAN + timedelta(seconds=self.truth + self.ahead)

    def goes(self, seconds: float) -> None:
        self.truth += seconds

    def starts_anew(self, away: float) -> None:
        self.truth, self.boot = self.truth + away, self.boot + 1
        self.up = self.truth

    def look(self) -> Look:
        return Passed(lambda: self.truth - self.up, lambda: str(self.boot)).look(self.place, self.wall)


def days(look: Look, moment: datetime = BEGAN) -> float:
    return round(look.since(moment).total_seconds() / 86400, 2)


def test_what_the_wall_clock_leaps_is_counted_off_and_set_right_again(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.look()
    machine.goes(86400)
    assert days(machine.look()) == 1
    machine.ahead = 365 * 86400
    assert days(machine.look()) == 1
    closed = machine.wall
    machine.goes(2 * 86400)
    assert (days(machine.look()), days(machine.look(), closed)) == (3, 2)
    machine.ahead = 0
    assert days(machine.look()) == 3
    machine.goes(86400)
    assert days(machine.look()) == 4


def test_over_a_restart_an_hour_is_believed(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.look()
    machine.starts_anew(600)
    assert machine.look().since(BEGAN) == timedelta(seconds=600)
    machine.starts_anew(7 * 86400)
    assert machine.look().since(BEGAN) == timedelta(seconds=600 + UNSEEN)


def test_a_file_that_says_nothing_is_none(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    for nonsense in (b"", b"{", b'{"wall": "x"}'):
        (tmp_path / NAME).write_bytes(nonsense)
        assert machine.look().leaps == ()
    machine.ahead = 1e9
    assert len(machine.look().leaps) == 1


def test_time_never_seems_longer_than_it_was(tmp_path: Path) -> None:
    chance, machine = Random(11), Machine(tmp_path)
    machine.look()
    for _ in range(1500):
        chance.choice((
            lambda: machine.goes(chance.uniform(0, 4000)), lambda: machine.goes(60),
            lambda: machine.starts_anew(chance.uniform(0, 90000)),
            lambda: setattr(machine, "ahead", machine.ahead + chance.uniform(0, 1e7)),
        ))()  # fmt: skip
        look = machine.look()
        assert look.since(BEGAN).total_seconds() <= machine.truth + 1e-3
        assert len(look.leaps) <= 100


def test_without_a_name_for_its_start_a_machine_is_another_one_each_time() -> None:
    assert after(Look(0, 0, ""), Look(1e6, 1e6, "")).leaps[0].by == 1e6 - UNSEEN
