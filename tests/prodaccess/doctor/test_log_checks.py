"""What `doctor` finds about the log, its key and whoever else keeps its head."""

from __future__ import annotations

import asyncio
import base64
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest
from sqlalchemy import make_url

from access.events import LogKeyUsed
from access.ports import Change
from audit.checkpoint import Anchored
from audit.log import ORIGIN
from notary.spec import AnchorWords, make_anchors
from prodaccess.auditing.keys import make_keys
from prodaccess.doctor.report import Finding, State
from prodaccess.migrating import main as migrate_verb
from prodaccess.parts.aws import AwsStandIn
from prodaccess.parts.part import free_port
from prodaccess.parts.postgres import Postgres
from slack_simulator import Simulator
from tests.prodaccess.doctor.installation import Installation, wrong
from tests.prodaccess.test_server import a_workspace


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("DROP TRIGGER ledger_entry_no_UPDATE", "The trigger ledger_entry_no_UPDATE is missing."),
        ("DROP TRIGGER policy_bundle_no_DELETE", "The trigger policy_bundle_no_DELETE is missing."),
        (
            "ALTER TABLE ledger_frontier RENAME TO kept; CREATE VIEW ledger_frontier AS SELECT * FROM kept",
            "ledger_frontier is not a table.",
        ),
    ],
)
async def test_tables_of_the_log_that_are_not_what_they_were(house: Installation, change: str, said: str) -> None:
    with closing(sqlite3.connect(house.directory / "prodaccess.db")) as db:
        db.executescript(change)
    assert any(said in what for what in wrong(await house.look("database")))


async def test_a_log_that_is_older_than_what_was_signed_with_this_key(house: Installation) -> None:
    ((name, kept),) = [(path, path.read_text()) for path in house.directory.glob("keys/*.signed")]
    store = house.store()
    await store.commit(Change(events=(LogKeyUsed(at=house.clock.now(), key=house.key),)))
    older = house.directory / "older.db"
    with closing(sqlite3.connect(house.directory / "prodaccess.db")) as now, closing(sqlite3.connect(older)) as copy:
        now.backup(copy)
    await store.commit(Change(events=(LogKeyUsed(at=house.clock.now(), key=house.key),)))
    await house.sign(store)
    store.close()
    assert name.read_text() != kept
    assert wrong(await house.look("checkpoint")) == []
    older.chmod(0o600)
    (what,) = wrong(await house.look("checkpoint", PRODACCESS_DATABASE_URL=f"sqlite:///{older}"))
    assert "This database is older" in what


async def test_a_log_whose_last_entry_is_of_the_future(tmp_path: Path) -> None:
    async with Simulator(a_workspace(free_port(), "socket")) as slack:
        house = Installation(tmp_path, slack)
        house.clock.time = datetime.now(UTC) + timedelta(minutes=30)
        await house.live()
        (what,) = wrong(await house.look("clock"))
        assert "this machine's clock is behind it" in what


async def test_a_signer_with_another_key_than_the_logs(house: Installation) -> None:
    await make_keys(house.directory / "other", ORIGIN)
    signer = f"file:{house.directory}/other/log.key"
    (what,) = wrong(await house.look("signer", PRODACCESS_AUDIT_SIGNER=signer))
    assert "The log's last key is another" in what
    assert "PRODACCESS_AUDIT_EARLIER_KEYS" in what
    (what,) = wrong(await house.look("checkpoint", PRODACCESS_AUDIT_SIGNER=signer))
    assert "not signed by a key that is trusted" in what


async def test_a_log_that_was_last_signed_long_ago(tmp_path: Path) -> None:
    async with Simulator(a_workspace(free_port(), "socket")) as slack:
        house = Installation(tmp_path, slack)
        house.clock.time = datetime.now(UTC) - timedelta(hours=2)
        await house.live()
        (old,) = await house.look("checkpoint")
        assert (old.state, "a heartbeat comes every 5 minutes" in old.what) == (State.WEAK, True)
        store = house.store()
        await store.commit(Change(events=(LogKeyUsed(at=house.clock.now(), key=house.key),)))
        store.close()
        assert "1 entries are not signed" in wrong(await house.look("checkpoint"))[0]


async def test_a_database_older_than_what_was_anchored(house: Installation) -> None:
    store = house.store()
    await store.log.save_anchored(Anchored(99, "s3://elsewhere", "x", b"", house.clock.now()))
    store.close()
    assert "fewer entries than the 99 that were anchored" in wrong(await house.look("anchors"))[0]


async def test_an_anchor_that_does_not_answer(house: Installation) -> None:
    key = f"witness.example/w1+{'00' * 4}+{base64.b64encode(b'x' * 33).decode()}"
    assert wrong(await house.look("anchors", PRODACCESS_ANCHOR_WITNESS=f"http://127.0.0.1:1/ {key}"))


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The setting of an S3 anchor on a stand-in for AWS."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "operator")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-a-secret")
    with AwsStandIn() as aws:
        s3 = boto3.session.Session(region_name="eu-central-1").client("s3", endpoint_url=aws.endpoint)
        where = {"LocationConstraint": "eu-central-1"}
        s3.create_bucket(Bucket="checkpoints", CreateBucketConfiguration=where, ObjectLockEnabledForBucket=True)
        s3.close()
        yield f"s3://checkpoints/log?days=1&region=eu-central-1&endpoint={aws.endpoint}"


async def test_an_anchor_that_holds_more_than_the_log(house: Installation, bucket: str) -> None:
    def states(found: list[Finding]) -> list[State]:
        return [finding.state for finding in found]

    one = {"PRODACCESS_ANCHOR_S3": bucket}
    assert states(await house.look("anchors", **one)) == [State.WEAK, State.WELL], "one is not enough, but it is well"
    older = house.directory / "older.db"
    (paced,) = make_anchors(AnchorWords(s3=bucket), ORIGIN)
    store = house.store()
    with closing(sqlite3.connect(house.directory / "prodaccess.db")) as now, closing(sqlite3.connect(older)) as copy:
        now.backup(copy)
    await store.commit(Change(events=(LogKeyUsed(at=house.clock.now(), key=house.key),)))
    await house.sign(store)
    newest = await store.log.last_checkpoint()
    assert newest is not None
    await paced.anchor.publish(newest.note, store.log.consistency)
    found = await house.look("anchors", **one)
    assert states(found) == [State.WEAK, State.WEAK]
    assert "the database has no record of that" in found[1].what, "as after somebody has removed it"
    known = Anchored(newest.size, paced.anchor.name, "x", b"", house.clock.now())
    await store.log.save_anchored(known)
    store.close()
    paced.anchor.close()
    older.chmod(0o600)
    assert states(await house.look("anchors", **one)) == [State.WEAK, State.WELL]
    (what,) = wrong(await house.look("anchors", **one, PRODACCESS_DATABASE_URL=f"sqlite:///{older}"))
    assert "This database is older than what was anchored" in what
    gone = one | {"PRODACCESS_ANCHOR_S3": bucket.replace("checkpoints", "nowhere")}
    assert "S3 answers" in wrong(await house.look("anchors", **gone))[0]


async def test_how_far_a_collector_is(house: Installation) -> None:
    one = {"PRODACCESS_COLLECTORS": "syslog+udp://127.0.0.1:1#name=siem"}
    (never,) = await house.look("collectors", **one)
    assert (never.state, "has not been sent anything" in never.what) == (State.WEAK, True)
    store = house.store()
    await store.put_notes({"collector:siem:cursor": {"seq": await store.log.head(), "down_since": ""}})
    (well,) = await house.look("collectors", **one)
    assert (well.state, "has everything" in well.what) == (State.WELL, True)
    await store.put_notes({"collector:siem:cursor": {"seq": -1, "down_since": ""}})
    store.close()
    (recent,) = await house.look("collectors", **one)
    assert recent.state is State.WELL, "it has five minutes"


async def test_a_collector_that_is_behind(tmp_path: Path) -> None:
    async with Simulator(a_workspace(free_port(), "socket")) as slack:
        house = Installation(tmp_path, slack)
        house.clock.time = datetime.now(UTC) - timedelta(hours=2)
        await house.live()
        store = house.store()
        await store.put_notes({"collector:siem:cursor": {"seq": -1, "down_since": ""}})
        store.close()
        (what,) = wrong(await house.look("collectors", PRODACCESS_COLLECTORS="syslog+udp://127.0.0.1:1#name=siem"))
        assert "siem is 1 entries behind" in what


async def test_a_log_that_is_not_the_one_that_slack_has_seen(house: Installation) -> None:
    from prodaccess.auditing.desk import Desk
    from prodaccess.doctor.checks import _seen

    with Desk.of(house.environment).log() as log:
        size = await log.head() + 1
        root = (await log.checkpoint_range(size)).root()
        assert (await _seen(log, None)).state is State.WELL
        assert (await _seen(log, (size, root))).state is State.WELL
        assert (await _seen(log, (size, bytes(32)))).state is State.WRONG
        assert (await _seen(log, (size + 1, root))).state is State.WRONG


async def test_the_wall_on_postgresql(
    house: Installation, empty_database: str, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = {"PRODACCESS_DATABASE_URL": empty_database}
    assert "migrate" in wrong(await house.look("database", **owner))[0], "empty"
    monkeypatch.setenv("PRODACCESS_DATABASE_URL", empty_database)
    if not postgres.execute("SELECT 1 FROM pg_roles WHERE rolname = 'doctors_app'"):
        postgres.execute("CREATE ROLE doctors_app LOGIN PASSWORD 'of-the-test'")
    assert await asyncio.to_thread(migrate_verb, "doctors_app") == 0
    found = await house.look("database", "clock", **owner)
    assert [(f.name, f.state) for f in found] == [
        ("database", State.WELL), ("privileges", State.WEAK), ("clock", State.WELL),
    ]  # fmt: skip
    assert "superuser" in found[1].what
    url = make_url(empty_database).set(username="doctors_app", password="of-the-test")
    walled = {"PRODACCESS_DATABASE_URL": url.render_as_string(hide_password=False)}
    assert [finding.state for finding in await house.look("database", **walled)] == [State.WELL, State.WELL]
    name = empty_database.rpartition("/")[2]
    for number in range(1, 52):
        postgres.execute(f"DROP TABLE IF EXISTS search_entry_{number}", name)
    found = await house.look("database", **walled)
    assert (found[-1].state, "Search has tables for 1000000 more entries" in found[-1].what) == (State.WEAK, True)
