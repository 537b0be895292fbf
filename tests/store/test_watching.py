"""What a shadow follows: every grant that the log speaks of, and the open ones page by page; on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from access.model import Cause, GrantState
from access.ports import Gone
from access.revoking.following import BEGINNING, Following
from access.revoking.proving import gone
from access.revoking.shadow import Shadow
from access.revoking.starting import ending
from audit.canonical import micros
from benchmarks.revoke_load import a_grant, load
from store import SqlStore
from store.watching import Watching
from tests.people import LEDGER, ManualClock
from tests.prepared import open_prepared

clock = ManualClock()
MINUTE = timedelta(minutes=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlStore]:
    url = f"sqlite:///{tmp_path}/many.db" if request.param == "sqlite" else request.getfixturevalue("fresh_database")
    made = open_prepared(url, clock, LEDGER)
    now = clock.now()
    load(made.log.database, [a_grant(n, now, now + (n % 5 + 1) * MINUTE) for n in range(1, 12)])
    yield made
    made.close()


async def test_pages_follow_each_other_without_a_gap(store: SqlStore) -> None:
    watching, found, place = Watching(store.log.database), list[tuple[int, int]](), BEGINNING
    while page := await watching.open_grants(place, 3):
        found += page
        place = page[-1]
    now = clock.now()
    assert found == sorted((micros(now + (n % 5 + 1) * MINUTE), n) for n in range(1, 12))


async def test_it_follows_what_others_write(store: SqlStore) -> None:
    shadow = Shadow()
    following = Following(store, Watching(store.log.database), shadow)
    while not following.is_filled:
        await following.look()
    assert len(shadow) == 11
    now, grants = clock.now(), await store.grants_by_number([1, 2])
    await store.commit_each([ending(grant, Cause.ADMIN, now) for grant in grants.values()])
    begun = await store.grants_by_number([2])
    await store.commit_each([gone(begun[2], Gone(("Gone.",)), now)])
    moves = await Watching(store.log.database).since(10)
    assert (moves.open, moves.ended) == ({1: 2}, frozenset({2}))
    for _ in range(2):
        await following.look()
    known = shadow.get(1)
    assert known is not None
    assert (known.state, known.version, shadow.knows(2)) == (GrantState.REVOKING, 2, False)
    await following.look()  # nothing new
    assert len(shadow) == 10


async def test_what_did_not_fit_is_read_when_there_is_room(store: SqlStore) -> None:
    shadow = Shadow(most=10)
    following = Following(store, Watching(store.log.database), shadow)
    while not following.is_filled:
        await following.look()
    assert (len(shadow), shadow.left_out) == (10, 1)
    grants = await store.grants_by_number([5, 10])
    for change in [ending(grant, Cause.ADMIN, clock.now()) for grant in grants.values()]:
        await store.commit(change)
    for grant in (await store.grants_by_number([5, 10])).values():
        await store.commit(gone(grant, Gone(("Gone.",)), clock.now()))
    for _ in range(4):
        await following.look()
    assert (len(shadow), shadow.left_out) == (9, 0)
