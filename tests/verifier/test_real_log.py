"""The log that the server itself writes, checked by the stand-alone verifier."""

from __future__ import annotations

import base64
import sqlite3
from pathlib import Path

import pytest

from audit.payloads import KEY
from tests.verifier.conftest import Verify
from tests.verifier.living import Life, three_days
from tests.world import World


@pytest.fixture
async def life(world: World) -> Life:
    return await three_days(world)


@pytest.fixture
def payload_key(tmp_path: Path) -> Path:
    path = tmp_path / "payload.key"
    path.write_bytes(base64.b64encode(bytes(range(KEY))) + b"\n")
    return path


async def test_a_running_server_s_database(life: Life, verify: Verify, payload_key: Path) -> None:
    for options in ((), ("--quick",), ("--deep",), ("--deep", "--payload-key-file", payload_key)):
        report = verify("database", life.world.url, "--key", life.signer.key, "--witness", life.witness.key, *options)
        assert report["exit"] == 0, report
        assert report["entries"] == life.checkpoints[-1].size
        assert report["exceptions"] == []
        assert report["checks"]["anchors"] == {"state": "ok", "count": 3}
    assert report["checks"]["payload"]["state"] == "ok"
    assert "private texts: 21 shown" in report["remarks"]


async def test_an_erasure_that_the_log_knows(life: Life, verify: Verify, payload_key: Path) -> None:
    await life.erase(3, "reason")
    report = verify("database", life.world.url, "--key", life.signer.key, "--deep", "--payload-key-file", payload_key)
    assert (report["exit"], report["not_yet_signed"]) == (0, 1), report
    assert "private texts: 1 erased, 20 shown" in report["remarks"]


async def test_and_one_that_it_does_not_know(life: Life, verify: Verify) -> None:
    path = life.world.url.removeprefix("sqlite:///")
    life.world.close()
    with sqlite3.connect(path) as db:
        for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {name}")
        db.execute("UPDATE ledger_payload SET seed = NULL WHERE seq = 3")
    report = verify("database", path, "--key", life.signer.key, "--deep")
    assert (report["exit"], report["failures"][0]["check"], report["failures"][0]["entry"]) == (1, "payload", 3)
    assert "no audit.erased says so" in report["failures"][0]["what"]
