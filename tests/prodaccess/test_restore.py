"""Backup and restore as docs/operations.md has it: every command of the page is run here, on both databases."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from access.model import GrantState
from audit.log import ORIGIN
from audit.payloads import KEY
from notary.memory import FileMemory
from notary.signers.file import FileSigner, make_key
from notary.signing import Signing
from prodaccess.auditing.checks import Wanted, check_log
from prodaccess.auditing.desk import Desk
from prodaccess.clock import SystemClock
from prodaccess.doctor.checks import CHECKS
from prodaccess.doctor.report import State, examine
from prodaccess.parts.postgres import Postgres
from providers.memory import MemoryServer
from store import open_store
from tests.people import LEDGER, POLICY, Directory
from tests.prodaccess.test_server import running
from tests.world import Policies, World

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()


class Lived(World):
    """A server without faces on any database, on the machine's clock, which signs what it writes."""

    def __init__(self, url: str, key: Path) -> None:
        self.url, self.key = url, key
        self.clock: Any = SystemClock()
        self.people, self.policies, self.far_side = Directory(), Policies(POLICY), MemoryServer()
        self._build()

    async def sign(self) -> None:
        signer = FileSigner(ORIGIN, self.key)
        await Signing(self.store.log, signer, self.clock, (), FileMemory(self.key)).reach(await self.store.log.head())


class SqlitePlace:
    """A file; `shell` runs a command of the page."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.url = f"sqlite:///{directory}/prodaccess.db"

    def dump(self, name: str) -> Path:
        copy = self.directory / name
        (statement,) = re.findall(r'sqlite3 var/prodaccess\.db "(VACUUM INTO [^"]+)"', PAGE)
        with closing(sqlite3.connect(self.directory / "prodaccess.db")) as database:
            database.execute(statement.replace("/backup/prodaccess.db", str(copy)))
        return copy

    def restore(self, copy: Path) -> str:
        assert "install -m 600 /backup/prodaccess.db var/prodaccess.db" in PAGE
        there = self.directory / f"restored-{copy.name}"
        there.mkdir()
        shutil.copyfile(copy, there / "prodaccess.db")
        (there / "prodaccess.db").chmod(0o600)
        return f"sqlite:///{there}/prodaccess.db"


class PostgresPlace:
    """A database of the server that the tests share."""

    def __init__(self, postgres: Postgres, url: str, directory: Path) -> None:
        self.postgres, self.url, self.directory = postgres, url, directory

    def dump(self, name: str) -> Path:
        copy = self.directory / name
        self._run("pg_dump --format=custom --file=/backup/prodaccess.dump prodaccess", self.url, copy)
        return copy

    def restore(self, copy: Path) -> str:
        name = f"restored_{self.url.rpartition('_')[2]}_{copy.stem}"
        assert "createdb prodaccess" in PAGE
        self.postgres.execute(f"CREATE DATABASE {name}")
        url = self.postgres.url(name)
        self._run("pg_restore --exit-on-error --dbname=prodaccess /backup/prodaccess.dump", url, copy)
        return url

    def _run(self, command: str, url: str, copy: Path) -> None:
        assert command in PAGE
        words = command.replace("/backup/prodaccess.dump", str(copy)).replace("prodaccess", url, 1).split()
        subprocess.run([str(self.postgres.psql.parent / words[0]), *words[1:]], check=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> SqlitePlace | PostgresPlace:
    if request.param == "sqlite":
        return SqlitePlace(tmp_path)
    return PostgresPlace(request.getfixturevalue("postgres"), request.getfixturevalue("fresh_database"), tmp_path)


def settings(directory: Path) -> Mapping[str, str]:
    return {
        "PRODACCESS_AUDIT_SIGNER": f"file:{directory}/log.key",
        "PRODACCESS_AUDIT_PAYLOAD_KEY": base64.b64encode(bytes(range(KEY))).decode(),
        "PRODACCESS_SPOOL": f"{directory}/spool",
    }


async def test_a_copy_is_dumped_restored_started_and_verified(
    place: SqlitePlace | PostgresPlace, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_key(tmp_path / "log.key")
    lived = Lived(place.url, tmp_path / "log.key")
    await lived.opened()
    await lived.sign()
    older = place.dump("older")
    await lived.opened()
    await lived.sign()
    newest = place.dump("newest")  # beside the running server, as the page says
    lived.close()

    # All of it: it starts, goes on, and verifies
    restored = place.restore(newest)
    async with running("socket", tmp_path, restored, **settings(tmp_path)):
        pass
    store = open_store(restored, SystemClock(), LEDGER)
    grants = await store.grants_by_number(await store.open_grants())
    last = [entry.event.TAG for entry in await store.log.entries(-1, 1000) if entry.event.TAG != "log.quiet"][-1]
    assert last == "server.stopped"  # SIGTERM is an orderly end
    store.close()
    assert {number: grant.state for number, grant in grants.items()} == {1: GrantState.ACTIVE, 2: GrantState.ACTIVE}
    there = {"PRODACCESS_DATABASE_URL": restored, **settings(tmp_path)}
    assert await asyncio.to_thread(check_log, Desk.of(there), Wanted("", "", deep=True, as_json=False)) == 0, (
        capsys.readouterr()
    )

    # An older one: it is refused, and the gap has numbers
    late = {"PRODACCESS_DATABASE_URL": place.restore(older), **settings(tmp_path)}
    findings = [f.what async for f in examine({"checkpoint": CHECKS["checkpoint"]}, late) if f.state is State.WRONG]
    assert findings, "the doctor says it"
    if isinstance(place, SqlitePlace):
        code, said = serve(tmp_path, late)
        assert (code, "Restore a copy that has them all" in said) == (2, True), said


def serve(directory: Path, changes: Mapping[str, str]) -> tuple[int, str]:
    """`prodaccess serve` that is not to start."""
    (directory / "policy.yml").write_text(POLICY)
    (directory / "policy.yml").chmod(0o600)
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PRODACCESS_POLICY": f"{directory}/policy.yml",
        "SLACK_BOT_TOKEN": "xoxb-1-1-x", "SLACK_APP_TOKEN": "xapp-1-x", "PRODACCESS_AUDIT_CHANNEL": "C1",
        "PRODACCESS_SLACK_TEAMS": "T1", "PRODACCESS_MEMORY_PROVIDER": "yes", "SLACK_API_URL": "http://127.0.0.1:1/",
        "PRODACCESS_LISTEN": "127.0.0.1:0", **changes,
    }  # fmt: skip
    ran = subprocess.run(
        [sys.executable, "-m", "prodaccess", "serve"], env=environment, capture_output=True, text=True, check=False,
        timeout=60,
    )  # fmt: skip
    return ran.returncode, ran.stderr
