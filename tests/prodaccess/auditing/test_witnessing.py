"""Before a server signs anything, it has heard what others know of the log; and its tables are what they were."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import text

from access.errors import Unavailable
from access.events import ServerStarted
from access.ports import Change
from access.tasks import Tasks
from bot.thread.anchor import SlackAnchor
from notary.anchoring import Anchoring, Paced
from notary.errors import LogBroken
from notary.memory import FileMemory
from notary.notary import Notary
from notary.ports import Anchor
from notary.signers.file import FileSigner, make_key
from notary.signing import Signing
from prodaccess.auditing.witnessing import Outages, Witnessing
from prodaccess.parts.postgres import Postgres
from store import SqlStore
from store.guards import Unguarded, unguarded
from tests.notary.bench import Drawer, until
from tests.people import LEDGER, ManualClock
from tests.prepared import open_prepared


class Slack:
    """What stands in the audit channel; `silent` does not say."""

    def __init__(self) -> None:
        self.silent = True
        self.seen: tuple[int, bytes] | None = None
        self.asked = 0

    async def newest(self) -> tuple[int, bytes] | None:
        self.asked += 1
        if self.silent:
            raise Unavailable("Slack does not answer.")
        return self.seen


class Server:
    """The log's side of one server process: `start` is what `serve` does."""

    def __init__(self, directory: Path, url: str = "") -> None:
        self.file = directory / "a.db"
        self.clock = ManualClock()
        self.slack = Slack()
        self.key = directory / "log.key"
        self.store: SqlStore = open_prepared(url or f"sqlite:///{self.file}", self.clock, LEDGER)
        if not self.key.exists():
            make_key(self.key)

    def witnessing(self, anchors: Sequence[Anchor] = (), patience: float = 30.0) -> Witnessing:
        signer, records = FileSigner(LEDGER.origin, self.key), self.store.log
        signing = Signing(records, signer, self.clock, (), FileMemory(self.key))
        notary = Notary(records, signing, self.clock, lambda: records.quiet(self.clock))
        outages = Outages(self.store, self.clock)
        anchoring = Anchoring(records, self.clock, outages, notary.ask)
        paced = tuple(Paced(anchor, self.clock.now() - self.clock.now()) for anchor in anchors)
        slack = cast("SlackAnchor", self.slack)
        return Witnessing(
            self.store, self.clock, signer, signing, notary, anchoring, paced, (), slack, patience=patience
        )

    async def append(self) -> int:
        started = ServerStarted(at=self.clock.now(), version="1.0")
        return (await self.store.commit(Change(events=(started,)))).seqs[0]

    async def signed(self) -> int:
        newest = await self.store.log.last_checkpoint()
        return newest.size if newest else 0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    made = Server(tmp_path)
    yield made
    made.store.close()


@asynccontextmanager
async def started(witnessing: Witnessing, *, checked: bool = True) -> AsyncIterator[None]:
    tasks = Tasks()
    running = witnessing.start(tasks)
    try:
        if checked:
            await witnessing.check()
        yield
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def test_nothing_is_signed_before_slack_has_answered_and_readyz_says_so(server: Server) -> None:
    witnessing = server.witnessing()
    await server.append()
    async with started(witnessing):
        await until(lambda: server.slack.asked > 0)
        await asyncio.sleep(1.2)
        assert await server.signed() == 0
        said = "Nothing is signed before Slack and the anchors have said which log they know, or 30 s have passed."
        assert witnessing.ready() == {"checkpoints": said}
        with pytest.raises(Unavailable, match="Nothing is signed before Slack"):
            await witnessing.notary.cover(0)
        server.slack.silent = False
        await until(lambda: witnessing.ready() == {"checkpoints": ""})
        assert (await witnessing.notary.cover(0)).reaches(0)


async def test_a_forged_history_gets_no_signature_when_only_slack_knows_better(server: Server) -> None:
    for _ in range(3):
        await server.append()
    server.slack.seen = (2, bytes(32))  # of the history that Slack has seen
    witnessing = server.witnessing()
    async with started(witnessing):
        await asyncio.sleep(0.2)
        server.slack.silent = False
        await until(lambda: "stands at Slack" in witnessing.ready()["checkpoints"])
        with pytest.raises(LogBroken, match="rewritten"):
            await witnessing.notary.cover(0)
        await asyncio.sleep(1.2)
    await witnessing.close()
    assert await server.signed() == 0
    assert not server.key.with_name("log.key.signed").exists()


async def test_it_waits_for_every_anchor(server: Server) -> None:
    server.slack.silent = False
    drawer = Drawer()
    drawer.why = Unavailable("out of order")
    witnessing = server.witnessing([drawer])
    witnessing.notary.ask_again = 0.1
    await server.append()
    async with started(witnessing):
        await until(lambda: drawer.asked > 1)
        assert witnessing.signing.held
        drawer.why = None
        await until(lambda: not witnessing.signing.held)
        assert (await witnessing.notary.cover(0)).reaches(0)


async def test_after_the_stated_time_it_signs_without_them(server: Server) -> None:
    witnessing = server.witnessing(patience=0.3)
    await server.append()
    async with started(witnessing):
        assert "0.3 s have passed" in witnessing.ready()["checkpoints"]
        assert (await witnessing.notary.cover(0)).reaches(0)
        assert server.slack.silent


async def test_a_stop_before_anybody_answered_signs_nothing(server: Server) -> None:
    witnessing = server.witnessing()
    await server.append()
    async with started(witnessing):
        await asyncio.sleep(0.1)
    await witnessing.close()
    assert await server.signed() == 0


async def test_a_start_below_what_was_signed_with_this_key_is_refused(server: Server, tmp_path: Path) -> None:
    await server.append()
    await server.append()
    await server.witnessing().signing.catch_up()
    await server.witnessing().check()
    (tmp_path / "older").mkdir()
    with closing(Server(tmp_path / "older").store) as store:
        server.store.close()
        server.store = store
        await server.append()
        with pytest.raises(LogBroken, match=r"it has 1 entries, the checkpoint at .*log\.key\.signed has 2"):
            await server.witnessing().check()


async def test_a_start_with_a_log_whose_triggers_are_gone_is_refused(server: Server) -> None:
    await server.witnessing().check()
    with closing(sqlite3.connect(server.file)) as db:
        db.execute("DROP TRIGGER ledger_entry_no_DELETE")
    with pytest.raises(Unguarded, match="The trigger ledger_entry_no_DELETE is missing"):
        await server.witnessing().check()


LIES_ON_SQLITE = {
    "ledger_entry is not a table": (
        "ALTER TABLE ledger_entry RENAME TO kept; CREATE VIEW ledger_entry AS SELECT * FROM kept"
    ),
    "ledger_entry_no_UPDATE is switched off or altered": (
        "DROP TRIGGER ledger_entry_no_UPDATE; "
        "CREATE TRIGGER ledger_entry_no_UPDATE BEFORE UPDATE ON ledger_entry WHEN 0 BEGIN SELECT 1; END"
    ),
    "The trigger quiet is not one of ours": (
        "CREATE TRIGGER quiet AFTER INSERT ON ledger_checkpoint BEGIN SELECT 1; END"
    ),
    "ledger_payload_erasure is missing": "DROP TRIGGER ledger_payload_erasure",
}


@pytest.mark.parametrize("said", LIES_ON_SQLITE)
async def test_what_sqlite_would_lie_with(server: Server, said: str) -> None:
    with closing(sqlite3.connect(server.file)) as db:
        db.executescript(LIES_ON_SQLITE[said])
    with pytest.raises(Unguarded, match=said):
        await server.store.log.check_guards()


LIES_ON_POSTGRESQL = {
    "ledger_entry is not a table": (
        "ALTER TABLE ledger_entry RENAME TO kept; CREATE VIEW ledger_entry AS SELECT * FROM kept"
    ),
    "ledger_entry has rules or row policies": "ALTER TABLE ledger_entry ENABLE ROW LEVEL SECURITY",
    "ledger_tile has rules or row policies": "CREATE RULE none AS ON INSERT TO ledger_tile DO INSTEAD NOTHING",
    "ledger_entry_rows is switched off or altered": "ALTER TABLE ledger_entry DISABLE TRIGGER ledger_entry_rows",
    "ledger_anchor_all is missing": "DROP TRIGGER ledger_anchor_all ON ledger_anchor",
    "policy_bundle_rows is switched off or altered": (
        "CREATE OR REPLACE FUNCTION ledger_insert_only() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RETURN NEW; END $$"
    ),
}


async def test_what_postgresql_would_lie_with(fresh_database: str, postgres: Postgres, tmp_path: Path) -> None:
    server = Server(tmp_path, fresh_database)
    await server.store.log.check_guards()
    for said, lie in LIES_ON_POSTGRESQL.items():
        assert any(said in fault for fault in _lied_to(server.store, lie)), said
    await server.store.log.check_guards()
    server.store.close()


def _lied_to(store: SqlStore, lie: str) -> tuple[str, ...]:
    with store.log.database.engine.connect() as tx:
        for statement in lie.split("; ") if "$$" not in lie else [lie]:
            tx.execute(text(statement))
        found = unguarded(tx)
        tx.rollback()
    return found
