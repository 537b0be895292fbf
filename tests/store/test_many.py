"""Many endings in one transaction, and what must always be true of the rows; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from access.errors import Unavailable
from access.model import Cause, GrantState, Person
from access.ports import Change
from access.retry import CLAIM
from access.revoking.starting import ending
from benchmarks.revoke_load import a_grant, load
from store import SqlStore, moves
from tests.people import LEDGER, ManualClock
from tests.prepared import open_prepared

HOUR = timedelta(hours=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    url = f"sqlite:///{tmp_path}/many.db" if request.param == "sqlite" else request.getfixturevalue("fresh_database")
    clock = ManualClock()
    made = open_prepared(url, clock, LEDGER)
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


async def test_a_version_is_never_newer_than_what_was_read_with_it(store: SqlStore) -> None:
    """Else the end of a grant that was read while a credential was made would pass for one that knows it."""
    database, issued = store.log.database, list[str]()
    known = (await store.grants_by_number([1]))[1]
    fresh = Change(grants=(known,), leases=(replace(known.leases[0], n=2, public_id="pa_linus-new"),))

    @event.listens_for(database.engine, "after_cursor_execute")
    def issue_meanwhile(*said: Any) -> None:
        if "FROM access_lease" in said[2] and not issued:
            issued.append("pa_linus-new")
            database.transact(lambda tx: moves.Desk(tx, LEDGER, ManualClock()).write(fresh))

    grant = (await store.grants_by_number([1]))[1]
    assert issued
    assert grant.version == known.version or len(grant.leases) == 2
    now = (await store.grants_by_number([1]))[1]
    assert (now.version, len(now.leases)) == (known.version + 1, 2)


async def test_hundreds_are_each_written_as_they_are(store: SqlStore) -> None:
    now, by = ManualClock().now(), Person("T0/U0ADA", "Ada “Ó” O'Neill", "U0ADA")
    load(store.log.database, [a_grant(number, now, now + HOUR) for number in range(8, 258)])
    grants = (await store.grants_by_number(range(1, 258))).values()
    head = await store.log.head()
    changes = [ending(g, Cause.REQUESTER, now, by if g.number % 2 else None, claim=g.number) for g in grants]
    stood = await store.commit_each([replace(c, grants=(replace(c.grants[0], escalated=True),)) for c in changes])
    assert stood == (True,) * 257
    moved = (await store.grants_by_number(range(1, 258))).values()
    assert all((g.ended_by, g.claim) == (by if g.number % 2 else None, g.number) for g in moved)
    assert all((g.escalated, g.due_at, g.ended_at, g.version) == (True, now + CLAIM, None, 2) for g in moved)
    entries = await store.log.entries(head, 300)
    assert [(e.event.ref, e.n, e.event.by) for e in entries] == [
        (f"PA-{n}", 1, by if n % 2 else None) for n in range(1, 258)
    ]


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


async def test_of_two_ends_of_one_grant_the_first_stands(store: SqlStore) -> None:
    """Two tries that overlap can be written in one transaction."""
    now = ManualClock().now()
    grants = (await store.grants_by_number([1, 2])).values()
    changes = [ending(grant, Cause.DEADLINE, now) for grant in (*grants, *grants)]
    assert await store.commit_each(changes) == (True, True, False, False)
    assert [e.event.TAG for e in await store.log.entries_of("PA-1")].count("grant.ending") == 1
    moved = await store.grants_by_number([1])
    later = replace(changes[0], grants=(replace(moved[1], escalated=True),))
    assert await store.commit_each([changes[0], later]) == (False, False)  # the second is repeated on the row as it is


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
