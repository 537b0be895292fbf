"""What must always be true of the live rows: true of an ordinary store, and each breach is found; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from access.events import ApprovalGiven
from access.ports import Change
from audit.canonical import micros
from benchmarks.revoke_load import a_grant, load
from store import SqlStore
from store.invariants import INVARIANTS, broken
from tests.people import LEDGER, LINUS, ManualClock
from tests.prepared import open_prepared

HOUR = timedelta(hours=1)
NOW = micros(ManualClock().now())

REQUESTS = (
    "INSERT INTO access_request (id, number, key, requester_id, requester, target, role, duration, reason, ticket,"
    " state, created_at, lapses_at, policy_hash, rule, approvals_needed, glass, asked, note, version) "
    "SELECT request_id, number, request_id, 'T0/U0LINUS', requester, target, role, 3600, reason, ticket, 'approved',"
    " created_at, expires_at, '', '', 1, glass, '[]', '', 1 FROM access_grant"
)
VOTES = (
    "INSERT INTO access_vote (request_id, person_id, person, at, rule)"
    " SELECT request_id, 'T0/U0ADA', '[]', created_at, '' FROM access_grant"
)
BREAKING = {
    "scheduled": "UPDATE access_grant SET due_at = NULL WHERE number = 3",
    "decided_in_time": "UPDATE access_request SET state = 'pending' WHERE number = 3",
    "ended_on_time": "UPDATE access_grant SET expires_at = expires_at - 4000000000 WHERE number = 3",
    "nothing_left": "UPDATE access_grant SET state = 'revoked', due_at = NULL, ended_at = expires_at WHERE number = 3",
    "within_what_was_approved": "UPDATE access_grant SET expires_at = expires_at + 60000000 WHERE number = 3",
    "credentials_end_with_it": "UPDATE access_lease SET not_after = not_after + 61000000 WHERE grant_number = 3",
    "under_a_handle": "DELETE FROM access_handle WHERE grant_number = 3",
    "approved": "UPDATE access_request SET state = 'denied' WHERE number = 3",
    "voted_for": "DELETE FROM access_vote WHERE request_id = 'request-3'",
    "approved_by_another": "INSERT INTO access_vote (request_id, person_id, person, at, rule) "
    "VALUES ('request-3', 'T0/U0LINUS', '[]', 0, '')",
    "in_the_log": "UPDATE access_grant SET state = 'revoking' WHERE number = 3",
    "ended_in_the_log": "UPDATE access_grant SET state = 'failed', due_at = NULL, ended_at = expires_at"
    " WHERE number = 3",
    "not_open_again": "INSERT INTO ledger_entry (log_id, seq, recorded_at, type, ref, leaf, body)"
    " SELECT log_id, seq + 1000, recorded_at, 'grant.ended', ref, leaf, body FROM ledger_entry WHERE ref = 'PA-3'",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    url = f"sqlite:///{tmp_path}/rows.db" if request.param == "sqlite" else request.getfixturevalue("fresh_database")
    clock = ManualClock()
    made = open_prepared(url, clock, LEDGER)
    load(made.log.database, [a_grant(number, clock.now(), clock.now() + HOUR) for number in range(1, 8)])
    for statement in (REQUESTS, VOTES):
        run(made, statement)
    yield made
    made.close()


def run(store: SqlStore, statement: str) -> None:
    store.log.database.transact(lambda tx: tx.exec_driver_sql(statement))


def found(store: SqlStore) -> dict[str, tuple[int, ...]]:
    return store.log.database.transact(lambda tx: broken(tx, NOW), write=False)


def test_each_invariant_has_a_breach_to_be_found_by() -> None:
    assert set(BREAKING) == set(INVARIANTS)


async def test_every_breach_is_found(store: SqlStore) -> None:
    """One after the other, each undone again: what breaks one may break others too."""
    assert not any(found(store).values())
    for name, statement in BREAKING.items():
        broke = _found_while(store, statement)
        assert broke[name] == (3,), name
        assert not any(found(store).values()), name


def _found_while(store: SqlStore, statement: str) -> dict[str, tuple[int, ...]]:
    with store.log.database.engine.connect() as connection, connection.begin() as transaction:
        connection.exec_driver_sql(statement)
        broke = broken(connection, NOW)
        transaction.rollback()
    return broke


async def test_what_extensions_added_is_allowed(store: SqlStore) -> None:
    run(store, "UPDATE access_grant SET expires_at = expires_at + 3600000000 WHERE number = 3")
    assert found(store)["within_what_was_approved"] == (3,)
    run(store, "UPDATE access_request SET extends = 3 WHERE number = 7")
    assert found(store)["within_what_was_approved"] == ()


async def test_ones_own_vote_is_no_breach_where_the_rule_allows_it(store: SqlStore) -> None:
    run(store, BREAKING["approved_by_another"])
    assert found(store)["approved_by_another"] == (3,)
    vote = ApprovalGiven(
        at=ManualClock().now(),
        ref="PA-3",
        by=LINUS,
        policy_hash="p",
        rule="r",
        count=1,
        needed=1,
        digest="d",
        own_request=True,
    )
    await store.commit(Change(events=(vote,)))
    assert found(store)["approved_by_another"] == ()


async def test_many_votes_that_are_allowed_hide_none_that_is_not(store: SqlStore) -> None:
    now = ManualClock().now()
    load(store.log.database, [a_grant(number, now, now + HOUR) for number in range(8, 60)])
    run(store, REQUESTS + " WHERE number > 7")
    run(store, VOTES.replace("U0ADA", "U0LINUS") + " WHERE number > 7")
    own = ApprovalGiven(
        at=now, ref="", by=LINUS, policy_hash="p", rule="r", count=1, needed=1, digest="d", own_request=True
    )  # fmt: skip
    await store.commit(Change(events=tuple(replace(own, ref=f"PA-{n}") for n in range(8, 60) if n != 58)))
    assert found(store)["approved_by_another"] == (58,)


async def test_one_vote_is_not_two(store: SqlStore) -> None:
    run(store, "UPDATE access_request SET approvals_needed = 2 WHERE number = 3")
    assert found(store)["voted_for"] == (3,)
    run(store, VOTES.replace("U0ADA", "U0GRACE") + " WHERE number = 3")
    assert found(store)["voted_for"] == ()
