"""What `doctor` looks at in its tests."""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from access.events import LogKeyUsed
from access.ports import Change
from audit.log import ORIGIN
from audit.payloads import KEY
from notary.memory import FileMemory
from notary.signers.file import FileSigner
from notary.signing import Signing
from prodaccess.auditing.keys import make_keys
from prodaccess.demo.stack import AUDIT_CHANNEL
from prodaccess.doctor.checks import CHECKS
from prodaccess.doctor.report import Finding, State, examine
from prodaccess.parts.part import free_port
from slack_simulator import Simulator
from store import SqlStore, open_store
from tests.people import LEDGER, POLICY, ManualClock

ROOT = Path(__file__).parents[3]


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


def wrong(findings: list[Finding]) -> list[str]:
    return [finding.what for finding in findings if finding.state is State.WRONG]
