"""Whether this machine's clock agrees with the database server's, by which other processes go."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import Connection

from access.errors import AccessError
from store.database import Database

WITHIN = timedelta(seconds=2)


class ClocksDiffer(AccessError):
    """This machine's time and the database server's are not the same."""


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
