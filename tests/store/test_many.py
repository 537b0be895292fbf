"""Many endings in one transaction, and what must always be true of the rows; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from access.errors import Unavailable
from access.model import Cause, GrantState
from access.revoking.starting import ending
from audit.canonical import micros
from benchmarks.revoke_load import a_grant, load
from store import SqlStore, open_store
from store.invariants import INVARIANTS, broken
from tests.people import LEDGER, ManualClock

HOUR = timedelta(hours=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    url = f"sqlite:///{tmp_path}/many.db" if request.param == "sqlite" else request.getfixturevalue("fresh_database")
    clock = ManualClock()
    made = open_store(url, clock, LEDGER)
    now = clock.now()
    load(made.log.database, [a_grant(number, now, now + HOUR) for number in range(1, 8)])
    yield made
    made.close()


async def test_many_begin_to_end_in_one_transaction(store: SqlStore) -> None:
    grants = (await store.grants_by_number(range(1, 6))).values()
    head = await store.log.head()
    now = ManualClock().now()
    stood = await store.commit_each([ending(grant, Cause.DEADLINE, now) for grant in grants])
    assert stood == (True,) * 5
    moved = await store.grants_by_number(range(1, 8))
    assert [grant.state for grant in moved.values()] == [GrantState.REVOKING] * 5 + [GrantState.ACTIVE] * 2
    assert all((g.cause, g.version, len(g.leases)) == (Cause.DEADLINE, 2, 1) for g in moved.values() if g.number < 6)
    entries = await store.log.entries(head)
    assert [(e.event.TAG, e.event.ref, e.n) for e in entries] == [("grant.ending", f"PA-{n}", 1) for n in range(1, 6)]


async def test_what_has_moved_on_is_left_out_and_the_others_stand(store: SqlStore) -> None:
    grants = await store.grants_by_number([1, 2, 3])
    now = ManualClock().now()
    await store.commit_each([ending(grants[2], Cause.REQUESTER, now)])
    stood = await store.commit_each([ending(grant, Cause.DEADLINE, now) for grant in grants.values()], wait=False)
    assert stood == (True, False, True)
    again = await store.grant(2)
    assert again is not None
    assert again.cause is Cause.REQUESTER
    assert [e.event.TAG for e in await store.log.entries_of("PA-2")].count("grant.ending") == 1


async def test_a_row_that_somebody_is_at_is_left_to_them(store: SqlStore) -> None:
    database = store.log.database
    if database.is_sqlite:
        pytest.skip("SQLite has one writer")
    grants = await store.grants_by_number([1, 2])
    changes = [ending(grant, Cause.DEADLINE, ManualClock().now()) for grant in grants.values()]
    with database.engine.connect() as other, other.begin():
        other.exec_driver_sql("SELECT 1 FROM access_grant WHERE number = 1 FOR UPDATE")
        assert await store.commit_each(changes, wait=False) == (False, True)


async def test_nothing_of_many_stands_when_the_log_cannot_take_them(store: SqlStore) -> None:
    grants = (await store.grants_by_number([1, 2])).values()
    changes = [ending(grant, Cause.DEADLINE, ManualClock().now()) for grant in grants]
    store.log.database.transact(lambda tx: tx.exec_driver_sql("ALTER TABLE ledger_frontier RENAME TO away"))
    with pytest.raises(Unavailable):
        await store.commit_each(changes)
    store.log.database.transact(lambda tx: tx.exec_driver_sql("ALTER TABLE away RENAME TO ledger_frontier"))
    assert {g.state for g in (await store.grants_by_number([1, 2])).values()} == {GrantState.ACTIVE}


BREAKING = {
    "scheduled": "UPDATE access_grant SET due_at = NULL WHERE number = 3",
    "ended_on_time": "UPDATE access_grant SET expires_at = expires_at - 4000000000 WHERE number = 3",
    "nothing_left": "UPDATE access_grant SET state = 'revoked', due_at = NULL, ended_at = expires_at WHERE number = 3",
    "approved": "UPDATE access_request SET state = 'denied' WHERE number = 3",
    "approved_by_another": "INSERT INTO access_vote (request_id, person_id, person, at, rule) "
    "VALUES ('request-3', 'T0/U0LINUS', '[]', 0, '')",
    "in_the_log": "UPDATE access_grant SET number = 99 WHERE number = 3",
}


@pytest.mark.parametrize("name", INVARIANTS)
async def test_what_breaks_an_invariant_is_found(store: SqlStore, name: str) -> None:
    now, database = micros(ManualClock().now()), store.log.database
    database.transact(lambda tx: tx.exec_driver_sql(REQUESTS))
    assert not any(database.transact(lambda tx: broken(tx, now), write=False).values())
    database.transact(lambda tx: tx.exec_driver_sql(BREAKING[name]))
    found = database.transact(lambda tx: broken(tx, now), write=False)
    assert found[name] in ((3,), (99,))


REQUESTS = (
    "INSERT INTO access_request (id, number, key, requester_id, requester, target, role, duration, reason, ticket,"
    " state, created_at, lapses_at, policy_hash, rule, approvals_needed, glass, asked, note, version) "
    "SELECT request_id, number, request_id, 'T0/U0LINUS', requester, target, role, 3600, reason, ticket, 'approved',"
    " created_at, expires_at, '', '', 1, glass, '[]', '', 1 FROM access_grant"
)
