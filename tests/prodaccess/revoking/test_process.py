"""`prodaccess revoker`: light, beside a server, and without anything that a server has and an end does not need."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from access.model import GrantState
from audit.log import ORIGIN
from audit.payloads import KEY
from benchmarks.revoke_load import a_grant, load
from prodaccess.clock import SystemClock
from prodaccess.revoking.process import Revoker, any_policy, build
from prodaccess.settings import SettingsError, read_settings
from store import open_store
from store.database import DatabaseLocked
from tests.people import LEDGER, POLICY

ROOT = Path(__file__).parents[3]


def environment(directory: Path, database: str) -> dict[str, str]:
    policy = directory / "policy.yml"
    policy.write_text(POLICY)
    policy.chmod(0o600)
    return {
        "PRODACCESS_POLICY": str(policy),
        "PRODACCESS_DATABASE_URL": database,
        "PRODACCESS_AUDIT_PAYLOAD_KEY": base64.b64encode(bytes(range(KEY))).decode(),
        "PRODACCESS_MEMORY_PROVIDER": "yes",
    }


def revoker_of(given: dict[str, str]) -> Revoker:
    settings = read_settings(given, only_to_end=True)
    return build(settings, SystemClock(), any_policy(settings))


def test_it_knows_neither_slack_nor_the_api(tmp_path: Path) -> None:
    """Everything made as for a run; what then stands in memory is what it needs. A server has no more at first."""
    words = (
        "import os, sys\n"
        "import prodaccess.serve\n"
        "from prodaccess.clock import SystemClock\n"
        "from prodaccess.revoking.process import any_policy, build\n"
        "from prodaccess.settings import read_settings\n"
        "settings = read_settings(os.environ, only_to_end=True)\n"
        "build(settings, SystemClock(), any_policy(settings)).close()\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    given = environment(tmp_path, f"sqlite:///{tmp_path}/a.db") | {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", words], env=given, capture_output=True, text=True, check=True)
    known = set(done.stdout.split())
    unwanted = {"slack_sdk", "slack_bolt", "aiohttp", "fastapi", "uvicorn", "starlette", "apscheduler", "bot", "api",
                "notary", "boto3", "hvac", "requests", "prometheus_client"}  # fmt: skip
    assert "access" in known
    assert not known & unwanted


async def test_it_ends_what_is_due_beside_a_server(fresh_database: str, tmp_path: Path) -> None:
    server = open_store(fresh_database, SystemClock(), LEDGER)
    revoker = revoker_of(environment(tmp_path, fresh_database))
    try:
        now = SystemClock().now()
        due = now + timedelta(seconds=0.2)
        load(server.log.database, [replace(a_grant(n, now, due), provider="memory") for n in range(1, 4)])
        stop = asyncio.Event()
        running = asyncio.ensure_future(revoker.run(stop))
        async with asyncio.timeout(60):
            while (await server.grants_by_state())[GrantState.REVOKED.value] < 3:  # noqa: ASYNC110 (the rows)
                await asyncio.sleep(0.05)
        stop.set()
        await running
        tags = [entry.event.TAG for entry in await server.log.entries_of("PA-1")]
        assert tags == ["grant.active", "grant.ending", "grant.ended"]
    finally:
        revoker.close()
        server.close()


def test_sqlite_refuses_it_beside_a_server(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    server = open_store(url, SystemClock(), LEDGER)
    with pytest.raises(DatabaseLocked, match="SQLite serves one process"):
        revoker_of(environment(tmp_path, url))
    server.close()


def test_a_policy_that_cannot_be_used_keeps_nothing_from_ending(tmp_path: Path) -> None:
    given = environment(tmp_path, f"sqlite:///{tmp_path}/a.db")
    Path(given["PRODACCESS_POLICY"]).write_text("targets: [")
    revoker = revoker_of(given)
    assert revoker.policies.current().rules == ()
    revoker.close()


def test_it_asks_for_what_ending_needs_and_for_no_more(tmp_path: Path) -> None:
    given = environment(tmp_path, f"sqlite:///{tmp_path}/a.db")
    assert read_settings(given, only_to_end=True)["PRODACCESS_AUDIT_ORIGIN"] == ORIGIN
    del given["PRODACCESS_AUDIT_PAYLOAD_KEY"]
    with pytest.raises(SettingsError, match="PRODACCESS_AUDIT_PAYLOAD_KEY") as refused:
        read_settings(given | {"VAULT_ADDR": "https://vault"}, only_to_end=True)
    assert "SLACK" not in str(refused.value)
    assert "VAULT_ROLE_ID" in str(refused.value)
