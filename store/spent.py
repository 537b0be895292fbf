"""Signed calls that were made already, where several processes take them: what one has taken, no other takes again."""

from __future__ import annotations

from sqlalchemy import Connection

_SPEND = "INSERT INTO spent_proof (key, until) VALUES (%(key)s, %(until)s) ON CONFLICT DO NOTHING"


def spend(tx: Connection, key: str, until: int) -> bool:
    """False when it was spent before. PostgreSQL's alone; `until` in µs, when it is refused by its time anyway."""
    tx.exec_driver_sql("SET LOCAL synchronous_commit = off")  # a power cut outlasts what it could make us forget
    return tx.exec_driver_sql(_SPEND, {"key": key, "until": until}).rowcount == 1


def forget(tx: Connection, now: int) -> None:
    """Those that are refused by their time."""
    tx.exec_driver_sql("DELETE FROM spent_proof WHERE until < %(now)s", {"now": now})
