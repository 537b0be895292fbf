"""Whether this machine's clock agrees with the database server's, by which other processes go."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import Connection

from access.errors import AccessError
from access.ports import Clock
from prodaccess.clock import SystemClock, wall_time
from store.database import Database

WITHIN = timedelta(seconds=2)
_LOOKS = 3


class ClocksDiffer(AccessError):
    """This machine's time and the database server's are not the same."""


def follow(database: Database, clock: Clock) -> None:
    """The clock is the database server's from now on, by which others go too. Raises ClocksDiffer, Unavailable."""
    must_agree(database, wall_time())
    if isinstance(clock, SystemClock) and not database.is_sqlite:
        clock.correct(ahead_of(database, wall_time))


def ahead_of(database: Database, now: Callable[[], datetime]) -> timedelta:
    """How far we are ahead of the server, as good as the quickest of a few answers tells. Raises Unavailable."""
    looks = [_look(database, now) for _ in range(_LOOKS)]
    return min(looks)[1]


def _look(database: Database, now: Callable[[], datetime]) -> tuple[timedelta, timedelta]:
    """How long the answer took, and the difference halfway."""
    before = now()
    there = database.transact(_server_time, write=False)
    after = now()
    return after - before, before + (after - before) / 2 - there


def must_agree(database: Database, now: datetime) -> None:
    """Refuse to start when the clocks differ; SQLite has only ours. Raises ClocksDiffer, Unavailable."""
    if database.is_sqlite:
        return
    there = database.transact(_server_time, write=False)
    ahead = now - there
    if abs(ahead) > WITHIN:
        where = "ahead of" if ahead > timedelta(0) else "behind"
        raise ClocksDiffer(
            f"This machine's clock is {abs(ahead).total_seconds():.0f} seconds {where} the"
            " database server's. Grants would end at the wrong moment: set both by NTP, then start again."
        )


def _server_time(tx: Connection) -> datetime:
    there: datetime = tx.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
    return there
