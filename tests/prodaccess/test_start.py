"""A server that cannot start says why in words and with exit code 2; one that runs is not worn out by questions."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from access.errors import ProviderRefused
from access.model import GrantState
from access.ports import Provider
from audit.payloads import KEY
from benchmarks.revoke_load import a_grant, load
from bot.runner import BotRunner
from notary.signers.file import make_key
from prodaccess.clock import SystemClock
from prodaccess.revoking.process import any_policy, build
from prodaccess.serve import _the_rest
from prodaccess.settings import SettingsError, read_settings
from prodaccess.wiring import Readiness
from providers.vault_client import VaultClient, VaultSettings
from store import open_store
from tests.people import LEDGER, POLICY, ManualClock


def environment(directory: Path, written: str = POLICY, **changes: str) -> dict[str, str]:
    policy = directory / "policy.yml"
    policy.write_text(written)
    policy.chmod(0o600)
    make_key(directory / "log.key")
    return {
        "PRODACCESS_AUDIT_SIGNER": f"file:{directory}/log.key",
        "PRODACCESS_AUDIT_PAYLOAD_KEY": base64.b64encode(bytes(KEY)).decode(),
        "PATH": os.environ["PATH"], "PRODACCESS_POLICY": str(policy), "SLACK_BOT_TOKEN": "xoxb-1",
        "SLACK_APP_TOKEN": "xapp-1", "PRODACCESS_AUDIT_CHANNEL": "C1", "PRODACCESS_SLACK_TEAMS": "T1",
        "PRODACCESS_MEMORY_PROVIDER": "yes", "PRODACCESS_DATABASE_URL": f"sqlite:///{directory}/a.db",
        "SLACK_API_URL": "http://127.0.0.1:1/api/", **changes,
    }  # fmt: skip


def serve(directory: Path, written: str = POLICY, **changes: str) -> subprocess.CompletedProcess[str]:
    command, given = [sys.executable, "-m", "prodaccess", "serve"], environment(directory, written, **changes)
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=60, check=False)


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = serve(tmp_path, PRODACCESS_LISTEN=listen)
    assert ended.returncode == 2
    assert f"PRODACCESS_LISTEN: {listen} cannot be listened on" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    "url", ["mysql://bot:hunter2@h/db", "postgresql://bot:hunter2@h:port/db", "sqlite:////dev/null/a"]
)
def test_a_database_that_cannot_be_used(tmp_path: Path, url: str) -> None:
    ended = serve(tmp_path, PRODACCESS_DATABASE_URL=url)
    assert ended.returncode == 2
    assert "prodaccess cannot start" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "hunter2" not in ended.stderr


def test_a_policy_that_cannot_be_used_is_refused_when_what_is_overdue_has_ended(tmp_path: Path) -> None:
    """Something starts a server again and again, and meanwhile nobody else ends anything."""
    url = f"sqlite:///{tmp_path}/a.db"
    now = SystemClock().now()
    with closing(open_store(url, SystemClock(), LEDGER)) as store:
        load(store.log.database, [replace(a_grant(1, now, now), provider="memory")])
    ended = serve(tmp_path, "targets: [")
    assert (ended.returncode, "Traceback" in ended.stderr) == (2, False)
    assert f"prodaccess cannot start:\n{tmp_path}/policy.yml:1" in ended.stderr
    with closing(open_store(url, SystemClock(), LEDGER)) as store:
        assert asyncio.run(store.grants_by_state())[GrantState.REVOKED.value] == 1


def test_what_the_bot_cannot_start_with_is_said_in_words(tmp_path: Path) -> None:
    settings = read_settings(environment(tmp_path, SLACK_BOT_TOKEN="not a token"))
    policies = any_policy(settings)
    ends = build(settings, SystemClock(), policies, has_chores=True)
    with closing(ends), pytest.raises(SettingsError, match="not a bot token"):
        _the_rest(settings, ends, policies)


class Slow:
    """A provider whose health takes a while to tell."""

    def __init__(self) -> None:
        self.asked = 0
        self.says = ""

    async def health(self) -> str:
        self.asked += 1
        await asyncio.sleep(0.02)
        return self.says


class Fine:
    def trouble(self) -> str:
        return ""


async def test_a_flood_of_questions_whether_it_is_ready_is_one_question_to_each_part(tmp_path: Path) -> None:
    store, slow = open_store(f"sqlite:///{tmp_path}/a.db", ManualClock(), LEDGER), Slow()
    providers = cast("Mapping[str, Provider]", {"slow": slow})
    readiness = Readiness(store, providers, cast("BotRunner", Fine()), holds=0.2)
    answers = await asyncio.gather(*(readiness() for _ in range(100)))
    assert slow.asked == 1
    assert answers[0] == {"database": "", "slack": "", "slow": ""}
    slow.says = "It is away."
    await asyncio.sleep(0.21)
    assert (await readiness())["slow"] == "It is away."
    slow.says = ""
    await asyncio.sleep(0.03)  # bad news holds for a shorter time
    assert (await readiness())["slow"] == ""
    store.close()


def test_a_secret_file_that_is_gone_is_a_refusal_of_ours_and_not_a_crash() -> None:
    def gone() -> str:
        raise FileNotFoundError(2, "No such file", "/run/secrets/vault")

    client = VaultClient(VaultSettings("http://127.0.0.1:1", "role", gone))
    with pytest.raises(ProviderRefused, match="secret id cannot be read"):
        client.call("get", "sys/health")
    client.close()
