"""What `doctor` finds, on a whole installation and on ones that are wrong in one place."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from sqlalchemy import make_url

from access.events import LogKeyUsed
from access.ports import Change
from audit.checkpoint import Anchored
from audit.log import ORIGIN
from audit.payloads import KEY
from notary.memory import FileMemory
from notary.signers.file import FileSigner
from notary.signing import Signing
from notary.spec import AnchorWords, make_anchors
from prodaccess.auditing.keys import make_keys
from prodaccess.demo.server import Server
from prodaccess.demo.stack import AUDIT_CHANNEL
from prodaccess.doctor.checks import CHECKS
from prodaccess.doctor.report import Finding, State, examine, line
from prodaccess.migrating import main as migrate_verb
from prodaccess.parts.aws import AwsStandIn
from prodaccess.parts.part import free_port
from prodaccess.parts.postgres import Postgres
from slack_simulator import Simulator
from store import SqlStore, open_store
from tests.people import LEDGER, POLICY, ManualClock
from tests.prodaccess.test_server import a_workspace
from tests.tickets.conftest import far
from tests.tickets.far import Far

ROOT = Path(__file__).parents[3]
__all__ = ["far"]


class Installation:
    """Everything that `serve` would be started with, and a log that was signed a moment ago."""

    def __init__(self, directory: Path, slack: Simulator) -> None:
        self.directory = directory
        self.clock = ManualClock()
        self.clock.time = datetime.now(UTC)
        self.key = ""
        self.policy = directory / "policy.yml"
        self.write_policy(POLICY)
        app = slack.world.app
        self.environment = {
            "PRODACCESS_POLICY": str(self.policy), "PRODACCESS_DATABASE_URL": f"sqlite:///{directory}/prodaccess.db",
            "PRODACCESS_LISTEN": f"127.0.0.1:{free_port()}", "PRODACCESS_MEMORY_PROVIDER": "yes",
            "PRODACCESS_AUDIT_SIGNER": f"file:{directory}/keys/log.key",
            "PRODACCESS_AUDIT_PAYLOAD_KEY": base64.b64encode(bytes(range(KEY))).decode(),
            "PRODACCESS_AUDIT_CHANNEL": AUDIT_CHANNEL, "PRODACCESS_SLACK_TEAMS": "T0ACME",
            "SLACK_BOT_TOKEN": app.bot_token, "SLACK_APP_TOKEN": app.app_token, "SLACK_API_URL": slack.api_url,
        }  # fmt: skip

    def write_policy(self, text: str, mode: int = 0o600) -> None:
        self.policy.write_text(text)
        self.policy.chmod(mode)

    def store(self) -> SqlStore:
        return open_store(self.environment["PRODACCESS_DATABASE_URL"], self.clock, LEDGER)

    async def live(self) -> None:
        """A log with its key in it, signed."""
        self.key = (await make_keys(self.directory / "keys", ORIGIN)).verifier_key
        store = self.store()
        try:
            named = LogKeyUsed(at=self.clock.now(), key=self.key)
            await store.commit(Change(events=(named,)))
            await self.sign(store)
        finally:
            store.close()

    async def sign(self, store: SqlStore) -> None:
        signer = FileSigner(ORIGIN, self.directory / "keys" / "log.key")
        memory = FileMemory(self.directory / "keys" / "log.key")
        await Signing(store.log, signer, self.clock, (), memory).reach(await store.log.head())

    async def verb(self, *words: str, **changes: str) -> tuple[int, str, str]:
        """`prodaccess …` as a process: its exit code and what it said."""
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **self.environment, **changes}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "prodaccess", *words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )  # fmt: skip
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def look(self, *names: str, **changes: str) -> list[Finding]:
        """What the checks of these names find; all of them when none is named."""
        checks = {name: CHECKS[name] for name in names} or CHECKS
        return [finding async for finding in examine(checks, {**self.environment, **changes})]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Installation]:
    async with Simulator(a_workspace(free_port(), "socket")) as slack:
        made = Installation(tmp_path, slack)
        await made.live()
        yield made


def wrong(findings: list[Finding]) -> list[str]:
    return [finding.what for finding in findings if finding.state is State.WRONG]


async def test_an_installation_in_order(house: Installation) -> None:
    found = await house.look()
    assert wrong(found) == []
    by_name: dict[str, list[Finding]] = {}
    for finding in found:
        by_name.setdefault(finding.name, []).append(finding)
    assert {name for name in by_name if by_name[name][-1].state is State.WELL} >= {
        "settings", "policy", "database", "clock", "signer", "checkpoint", "collectors", "slack",
    }  # fmt: skip
    weak = [finding.name for finding in found if finding.state is State.WEAK]
    assert weak == ["anchors", "memory", "server"]


async def test_nothing_at_all_is_set() -> None:
    found = [finding async for finding in examine(CHECKS, {})]
    assert {finding.name for finding in found if finding.state is State.WRONG} >= {
        "settings", "policy", "database", "signer", "providers",
    }  # fmt: skip
    said = [finding.what for finding in found]
    assert len(said) == len(set(said)), "once is enough"
    assert not any("Error:" in finding.what for finding in found), [f.what for f in found]


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("settings", {"SLACK_APP_TOKEN": ""}, "SLACK_APP_TOKEN is missing"),
        ("policy", {"PRODACCESS_POLICY": "/nowhere.yml"}, "cannot be read"),
        ("policy", {"PRODACCESS_MEMORY_PROVIDER": "no"}, "provider “memory” is not configured"),
        ("database", {"PRODACCESS_DATABASE_URL": "sqlite:////nowhere/a.db"}, "no database at"),
        ("database", {"PRODACCESS_DATABASE_URL": "postgresql://a:hunter2@127.0.0.1:1/x"}, "does not answer"),
        ("signer", {"PRODACCESS_AUDIT_SIGNER": "file:/nowhere"}, "no key at /nowhere"),
        ("signer", {"PRODACCESS_AUDIT_SIGNER": "vault:transit/log", "VAULT_ADDR": "http://127.0.0.1:1"}, "not answer"),
        ("anchors", {"PRODACCESS_ANCHOR_S3": "ftp://x"}, "A place in S3 is written"),
        ("collectors", {"PRODACCESS_COLLECTORS": "gopher://x"}, "gopher"),
        ("providers", {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_ROLE_ID": "r", "VAULT_SECRET_ID": "s"}, "reached"),
        ("slack", {"SLACK_BOT_TOKEN": "xoxb-wrong"}, "invalid_auth"),
        ("slack", {"SLACK_API_URL": "http://127.0.0.1:1/api/"}, "Slack does not let us in"),
        ("slack", {"PRODACCESS_AUDIT_CHANNEL": "C0NOWHERE"}, "channel"),
        ("slack", {"PRODACCESS_SLACK_TEAMS": "T0OTHER"}, "PRODACCESS_SLACK_TEAMS does not name"),
    ],
)
async def test_what_is_wrong_is_said(house: Installation, name: str, changes: dict[str, str], said: str) -> None:
    found = wrong(await house.look(name, **changes))
    assert any(said in what for what in found), found
    assert not any("hunter2" in what or "could not be checked" in what for what in found), found


async def test_a_secret_file_that_cannot_be_read(house: Installation) -> None:
    found = await house.look(SLACK_BOT_TOKEN_FILE="/nowhere")
    assert wrong(found) == ["SLACK_BOT_TOKEN_FILE: /nowhere cannot be read (No such file or directory)."]


async def test_a_policy_that_others_may_write(house: Installation) -> None:
    house.write_policy(POLICY, 0o666)
    assert any("chmod go-w" in what for what in wrong(await house.look("policy")))


GROUPS = "groups: {engineers: [ada, grace, linus], "


@pytest.mark.parametrize(
    ("group", "state", "said"),
    [
        ("sre: {slack: S0ORDERSOWNERS}, ", State.WELL, "sre: 2 people."),
        ("sre: {slack: S0NOWHERE}, ", State.WRONG, "sre: Slack has no user group S0NOWHERE"),
    ],
)
async def test_every_group_that_the_policy_has_looked_up_is_asked_for(
    house: Installation, group: str, state: State, said: str
) -> None:
    house.write_policy(POLICY.replace(GROUPS, GROUPS + group))
    (found,) = await house.look("groups")
    assert (found.state, said in found.what) == (state, True), found


async def test_a_rota_is_looked_up_where_pagerduty_is_set_up(house: Installation, far: Far) -> None:
    house.write_policy(POLICY.replace(GROUPS, "on_call: {orders: {pagerduty: PI7DH85}}\n" + GROUPS))
    assert any(
        "on_call.orders: is looked up in pagerduty, which is not set up" in w for w in wrong(await house.look("policy"))
    )
    on_call = {"user": {"id": "PX", "summary": "Tim"}, "schedule": {"id": "PI7DH85"}}
    far.says({"oncalls": [on_call], "more": False})
    changes = {"PAGERDUTY_TOKEN": "key", "PAGERDUTY_URL": f"{far.url}/"}
    assert wrong(await house.look("policy", **changes)) == []
    (found,) = await house.look("groups", **changes)
    assert (found.state, "does not know Tim (PX)" in found.what) == (State.WEAK, True)
    assert far.asked[0].headers["Authorization"] == "Token token=key"
    (found,) = await house.look("groups", **{**changes, "PAGERDUTY_URL": "http://pagerduty.example"})
    assert (found.state, "PAGERDUTY_URL" in found.what) == (State.WRONG, True)


async def test_a_policy_without_auditors(house: Installation) -> None:
    house.write_policy(POLICY.replace("auditors: [margaret]\n", ""))
    assert [finding.state for finding in await house.look("policy")] == [State.WELL, State.WEAK]


async def test_a_database_file_that_others_may_read(house: Installation) -> None:
    (house.directory / "prodaccess.db").chmod(0o644)
    assert any("chmod 600" in what for what in wrong(await house.look("database")))


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


async def test_beside_a_running_server(house: Installation) -> None:
    port = int(house.environment["PRODACCESS_LISTEN"].rpartition(":")[2])
    server = Server(POLICY, house.environment, port)
    await asyncio.to_thread(server.start)
    try:
        found = await house.look()
        assert wrong(found) == []
        assert found[-1] == Finding("server", State.WELL, "It runs, and says that all of its parts are well.")
        verified = await house.verb("audit", "verify", "--deep", "--json")
        assert verified[0] == 0, verified
        exported = await house.verb("audit", "export", "--form", "bundle", "--out", str(house.directory / "q4.zip"))
        assert exported[0] == 0, exported
    finally:
        await asyncio.to_thread(server.stop)


async def test_one_check_that_fails_does_not_end_the_others(house: Installation) -> None:
    async def broken(desk: object) -> AsyncIterator[Finding]:
        yield Finding("broken", State.WELL, "so far")
        raise KeyError("xoxb-1234-secret")

    found = [f async for f in examine({"broken": broken, "clock": CHECKS["clock"]}, house.environment)]
    assert [(f.name, f.state) for f in found] == [
        ("broken", State.WELL), ("broken", State.WRONG), ("clock", State.WELL),
    ]  # fmt: skip
    assert "xoxb-1234" not in found[1].what


def test_a_line() -> None:
    shown = line(Finding("signer", State.WRONG, "It is away.\nStart it."))
    assert shown == "✗ signer          It is away.\n                  Start it."


async def test_the_verb_itself(house: Installation) -> None:
    code, out, err = await house.verb("doctor")
    assert (code, err) == (0, ""), out + err
    assert "✓ settings" in out
    code, out, err = await house.verb("doctor", "--json", SLACK_BOT_TOKEN="xoxb-wrong")
    told: dict[str, Any] = json.loads(out)
    assert (code, told["well"], err) == (1, False, "")
    assert {check["state"] for check in told["checks"]} == {"well", "weak", "wrong"}
