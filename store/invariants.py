"""What must always be true of the live rows, asked of the database itself. Each answer names what breaks it."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, text

_MOST = 20  # names in one answer

#: name: what it says when it is broken, and the query for the numbers of the grants that break it
INVARIANTS: Mapping[str, tuple[str, str]] = {
    "scheduled": (
        "nobody will come back to it, or somebody will for ever",
        "SELECT number FROM access_grant WHERE (due_at IS NULL) <> (state IN ('revoked', 'failed'))",
    ),
    "ended_on_time": (
        "its deadline was over a minute ago and its end has not begun",
        "SELECT number FROM access_grant WHERE due_at IS NOT NULL AND state = 'active'"
        " AND expires_at < :now - 60000000",
    ),
    "nothing_left": (
        "it has ended, and a credential of it is not known to be gone",
        "SELECT DISTINCT g.number FROM access_grant g JOIN access_lease l ON l.grant_number = g.number"
        " WHERE g.ended_at > :now - 86400000000 AND l.gone_at IS NULL AND l.aborted_at IS NULL",
    ),
    "approved": (
        "it gives access without an approved request",
        "SELECT g.number FROM access_grant g LEFT JOIN access_request r ON r.id = g.request_id"
        " WHERE g.due_at IS NOT NULL AND (r.state IS NULL OR r.state <> 'approved')",
    ),
    "approved_by_another": (
        "its requester has voted for it",
        "SELECT g.number FROM access_grant g JOIN access_request r ON r.id = g.request_id"
        " JOIN access_vote v ON v.request_id = r.id WHERE g.due_at IS NOT NULL AND v.person_id = r.requester_id",
    ),
    "in_the_log": (
        "it is open, and the audit log has no entry of it",
        "SELECT g.number FROM access_grant g WHERE g.due_at IS NOT NULL AND NOT EXISTS"
        " (SELECT 1 FROM ledger_entry e WHERE e.ref = 'PA-' || g.number)",
    ),
}


def broken(tx: Connection, now: int) -> dict[str, tuple[int, ...]]:
    """By invariant, the numbers of grants that break it, some at most; every invariant is present. `now` in µs."""
    return {name: _numbers(tx, query, now) for name, (_, query) in INVARIANTS.items()}


def _numbers(tx: Connection, query: str, now: int) -> tuple[int, ...]:
    limited = text(f"{query} LIMIT {_MOST}")
    parameters = {"now": now} if ":now" in query else {}
    return tuple(row[0] for row in tx.execute(limited, parameters))
