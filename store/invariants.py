"""What must always be true of the live rows, asked of the database itself. Each answer names what breaks it.

Open rows are looked at in full, ended ones for a day: what was wrong with them was said while they were open.
"""

# ruff: noqa: S608  (every query is put together of our own words alone)

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection, text

from audit.canonical import fields_of

_MOST = 20  # names in one answer
_OPEN = "g.due_at IS NOT NULL"
_SAID = "(SELECT 1 FROM ledger_entry e WHERE e.ref = 'PA-' || g.number AND e.type {which})"

#: name: what it says when it is broken, and the query for the numbers of the grants or requests that break it
INVARIANTS: Mapping[str, tuple[str, str]] = {
    "scheduled": (
        "nobody will come back to it, or somebody will for ever",
        "SELECT number FROM access_grant WHERE (due_at IS NULL) <> (state IN ('revoked', 'failed'))",
    ),
    "decided_in_time": (
        "it waits for people, and nobody will come back to it, or its time to be decided was over a minute ago",
        "SELECT number FROM access_request WHERE state = 'pending' AND (due_at IS NULL OR lapses_at < :now - 60000000)"
        " UNION SELECT number FROM access_request WHERE state <> 'pending' AND due_at IS NOT NULL",
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
    "within_what_was_approved": (
        "it ends later than its approval and its extensions together allow",
        "SELECT g.number FROM access_grant g LEFT JOIN (SELECT extends, sum(duration) AS more FROM access_request"
        " WHERE extends IS NOT NULL AND state = 'approved' GROUP BY extends) r ON r.extends = g.number"
        f" WHERE {_OPEN} AND g.started_at IS NOT NULL"
        " AND g.expires_at > g.started_at + (g.duration + COALESCE(r.more, 0) + 1) * 1000000",
    ),
    "credentials_end_with_it": (
        "a credential of it ends over a minute later than it does",
        "SELECT DISTINCT g.number FROM access_grant g JOIN access_lease l ON l.grant_number = g.number"
        f" WHERE {_OPEN} AND l.gone_at IS NULL AND l.not_after > g.expires_at + 60000000",
    ),
    "under_a_handle": (
        "a credential of it was made under nothing that is recorded",
        "SELECT DISTINCT g.number FROM access_grant g JOIN access_lease l ON l.grant_number = g.number"
        f" WHERE {_OPEN} AND NOT EXISTS (SELECT 1 FROM access_handle h"
        " WHERE h.grant_number = l.grant_number AND h.attempt = l.attempt)",
    ),
    "approved": (
        "it gives access without an approved request",
        "SELECT g.number FROM access_grant g LEFT JOIN access_request r ON r.id = g.request_id"
        f" WHERE {_OPEN} AND (r.state IS NULL OR r.state <> 'approved')",
    ),
    "voted_for": (
        "fewer have approved it than had to",
        f"SELECT g.number FROM access_grant g JOIN access_request r ON r.id = g.request_id WHERE {_OPEN}"
        " AND NOT r.glass"
        " AND r.approvals_needed > (SELECT count(*) FROM access_vote v WHERE v.request_id = r.id)",
    ),
    "approved_by_another": (
        "its requester has voted for it",
        "SELECT g.number FROM access_grant g JOIN access_request r ON r.id = g.request_id"
        f" JOIN access_vote v ON v.request_id = r.id WHERE {_OPEN} AND v.person_id = r.requester_id",
    ),
    "in_the_log": (
        "its state is not what the audit log says of it",
        f"SELECT g.number FROM access_grant g WHERE {_OPEN} AND NOT EXISTS "
        + _SAID.format(
            which="= CASE g.state WHEN 'active' THEN 'grant.active' WHEN 'revoking' THEN 'grant.ending'"
            " WHEN 'quarantine' THEN 'grant.quarantined' ELSE 'request.approved' END"
        ),
    ),
    "ended_in_the_log": (
        "it has ended, and the audit log does not say so",
        "SELECT g.number FROM access_grant g WHERE g.ended_at > :now - 86400000000 AND NOT EXISTS "
        + _SAID.format(which="= CASE g.state WHEN 'failed' THEN 'grant.failed' ELSE 'grant.ended' END"),
    ),
    "not_open_again": (
        "the audit log says that it has ended, and it is open",
        f"SELECT g.number FROM access_grant g WHERE {_OPEN} AND EXISTS "
        + _SAID.format(which="IN ('grant.ended', 'grant.failed')"),
    ),
}


_OWN = "approved_by_another"
_OWN_VOTES = text(
    f"SELECT o.number, e.body FROM ({INVARIANTS[_OWN][1]}) o"
    " LEFT JOIN ledger_entry e ON e.ref = 'PA-' || o.number AND e.type = 'approval.given'"
)


def broken(tx: Connection, now: int) -> dict[str, tuple[int, ...]]:
    """By invariant, the numbers that break it, some at most; every invariant is present. `now` in µs."""
    return {
        name: _not_allowed(tx) if name == _OWN else _numbers(tx, query, now) for name, (_, query) in INVARIANTS.items()
    }


def _not_allowed(tx: Connection) -> tuple[int, ...]:
    """Own votes that no rule allowed: the audit log has that, the rows do not. Those that one did may be many."""
    allowed: dict[int, bool] = {}
    for number, body in tx.execute(_OWN_VOTES):
        allowed[number] = allowed.get(number, False) or (body is not None and _is_allowed(body))
    return tuple(number for number, is_allowed in allowed.items() if not is_allowed)[:_MOST]


def _is_allowed(body: bytes) -> bool:
    return bool(fields_of(bytes(body))["data"].get("own_request"))


def _numbers(tx: Connection, query: str, now: int) -> tuple[int, ...]:
    limited = text(f"{query} LIMIT {_MOST}")
    parameters = {"now": now} if ":now" in query else {}
    return tuple(row[0] for row in tx.execute(limited, parameters))
