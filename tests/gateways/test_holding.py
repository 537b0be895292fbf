"""Statements that wait until an approver lets them run: real clients, a real server, the real store."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from access.errors import Refused, TooLate
from access.events import SessionClosed, StatementAllowed, StatementHeld, StatementRefused
from access.sessions.model import HeldState
from gateways.holding import MOST, MOST_CALLED
from tests.gateways.held import Away, Client, rows, run_of, until
from tests.people import ADA, LINUS, MARGARET


async def test_a_statement_runs_once_an_approver_lets_it(client: Client) -> None:
    running = asyncio.create_task(client.db.execute("delete from held"))
    held = await client.held()
    assert not running.done()
    assert [one.id for one in await client.deciding.waiting(ADA)] == ["PA-1-1.2"]
    await client.deciding.decide(held.id, ADA, allow=True)
    assert (await running).rowcount == 1
    assert client.heard == [
        "PA-1-1.2 waits until an approver lets it run (writes without a condition), for at most 2 minutes."
    ]
    told = (await client.scene.events(StatementHeld))[-1]
    assert (told.text, told.flags, told.tables, told.to) == (
        "delete from held", ("write-without-where",), ("write table:held",), ("U0ADA",),
    )  # fmt: skip
    allowed = (await client.scene.events(StatementAllowed))[-1]
    assert (allowed.held, allowed.by, allowed.rule) == ("PA-1-1.2", ADA, "orders-db/read")


async def test_what_is_refused_fails_cleanly_and_the_session_goes_on(client: Client) -> None:
    running = asyncio.create_task(client.db.execute("delete from held"))
    await client.held()
    await client.deciding.decide("PA-1-1.2", ADA, allow=False)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"ada has refused PA-1-1\.2\."):
        await running
    assert await rows(client) == 1
    run = await until(lambda: run_of(client.scene, "delete from held"))
    assert (run.outcome, run.flags) == ("42501", ("write-without-where",))


async def test_in_a_transaction_it_fails_like_any_statement(client: Client) -> None:
    async with client.db.transaction(force_rollback=True):
        await client.db.execute("insert into held values (2)")
        running = asyncio.create_task(client.db.execute("update held set n = %s", (3,)))
        await client.held()
        assert "locks of this transaction" in client.heard[0]
        await client.deciding.decide("PA-1-1.2", ADA, allow=False)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await running
        with pytest.raises(psycopg.errors.InFailedSqlTransaction):
            await client.db.execute("select 1")
    assert await rows(client) == 1
    (told,) = (await client.scene.events(StatementHeld))[1:]
    assert (told.text, told.values, told.in_transaction) == ("update held set n = $1", '["\\\\x0003"]', True)


async def test_within_a_pipeline_what_follows_is_skipped_and_the_next_batch_runs(client: Client) -> None:
    async def batch() -> None:
        async with client.db.pipeline() as pipeline:
            await client.db.execute("insert into held values (2)", prepare=True)
            await client.db.execute("delete from held", prepare=True)
            await client.db.execute("insert into held values (3)")
            await pipeline.sync()
            await client.db.execute("insert into held values (4)")

    running = asyncio.create_task(batch())
    await client.held()
    await client.deciding.decide("PA-1-1.2", ADA, allow=False)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await running
    assert await rows(client) in (1, 2)  # whether the last of them was sent at all is the driver's affair
    assert await (await client.db.execute("select 7")).fetchone() == (7,)


async def test_a_prepared_statement_waits_each_time_it_isrun_of(client: Client) -> None:
    for n, allow in ((2, True), (3, False)):
        running = asyncio.create_task(client.db.execute("update held set n = %s::int", (n,), prepare=True))
        await client.held(n)
        await client.deciding.decide(f"PA-1-1.{n}", ADA, allow=allow)
        if allow:
            await running
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                await running
    assert await (await client.db.execute("select n from held")).fetchone() == (2,)


#: what somebody tries who does not want to wait: each must wait all the same
PAST_IT = [
    "select 1; delete from held",
    "with gone as (delete from held returning *) select * from gone",
    "do $$ begin delete from held; end $$",
    "prepare p as delete from held",
    "/* x */ delete /* y */ from held -- where n = 1",
    "explain (analyze) delete from held",
    "set search_path to evil, pg_catalog",
]


async def test_nothing_is_slipped_past_it_in_another_form(client: Client) -> None:
    for n, text in enumerate(PAST_IT, 2):
        running = asyncio.create_task(client.db.execute(text))
        held = await client.held(n)
        assert held.state is HeldState.WAITING, text
        await client.deciding.decide(held.id, ADA, allow=False)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            await running
    assert await rows(client) == 1


async def test_what_was_prepared_by_a_driver_waits_when_sql_runs_it(client: Client) -> None:
    """A Parse does nothing by itself, and `EXECUTE` does not say what it runs."""
    await asyncio.to_thread(client.db.pgconn.prepare, b"theirs", b"delete from held")
    running = asyncio.create_task(client.db.execute("execute theirs"))
    await client.held()
    await client.deciding.decide("PA-1-1.2", ADA, allow=False)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        await running
    assert "write-without-where" in (await client.scene.events(StatementHeld))[-1].flags
    assert await rows(client) == 1


async def test_names_cannot_be_given_another_meaning_with_the_greeting(client: Client) -> None:
    with pytest.raises(psycopg.OperationalError, match="would have to be approved"):
        await psycopg.AsyncConnection.connect(client.ticket.dsn(options="-c search_path=evil,pg_catalog"))


async def test_nobody_decides_in_time(client: Client) -> None:
    running = asyncio.create_task(client.db.execute("delete from held"))
    await client.held()
    client.scene.world.clock.pass_by(minutes=2)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match=r"Nobody let PA-1-1\.2 run within 2 minutes\."):
        await running
    with pytest.raises(TooLate, match="already refused"):
        await client.deciding.decide("PA-1-1.2", ADA, allow=True)
    assert await rows(client) == 1


async def test_only_who_may_approve_the_grant_decides_and_only_one_of_them(client: Client) -> None:
    running = asyncio.create_task(client.db.execute("delete from held"))
    await client.held()
    for person in (LINUS, MARGARET):
        with pytest.raises(Refused):
            await client.deciding.decide("PA-1-1.2", person, allow=True)
    both = [client.deciding.decide("PA-1-1.2", ADA, allow=allow) for allow in (True, False)]
    said = await asyncio.gather(*both, return_exceptions=True)
    assert sorted(type(one).__name__ for one in said) == ["Held", "TooLate"]
    await asyncio.gather(running, return_exceptions=True)
    decided = [*await client.scene.events(StatementAllowed), *await client.scene.events(StatementRefused)]
    assert sum(event.held == "PA-1-1.2" for event in decided) == 1


async def test_ctrl_c_takes_it_back(client: Client) -> None:
    running = asyncio.create_task(client.db.execute("delete from held"))
    await client.held()
    await client.db.cancel_safe()
    with pytest.raises(psycopg.errors.QueryCanceled):
        await running
    assert await rows(client) == 1
    assert (await client.scene.events(StatementRefused))[-1].why == "canceling statement due to user request"


async def test_a_grant_that_ends_ends_the_waiting(client: Client) -> None:
    running = asyncio.create_task(client.db.execute("delete from held"))
    await client.held()
    await client.scene.world.broker.end(1, ADA)
    with pytest.raises(psycopg.OperationalError):
        await running
    await client.scene.told(SessionClosed)
    (told,) = await client.scene.told(StatementRefused)
    assert told.why == "Its session has ended."
    with pytest.raises(TooLate):
        await client.deciding.decide("PA-1-1.2", ADA, allow=True)
    assert await run_of(client.scene, "delete from held") is None  # it never came near the database


async def test_nobody_is_asked_endlessly(client: Client) -> None:
    now = client.scene.world.clock.now()
    for _ in range(MOST):
        client.scene.desk.holding._pace.note("PA-1", now)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="within an hour"):
        await client.db.execute("delete from held")


async def test_people_are_not_written_to_endlessly(client: Client) -> None:
    """Of what follows, the thread tells: a loop of held statements is no way to keep people from their messages."""
    now = client.scene.world.clock.now()
    for _ in range(MOST_CALLED):
        client.scene.desk.holding._pace.note("PA-1", now)
    running = asyncio.create_task(client.db.execute("delete from held"))
    await client.held()
    assert (await client.scene.events(StatementHeld))[-1].to == ()
    await client.deciding.decide("PA-1-1.2", ADA, allow=True)
    await running


async def test_where_the_log_is_away_nothing_runs(client: Client) -> None:
    """Neither what is to be asked about, nor what already waits."""
    holding = client.scene.desk.holding
    running = asyncio.create_task(client.db.execute("delete from held"))
    await client.held()
    holding.store, holding.sessions = Away(), Away()  # type: ignore[assignment]
    client.scene.world.clock.pass_by(minutes=2)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="Nobody let"):
        await running
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="Nobody could be asked"):
        await client.db.execute("delete from held")
    assert await rows(client) == 1


async def test_what_nobody_could_read_is_refused_at_once(client: Client) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="too long"):
        await client.db.execute("delete from held; select '" + "x" * 9000 + "'")
    assert await rows(client) == 1
