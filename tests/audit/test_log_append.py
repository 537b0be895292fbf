"""What `append` takes from the entries themselves, and what it makes of a clock that cannot be right."""

from __future__ import annotations

import sqlite3
import unicodedata
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from access.errors import Stale
from access.events import (
    CredentialIntended,
    Event,
    GrantEnded,
    LogQuiet,
    QueryRun,
    RequestCancelled,
    ServerStarted,
)
from audit.canonical import fields_of
from audit.log import AHEAD, BEHIND, ClockAstray
from audit.merkle import leaf_hash, subtree
from store import SqlStore
from tests.people import LEDGER, LINUS, ManualClock
from tests.prepared import open_prepared


class Log:
    """A log on disk or on PostgreSQL, appended to at times of the test's choice."""

    def __init__(self, url: str) -> None:
        self.clock = ManualClock()
        self.store: SqlStore = open_prepared(url, self.clock, LEDGER)

    async def append(self, *events: Event, at: datetime | None = None) -> tuple[int, ...]:
        now = at or self.clock.now()
        return await self.store.log.database.write(lambda tx: LEDGER.append(tx, events, now))

    async def bodies(self) -> list[dict[str, Any]]:
        return [fields_of(body) for body in await self.store.log.bodies(0, None, 1000)]

    async def tamper(self, statement: str) -> None:
        def work(tx: Any) -> None:
            assert tx.exec_driver_sql(statement).rowcount > 0

        await self.store.log.database.write(work)


@pytest.fixture(params=["sqlite", "postgresql"])
def log(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Log]:
    sqlite = f"sqlite:///{tmp_path}/a.db"
    made = Log(sqlite if request.param == "sqlite" else request.getfixturevalue("fresh_database"))
    yield made
    made.store.close()


def cancelled(log: Log, ref: str = "PA-1") -> Event:
    return RequestCancelled(at=log.clock.now(), ref=ref, by=LINUS)


def intended(log: Log, at: datetime) -> Event:
    return CredentialIntended(at=at, ref="PA-1", n=1, attempt=1, host="h", address="127.0.0.1", policy_hash="")


def places(bodies: list[dict[str, Any]], ref: str) -> list[tuple[int, int | None]]:
    return [(body["n"], body.get("prev")) for body in bodies if body.get("ref") == ref]


async def test_entries_of_a_request_are_numbered_from_the_log_itself(log: Log) -> None:
    for ref in ("PA-1", "PA-2", "PA-1"):
        await log.append(cancelled(log, ref))
    await log.append(cancelled(log), cancelled(log))
    await log.append(cancelled(log))
    assert places(await log.bodies(), "PA-1") == [(0, None), (1, 0), (2, 2), (3, 3), (4, 4)]


async def test_an_altered_time_of_the_frontier_gets_into_no_entry(log: Log) -> None:
    await log.append(cancelled(log))
    await log.tamper("UPDATE ledger_frontier SET last_recorded_at = 4102444800000000")  # 2100
    log.clock.pass_by(seconds=1)
    await log.append(cancelled(log))
    first, second = [body["recorded_at"] for body in await log.bodies()]
    assert second - first == 1_000_000


async def test_a_reading_of_2100_is_refused_and_poisons_nothing(log: Log) -> None:
    await log.append(LogQuiet(at=log.clock.now()))
    wrong = datetime.fromisoformat("2100-01-01T00:00+00:00")
    with pytest.raises(ClockAstray, match=r"clock says 2100-01-01, years after .* last entry of 2026-11-23"):
        await log.append(LogQuiet(at=wrong), at=wrong)
    log.clock.pass_by(seconds=1)
    await log.append(LogQuiet(at=log.clock.now()))
    assert [body["recorded_at"] % 60_000_000 for body in await log.bodies()] == [0, 1_000_000]


async def test_a_log_that_rested_for_years_goes_on(log: Log) -> None:
    await log.append(LogQuiet(at=log.clock.now()))
    assert await log.append(LogQuiet(at=log.clock.now()), at=log.clock.now() + AHEAD) == (1,)


async def test_a_clock_that_is_behind_gives_nothing_and_takes_everything_away(log: Log) -> None:
    last = log.clock.now()
    await log.append(LogQuiet(at=last))
    early = last - BEHIND - timedelta(seconds=1)
    with pytest.raises(ClockAstray, match="No access is given until the clock is set right"):
        await log.append(intended(log, early), at=early)
    ended = GrantEnded(
        at=early, ref="PA-1", cause="expired", credentials=0, opened_at=early, ending_since=early, proof=("gone",)
    )
    await log.append(ServerStarted(at=early, version="1"), cancelled(log), ended, at=early)
    assert len({body["recorded_at"] for body in await log.bodies()}) == 1, "time does not run back"


async def test_a_clock_that_is_a_little_behind_is_only_a_clock(log: Log) -> None:
    last = log.clock.now()
    await log.append(LogQuiet(at=last))
    assert await log.append(intended(log, last - BEHIND), at=last - BEHIND) == (1,)


async def test_the_last_of_a_request_is_found_without_reading_the_others(tmp_path: Path) -> None:
    Log(f"sqlite:///{tmp_path}/a.db").store.close()
    with sqlite3.connect(tmp_path / "a.db") as db:
        query = "SELECT seq FROM ledger_entry WHERE ref = 'PA-1' ORDER BY seq DESC LIMIT 1"
        plan = [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {query}")]
    db.close()
    assert plan == ["SEARCH ledger_entry USING COVERING INDEX ledger_entry_ref (ref=?)"], "and nothing is sorted"


def touched(log: Log, n: int) -> Event:
    """One of some sessions' statements, every third without a word that is private."""
    text = "" if n % 3 == 0 else f"SELECT 'caf\u0065\u0301 {n}'"
    return QueryRun(
        at=log.clock.now(), ref=f"PA-{n % 4}" if n % 5 else "", by=LINUS, session="s1", target="t", text=text, shape="",
        touches=(), coverage="full", rows=n,
    )  # fmt: skip


@pytest.mark.parametrize("count", [1, 49, 300])
async def test_many_at_once_are_what_they_would_be_one_by_one(log: Log, count: int) -> None:
    await log.append(cancelled(log, "PA-2"))
    events = [touched(log, n) for n in range(count)]
    assert await log.append(*events) == tuple(range(1, count + 1))
    await log.append(cancelled(log, "PA-1"))
    read = await log.store.log.entries(-1, 1000)
    assert [entry.seq for entry in read] == list(range(count + 2))
    said = [getattr(entry.event, "text", "") for entry in read[1:-1]]
    assert said == [unicodedata.normalize("NFC", event.text) for event in events if isinstance(event, QueryRun)]
    followed: dict[str, tuple[int, int | None]] = {}
    for body in await log.bodies():
        if ref := body.get("ref"):
            n, prev = followed.get(ref, (0, None))
            assert (body["n"], body.get("prev")) == (n, prev)
            followed[ref] = n + 1, body["seq"]
    leaves = [leaf_hash(entry.body) for entry in read]
    assert [entry.leaf for entry in read] == leaves
    assert (await log.store.log.checkpoint_range(len(read))).root() == subtree(leaves)


async def test_a_place_that_is_taken_is_nobodys_fault_and_nothing_is_written(log: Log) -> None:
    """Another row stands where the log ends: whatever it is that was refused, it says so by our own error."""
    await log.append(cancelled(log))
    columns = "recorded_at, type, ref, leaf, body"
    await log.tamper(f"INSERT INTO ledger_entry (log_id, seq, {columns}) SELECT 1, 1, {columns} FROM ledger_entry")
    for count in (1, 120):
        with pytest.raises(Stale):
            await log.append(*(touched(log, n) for n in range(count)))
    assert await log.store.log.head() == 0
    found = await log.store.log.database.read(lambda tx: tx.exec_driver_sql("SELECT 1 FROM ledger_payload").all())
    assert found == []
