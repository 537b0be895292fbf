"""Several processes on one PostgreSQL: seen while they live, gone when they end, put out when they are silent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta

import pytest

import store.claims
from access.errors import Unavailable
from access.model import Cause, Grant, GrantState
from access.retry import CLAIM
from access.revoking.starting import claimed, ending
from benchmarks.revoke_load import a_grant, load
from store import SqlStore, open_store
from store.claims import Beacon, Pooled
from tests.people import LEDGER, ManualClock


@pytest.fixture
def stores(fresh_database: str) -> Iterator[tuple[SqlStore, ...]]:
    with ExitStack() as stack:
        made = tuple(open_store(fresh_database, ManualClock(), LEDGER) for _ in range(3))
        for each in made:
            stack.callback(each.close)
        yield made


@pytest.fixture
def beacons(stores: tuple[SqlStore, ...]) -> Iterator[tuple[Beacon, ...]]:
    made = tuple(Beacon(each.log.database) for each in stores)
    yield made
    for beacon in made:
        beacon.close()


def test_each_sees_all_that_live(beacons: tuple[Beacon, ...]) -> None:
    first, second, third = beacons
    assert first.look().living == {first.me}
    assert second.look().living == {first.me, second.me}
    assert third.look().living == {first.me, second.me, third.me}
    third.close()
    wait_for(lambda: first.look().living == {first.me, second.me})


def test_one_has_the_turn_and_the_next_gets_it_after_it(beacons: tuple[Beacon, ...]) -> None:
    first, second, _ = beacons
    assert [first.look().ours, second.look().ours, first.look().ours] == [True, False, True]
    first.close()
    wait_for(lambda: second.look().ours)
    assert not first.look().ours


def test_one_that_takes_no_turns_leaves_them_to_others(
    stores: tuple[SqlStore, ...], beacons: tuple[Beacon, ...]
) -> None:
    only_ends = Beacon(stores[0].log.database, takes_turns=False)
    try:
        assert not only_ends.look().ours
        assert beacons[1].look().ours
        assert only_ends.me in beacons[1].look().living
    finally:
        only_ends.close()


def test_whoever_is_silent_is_put_out_and_notices(stores: tuple[SqlStore, ...], beacons: tuple[Beacon, ...]) -> None:
    frozen, second, _ = beacons
    frozen.look()
    assert not second.look().ours
    postgres_ages(frozen, second)
    with pytest.raises(Unavailable):
        frozen.look()
    wait_for(lambda: second.look().living == {second.me})
    assert second.look().ours
    assert not frozen.look().ours


def wait_for(true: Callable[[], bool]) -> None:
    """The server learns of a closed connection a moment later."""
    until = time.monotonic() + 20
    while not true():
        assert time.monotonic() < until
        time.sleep(0.02)


def postgres_ages(frozen: Beacon, other: Beacon) -> None:
    """As after ten seconds: the same words, with no patience at all."""
    words = store.claims._PUT_OUT.replace(f"interval '{store.claims.SILENCE} seconds'", "interval '0 seconds'")
    assert words != store.claims._PUT_OUT
    tx = other._connection
    assert tx is not None
    assert [(row[0], row[1] > 1) for row in tx.exec_driver_sql(words)] == [(frozen.me, True)]


def test_the_log_of_others_is_heard(stores: tuple[SqlStore, ...], beacons: tuple[Beacon, ...]) -> None:
    assert beacons[0].look().head == -1
    now = ManualClock().now()
    load(stores[1].log.database, [a_grant(1, now, now)])
    assert beacons[0].look().head == 0


def test_a_pooler_that_shares_connections_is_noticed(stores: tuple[SqlStore, ...], beacons: tuple[Beacon, ...]) -> None:
    """Another session answers than the one that holds our lock."""
    beacon = beacons[0]
    beacon.look()
    elsewhere = stores[0].log.database.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    ours, beacon._connection = beacon._connection, elsewhere
    with pytest.raises(Pooled, match="session mode"):
        beacon.look()
    assert ours is not None
    ours.close()


# Claims


async def claim(one: SqlStore, number: int, me: int | None) -> Grant:
    grant = await one.grant(number)
    assert grant is not None
    now = ManualClock().now()
    begins = grant.state is GrantState.ACTIVE
    change = ending(grant, Cause.DEADLINE, now, claim=me) if begins else claimed(grant, now, me)
    assert await one.commit_each([change]) == (True,)
    again = await one.grant(number)
    assert again is not None
    return again


async def test_claims_of_the_gone_are_found_and_of_nobody_else(stores: tuple[SqlStore, ...]) -> None:
    one, now = stores[0], ManualClock().now()
    load(one.log.database, [a_grant(n, now, now + timedelta(hours=1)) for n in range(1, 6)])
    assert (await claim(one, 1, 11)).claim == 11
    await claim(one, 2, 22)
    await claim(one, 3, None)  # nobody could see who that is: it runs out by itself
    assert await one.abandoned({11, 22}) == ()
    assert await one.abandoned({11}) == (2,)
    assert await one.abandoned(set()) == (1, 2)


async def test_a_claim_that_was_given_up_long_ago_is_not_looked_for(stores: tuple[SqlStore, ...]) -> None:
    one = stores[0]
    long_ago = ManualClock().now() - 3 * CLAIM
    load(one.log.database, [replace(a_grant(1, long_ago, long_ago), claim=11)])
    assert await one.abandoned(set()) == ()
    due = await one.due(ManualClock().now(), 10)
    assert due.grants == (1,)


async def test_a_beginning_does_not_wait_for_whoever_holds_the_log(
    stores: tuple[SqlStore, ...], caplog: pytest.LogCaptureFixture
) -> None:
    """Else a process that stands still in the middle of a write would hold up all ends for as long."""
    first, second, _ = stores
    now = ManualClock().now()
    load(first.log.database, [a_grant(1, now - timedelta(hours=1), now)])
    grant = await first.grant(1)
    assert grant is not None
    with second.log.database.engine.connect() as frozen, frozen.begin():
        frozen.exec_driver_sql("SELECT size FROM ledger_frontier FOR UPDATE")
        with pytest.raises(Unavailable):
            await first.commit_each([ending(grant, Cause.DEADLINE, now)], wait=False)
    assert "database is too slow" not in caplog.messages  # it was the database's no, and not our patience
    assert await first.commit_each([ending(grant, Cause.DEADLINE, now)], wait=False) == (True,)
