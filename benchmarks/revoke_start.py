"""From the start of a process to the first end of a grant that was overdue by then, at a real OpenBao.

Seen from outside: whether OpenBao still knows one of the leases is asked without pause. Processor time is what the
process had used by then; a busy machine makes the seconds many, and leaves that as it is.
"""

from __future__ import annotations

import asyncio
import base64
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import hvac
import requests

from benchmarks.figures import Figure, Result, median
from benchmarks.revoke_load import LEDGER, a_grant, load
from benchmarks.revoke_real import Made, make
from notary.signers.file import make_key
from prodaccess.clock import SystemClock
from prodaccess.parts.openbao import OpenBao
from prodaccess.parts.part import free_port
from prodaccess.parts.postgres import Postgres
from prodaccess.parts.production_db import create_production_db
from prodaccess.parts.vault_setup import VaultAccess, set_up_vault
from store import SqlStore, open_store

ROUNDS = 5
OVERDUE = 20
_PATIENCE = 120.0  # seconds
_POLICY = "version: 1\npeople: {linus: U0LINUS}\nadmins: [linus]\ntargets: {}\n"


class Took(NamedTuple):
    """Until the first was gone, and until all were; the processor's until the first. Seconds."""

    first: float
    all: float
    processor: float


def measure() -> Result:
    with ExitStack() as stack:
        openbao, postgres = stack.enter_context(OpenBao()), stack.enter_context(Postgres())
        access = set_up_vault(openbao.address, openbao.root_token, postgres, create_production_db(postgres))
        session = stack.enter_context(requests.Session())
        root = hvac.Client(openbao.address, openbao.root_token, session=session)
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="prodaccess-start-")))
        ground = _Ground(directory, postgres, access, root)
        return Result("revoke_start", tuple(ground.figures()))


@dataclass(frozen=True)
class _Ground:
    """A database of each kind, with grants that are overdue each time that a process starts."""

    directory: Path
    postgres: Postgres
    access: VaultAccess
    root: Any

    def figures(self) -> Iterator[Figure]:
        make_key(self.directory / "log.key")
        self._policy.write_text(_POLICY)
        self._policy.chmod(0o600)
        for verb, url in (
            ("serve", f"sqlite:///{self.directory}/start.db"),
            ("serve", self.postgres.url()),
            ("revoker", self.postgres.url()),
        ):
            engine, numbers = url.partition(":")[0], count(1 + 10_000 * (verb == "revoker"))
            took = [self._once(verb, url, [next(numbers) for _ in range(OVERDUE)]) for _ in range(ROUNDS)]
            name = f"{verb} · {engine}"
            yield Figure(f"{name}, first end after the start", 1000 * median([t.first for t in took]), "ms", None, 2000)
            yield Figure(f"{name}, all {OVERDUE}", 1000 * median([t.all for t in took]), "ms")
            yield Figure(f"{name}, processor until the first", 1000 * median([t.processor for t in took]), "ms")

    @property
    def _policy(self) -> Path:
        return self.directory / "policy.yml"

    def _once(self, verb: str, url: str, numbers: Sequence[int]) -> Took:
        made = [make(self.root, number) for number in numbers]
        with closing(open_store(url, SystemClock(), LEDGER)) as store:
            _overdue(store, dict(zip(numbers, made, strict=True)))
        log = (self.directory / "server.log").open("wb")
        began = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "prodaccess", verb], env=self._environment(url), stderr=log, cwd=self.directory
        )
        try:
            return self._watch(process, made, began)
        finally:
            process.kill()
            process.wait()
            log.close()

    def _watch(self, process: subprocess.Popen[bytes], made: Sequence[Made], began: float) -> Took:
        for n, each in enumerate(made):  # in the order of their ends, but for those that end together
            while self._lives(each.lease_id):
                if process.poll() is not None or time.perf_counter() - began > _PATIENCE:
                    raise AssertionError(f"grants have not ended: {(self.directory / 'server.log').read_text()}")
            if n == 0:
                first, processor = time.perf_counter() - began, _processor(process.pid)
        return Took(first, time.perf_counter() - began, processor)

    def _lives(self, lease_id: str) -> bool:
        try:
            self.root.sys.read_lease(lease_id)
        except hvac.exceptions.InvalidRequest:
            return False
        return True

    def _environment(self, url: str) -> Mapping[str, str]:
        return {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(Path.cwd()),
            "PRODACCESS_POLICY": str(self._policy), "PRODACCESS_DATABASE_URL": url,
            "PRODACCESS_SPOOL": str(self.directory / "spool"), "PRODACCESS_LISTEN": f"127.0.0.1:{free_port()}",
            "PRODACCESS_AUDIT_SIGNER": f"file:{self.directory}/log.key",
            "PRODACCESS_AUDIT_PAYLOAD_KEY": base64.b64encode(bytes(32)).decode(),
            "PRODACCESS_AUDIT_CHANNEL": "C1", "PRODACCESS_SLACK_TEAMS": "T1", "SLACK_BOT_TOKEN": "xoxb-1",
            "SLACK_APP_TOKEN": "xapp-1", "SLACK_API_URL": "http://127.0.0.1:1/api/",
            "VAULT_ADDR": self.root.url, "VAULT_ROLE_ID": self.access.role_id, "VAULT_SECRET_ID": self.access.secret_id,
        }  # fmt: skip


def _overdue(store: SqlStore, made: Mapping[int, Made]) -> None:
    now = SystemClock().now()
    grants = [a_grant(number, now - timedelta(hours=1), now) for number in made]
    load(store.log.database, [
        replace(
            grant, provider="vault", uses={"role": "orders-read"},
            handles=(replace(grant.handles[0], locator=made[grant.number].accessor),),
            leases=(replace(grant.leases[0], locator=made[grant.number].lease_id),),
        )
        for grant in grants
    ])  # fmt: skip
    known = asyncio.run(store.grants_by_state())
    assert known["active"] >= len(made)


def _processor(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
