"""The store's contract, on SQLite and on a real PostgreSQL server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from access.errors import OverQuota, Stale
from access.events import RequestAsked, RequestCancelled
from access.model import (
    Device,
    Grant,
    GrantState,
    Handle,
    Lease,
    LoginCode,
    Request,
    RequestState,
    Vote,
    ref,
)
from access.ports import Change, Quota
from store import SqlStore, open_store
from store.database import Database, DatabaseLocked
from tests.people import ADA, GRACE, LEDGER, LINUS, ManualClock
from tests.prepared import open_prepared

clock = ManualClock()
NOW = clock.now()


@pytest.fixture(params=["sqlite", "postgresql"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[SqlStore]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/prodaccess.db"
    else:
        url = request.getfixturevalue("fresh_database")
    opened = open_prepared(url, clock, LEDGER)
    yield opened
    opened.close()


def a_request(number: int, key: str = "", **changes: object) -> Request:
    fields: dict[str, object] = {
        "id": f"request-{number}", "number": number, "key": key or f"key-{number}", "requester": LINUS,
        "target": "orders-db", "role": "read", "duration": timedelta(hours=1), "reason": "Rückerstattung 🧾 hängt",
        "ticket": "OPS-412", "state": RequestState.PENDING, "created_at": NOW, "lapses_at": NOW + timedelta(hours=1),
        "due_at": NOW + timedelta(hours=1),
        "policy_hash": "p", "rule": "orders-db/read", "approvals_needed": 1,
    }  # fmt: skip
    return Request(**{**fields, **changes})  # type: ignore[arg-type]


def asked(request: Request) -> RequestAsked:
    return RequestAsked(
        at=NOW, ref=request.ref, by=LINUS, request_id=request.id, target=request.target, role=request.role,
        duration=request.duration, reason=request.reason, ticket=request.ticket, policy_hash="p", rule=request.rule,
        approvals_needed=1, deciders=("U0ADA",), digest=request.digest, lapses_at=NOW,
    )  # fmt: skip


def creating(key: str = "") -> Callable[[int], Change]:
    def build(number: int) -> Change:
        request = a_request(number, key)
        return Change(requests=(request,), events=(asked(request),))

    return build


def a_grant(number: int) -> Grant:
    return Grant(
        number=number, request_id=f"request-{number}", requester=LINUS, target="orders-db", role="read", reason="r",
        ticket="OPS-1", provider="memory", uses={"role": "orders-read"}, state=GrantState.ISSUING, created_at=NOW,
        expires_at=NOW + timedelta(hours=1), due_at=NOW + timedelta(seconds=30), duration=timedelta(hours=1),
        started_at=NOW,
    )  # fmt: skip


async def test_what_is_written_is_read_back_whole(store: SqlStore) -> None:
    await store.create(creating())
    vote = Vote("request-1", ADA, NOW, "orders-db/read")
    request = await store.request(1)
    assert request is not None
    decided = replace(request, state=RequestState.APPROVED, decided_by=ADA, decided_at=NOW, due_at=None, note="fine")
    handle = Handle(1, 1, "accessor", NOW)
    lease = Lease(1, 1, 1, "pa_linus", "lease-id", NOW, NOW + timedelta(hours=1))
    await store.commit(
        Change(requests=(decided,), grants=(a_grant(1),), votes=(vote,), handles=(handle,), leases=(lease,))
    )
    assert await store.request(1) == replace(decided, votes=(vote,), version=2)
    assert await store.request_by_id("request-1") == await store.request_by_key("key-1") == await store.request(1)
    assert await store.grant(1) == replace(a_grant(1), handles=(handle,), leases=(lease,), version=1)
    assert [r.number for r in await store.requests_of(LINUS.id)] == [1]
    assert await store.requests_of(ADA.id) == ()


async def test_a_row_moves_only_from_the_version_that_was_read(store: SqlStore) -> None:
    await store.create(creating())
    request = await store.request(1)
    assert request is not None
    await store.commit(Change(requests=(replace(request, state=RequestState.DENIED, due_at=None),)))
    with pytest.raises(Stale):
        await store.commit(Change(requests=(replace(request, state=RequestState.APPROVED),)))
    after = await store.request(1)
    assert after is not None
    assert after.state is RequestState.DENIED


async def test_a_lost_race_leaves_nothing_behind_not_even_its_audit_entry(store: SqlStore) -> None:
    await store.create(creating())
    request = await store.request(1)
    assert request is not None
    await store.commit(Change(requests=(request,)))
    lost = Change(
        requests=(request,),
        votes=(Vote("request-1", ADA, NOW, ""),),
        handles=(Handle(1, 1, "a", NOW),),
        events=(RequestCancelled(at=NOW, ref="PA-1", by=LINUS),),
    )
    with pytest.raises(Stale):
        await store.commit(lost)
    assert await store.log.head() == 0
    after = await store.request(1)
    assert after is not None
    assert after.votes == ()


async def test_twenty_racers_and_one_winner(store: SqlStore) -> None:
    await store.create(creating())
    request = await store.request(1)
    assert request is not None

    async def race(n: int) -> bool:
        try:
            moved = replace(request, state=RequestState.DENIED, note=str(n), due_at=None)
            await store.commit(Change(requests=(moved,), events=(RequestCancelled(at=NOW, ref="PA-1"),)))
        except Stale:
            return False
        return True

    assert sum(await asyncio.gather(*map(race, range(20)))) == 1
    assert await store.log.head() == 1


async def test_one_key_is_one_request_and_numbers_have_no_gaps(store: SqlStore) -> None:
    async def create(key: str) -> bool:
        try:
            await store.create(creating(key))
        except Stale:
            return False
        return True

    won = await asyncio.gather(*(create(f"key-{n % 5}") for n in range(25)))
    assert sum(won) == 5
    assert sorted(r.number for r in await store.requests_of(None)) == [1, 2, 3, 4, 5]


async def test_a_person_votes_once(store: SqlStore) -> None:
    await store.create(creating())
    await store.commit(Change(votes=(Vote("request-1", ADA, NOW, "r"),)))
    await store.commit(Change(votes=(Vote("request-1", GRACE, NOW, "r"),)))
    with pytest.raises(Stale):
        await store.commit(Change(votes=(Vote("request-1", ADA, NOW, "r"),)))


async def test_a_code_is_used_once(store: SqlStore) -> None:
    code = LoginCode("hash", LINUS, NOW + timedelta(minutes=1))
    await store.commit(Change(codes=(code,)))
    used = replace(code, used_at=NOW)
    results = await asyncio.gather(*(store.commit(Change(codes=(used,))) for _ in range(8)), return_exceptions=True)
    assert sum(not isinstance(r, Stale) for r in results) == 1
    assert await store.login_code("hash") == used
    assert await store.login_code("other") is None


async def test_devices(store: SqlStore) -> None:
    device = Device("d1", LINUS, "token-hash", "key", "laptop", "127.0.0.1", NOW, NOW + timedelta(hours=10))
    await store.commit(Change(devices=(device,)))
    await store.commit(Change(devices=(replace(device, ended_at=NOW),)))
    ended = replace(device, ended_at=NOW)
    assert await store.device_by_token("token-hash") == await store.device("d1") == ended
    assert await store.devices_of(LINUS.id) == (ended,)


async def test_the_schedule_is_the_rows(store: SqlStore) -> None:
    assert await store.next_due() is None
    for _ in range(3):
        await store.create(creating())
    await store.commit(Change(grants=(a_grant(1),)))
    due = await store.due(NOW + timedelta(minutes=1), 10)
    assert (due.requests, due.grants) == ((), (1,))
    assert await store.next_due() == NOW + timedelta(seconds=30)
    grant = await store.grant(1)
    assert grant is not None
    await store.commit(Change(grants=(replace(grant, state=GrantState.REVOKED, due_at=None),)))
    assert (await store.due(NOW + timedelta(hours=2), 2)).requests == (1, 2)
    assert (await store.due(NOW + timedelta(hours=2), 10)).grants == ()


async def test_the_log_is_gapless_and_counts_within_each_request(store: SqlStore) -> None:
    await asyncio.gather(*(store.create(creating()) for _ in range(10)))
    await asyncio.gather(
        *(store.commit(Change(events=(RequestCancelled(at=NOW, ref=ref(n)),) * 2)) for n in range(1, 11))
    )
    entries = await store.log.entries(-1)
    assert [entry.seq for entry in entries] == list(range(30))
    assert await store.log.head() == 29
    for number in range(1, 11):
        own = await store.log.entries_of(ref(number))
        assert [entry.n for entry in own] == [0, 1, 2]
        assert [entry.event.TAG for entry in own] == ["request.asked", "request.cancelled", "request.cancelled"]
    assert [entry.seq for entry in await store.log.entries(9, 3)] == [10, 11, 12]


async def test_waiting_for_the_log(store: SqlStore) -> None:
    assert not await store.log.wait(-1, 0.05)
    waiting = asyncio.ensure_future(store.log.wait(-1, 5))
    await asyncio.sleep(0.05)
    await store.create(creating())
    assert await asyncio.wait_for(waiting, 0.5)
    assert await store.log.wait(-1, 0)


@pytest.mark.parametrize("statement", ["UPDATE ledger_entry SET ref = 'x'", "DELETE FROM ledger_entry"])
async def test_the_database_itself_refuses_to_rewrite_the_log(store: SqlStore, statement: str) -> None:
    await store.create(creating())
    with pytest.raises(Exception, match=r"insert-only|Nothing was changed|Somebody else"):
        await store._database.write(lambda tx: tx.execute(text(statement)))
    assert await store.log.head() == 0
    assert len(await store.log.entries(-1)) == 1


async def test_notes(store: SqlStore) -> None:
    assert await store.note("cursor") is None
    await store.put_notes({"cursor": {"seq": 1}, "thread/PA-1": {"ts": "1.2"}})
    await store.put_notes({"cursor": {"seq": 2}})
    assert await store.note("cursor") == {"seq": 2}
    assert await store.note("thread/PA-1") == {"ts": "1.2"}


async def test_counting_grants(store: SqlStore) -> None:
    await store.commit(Change(grants=(a_grant(1),)))
    counts = await store.grants_by_state()
    assert counts["issuing"] == 1
    assert set(counts) == {state.value for state in GrantState}


def test_sqlite_refuses_a_second_process(tmp_path: Path) -> None:
    first = open_store(f"sqlite:///{tmp_path}/a.db", clock, LEDGER)
    with pytest.raises(DatabaseLocked, match="PostgreSQL takes several"):
        open_store(f"sqlite:///{tmp_path}/a.db", clock, LEDGER)
    first.close()
    open_store(f"sqlite:///{tmp_path}/a.db", clock, LEDGER).close()


def test_postgresql_takes_several_but_none_beside_one_that_migrates(fresh_database: str) -> None:
    first, second = (open_store(fresh_database, clock, LEDGER) for _ in range(2))
    alone = Database(fresh_database, alone=False)
    with pytest.raises(DatabaseLocked, match="Stop every"):
        alone.be_alone()
    first.close()
    second.close()
    alone.be_alone()
    alone.close()


async def test_reopening_finds_everything(tmp_path: Path) -> None:
    first = open_store(f"sqlite:///{tmp_path}/a.db", clock, LEDGER)
    await first.create(creating())
    first.close()
    again = open_store(f"sqlite:///{tmp_path}/a.db", clock, LEDGER)
    assert await again.request(1) is not None
    await again.create(creating())
    assert await again.request(2) is not None
    again.close()


def test_the_tables_in_code_are_the_tables_of_the_migrations(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlmodel import SQLModel

    opened = open_store(f"sqlite:///{tmp_path}/a.db", clock, LEDGER)

    def differences(tx: object) -> list[object]:
        # The index of words is each engine's own: FTS5 tables here, a tsvector there.
        ours = {"include_name": lambda name, *_: not str(name).startswith("search_words")}
        return list(compare_metadata(MigrationContext.configure(tx, opts=ours), SQLModel.metadata))  # type: ignore[arg-type]

    found = opened._database.transact(differences)
    opened.close()
    assert found == []


async def test_a_quota_holds_however_many_ask_at_once(store: SqlStore) -> None:
    quota = Quota(LINUS.id, pending=3, recent=10, since=NOW - timedelta(hours=1))
    results = await asyncio.gather(*(store.create(creating(), quota) for _ in range(8)), return_exceptions=True)
    assert sum(isinstance(result, OverQuota) and not result.too_often for result in results) == 5
    assert sorted(r.number for r in await store.requests_of(None)) == [1, 2, 3]
    with pytest.raises(OverQuota) as raised:
        await store.create(creating(), replace(quota, recent=3))
    assert raised.value.too_often
    await store.create(creating(), replace(quota, person_id=ADA.id, pending=1))
    await store.create(creating(), replace(quota, pending=9, recent=5, since=NOW))  # long ago does not count


async def test_open_is_what_waits_or_has_not_ended(store: SqlStore) -> None:
    for _ in range(3):
        await store.create(creating())
    first, second = await store.request(1), await store.request(2)
    assert first is not None
    assert second is not None
    decided = [replace(r, state=RequestState.APPROVED, due_at=None) for r in (first, second)]
    ended = replace(a_grant(1), state=GrantState.REVOKED, due_at=None)
    await store.commit(Change(requests=tuple(decided), grants=(ended, a_grant(2))))
    assert [r.number for r in await store.open_requests()] == [3, 2]
    assert [r.number for r in await store.open_requests(LINUS.id)] == [3, 2]
    assert await store.open_requests(ADA.id) == ()
