"""`prodaccess reconcile` at a real Vault and database, beside nothing and without a server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from access.events import StrayEnded, StrayEnding
from access.model import GrantState
from access.ports import Change
from audit.log import ORIGIN
from prodaccess.auditing.desk import Desk as Installation
from prodaccess.doctor.checks import CHECKS
from prodaccess.doctor.report import Finding, State
from prodaccess.doctor.report import examine as doctor
from prodaccess.parts.part import free_port
from prodaccess.parts.vault_setup import BOT, HERE
from prodaccess.reconciling.verb import CLEAN, SILENT, SOMETHING, code_of, examine, page
from store import SqlStore, open_store
from tests.people import LEDGER, POLICY
from tests.providers.conftest import deaf, vault_bench
from tests.providers.contract import Desk, WallClock, make_grant
from tests.providers.vault_bench import VaultBench, until, users_of

__all__ = ["deaf", "vault_bench"]
ROOT = Path(__file__).parents[3]
POLICY_HERE = POLICY.replace("provider: memory, uses: {}", "provider: vault, uses: {role: orders-read}").replace(
    "provider: memory\n", "provider: vault\n        uses: {role: orders-write}\n"
)
LATER = timedelta(minutes=5)


@pytest.fixture
def environment(vault_bench: VaultBench, tmp_path: Path) -> Iterator[dict[str, str]]:
    """Settings of an installation whose database is empty, and a Vault that lets it list tokens."""
    root, path = vault_bench.vault.root, f"auth/approle/role/{BOT}"
    before = root.read(path)["data"]["token_policies"]
    policy = (HERE / "vault_look.hcl").read_text()
    root.write_data(f"sys/policies/acl/{BOT}-look", data={"policy": policy})
    root.write_data(path, data={"token_policies": [*before, f"{BOT}-look"]})
    (tmp_path / "policy.yml").write_text(POLICY_HERE)
    (tmp_path / "policy.yml").chmod(0o600)
    yield {
        "PRODACCESS_POLICY": f"{tmp_path}/policy.yml", "PRODACCESS_DATABASE_URL": f"sqlite:///{tmp_path}/here.db",
        "VAULT_ADDR": vault_bench.vault.address, "VAULT_ROLE_ID": vault_bench.vault.access.role_id,
        "VAULT_SECRET_ID": vault_bench.vault.access.secret_id,
    }  # fmt: skip
    root.write_data(path, data={"token_policies": before})


@pytest.fixture
def store(environment: dict[str, str]) -> Iterator[SqlStore]:
    made = open_store(environment["PRODACCESS_DATABASE_URL"], WallClock(), LEDGER)
    yield made
    made.close()


async def given(bench: VaultBench) -> Desk:
    """A credential of a grant that no database knows: what an older copy leaves."""
    desk = Desk(bench.provider_with(origin=ORIGIN), make_grant(bench.clock, bench.uses), bench.clock)
    await desk.open_and_collect()
    return desk


async def test_what_an_older_database_does_not_know_is_found_and_ended(
    vault_bench: VaultBench, store: SqlStore, environment: dict[str, str]
) -> None:
    desk, clock = await given(vault_bench), WallClock()
    clock.ahead = LATER
    said = f"token token-ada-lovelace-pa-{desk.grant.number}"
    found, _ = await examine(Installation.of(environment), clock, act=False)
    assert code_of(found, {}) == SOMETHING
    assert said in page(found, {})
    assert desk.grant.handles[0].locator not in page(found, {})
    found, ended = await examine(Installation.of(environment), clock, act=True)
    done = next(each for each in ended["vault"] if each.stray.piece.bears == desk.grant.number)
    assert done.proof[0] == "Vault no longer knows the token."
    assert "Ended. Vault no longer knows the token." in page(found, ended)
    assert await until(lambda: not users_of(vault_bench, desk))
    entries = [e.event for e in await store.log.entries(-1, 1000)]
    assert [type(e) for e in entries if isinstance(e, (StrayEnding, StrayEnded)) and said in e.stray] == [
        StrayEnding, StrayEnded,
    ]  # fmt: skip
    found, _ = await examine(Installation.of(environment), clock, act=False)
    assert said not in page(found, {})


async def test_a_grants_own_credential_is_neither_and_then_missing(
    vault_bench: VaultBench, store: SqlStore, environment: dict[str, str]
) -> None:
    desk = await given(vault_bench)
    grant = replace(desk.grant, state=GrantState.ACTIVE, provider="vault", due_at=desk.grant.expires_at)
    await store.commit(Change(grants=(grant,), handles=grant.handles, leases=grant.leases))
    clock = WallClock()
    clock.ahead = LATER
    found, _ = await examine(Installation.of(environment), clock, act=True)
    assert grant.ref not in page(found, {})
    assert vault_bench.vault.root.auth.token.lookup_accessor(grant.handles[0].locator)
    await desk.end()
    found, _ = await examine(Installation.of(environment), clock, act=True)
    assert f"{grant.ref}, credential 1 ({grant.leases[0].public_id}) is gone before its time." in page(found, {})
    findings = await look(environment)
    assert any(grant.ref in f.what and f.state is State.WEAK for f in findings)


async def look(environment: dict[str, str]) -> list[Finding]:
    return [finding async for finding in doctor({"leftovers": CHECKS["leftovers"]}, environment)]


async def test_the_doctor_says_it_too(vault_bench: VaultBench, store: SqlStore, environment: dict[str, str]) -> None:
    findings = await look(environment)
    assert {finding.name for finding in findings} == {"leftovers"}
    assert not any("could not be looked at" in finding.what for finding in findings)
    deaf = environment | {"VAULT_ADDR": f"http://127.0.0.1:{free_port()}"}
    (finding,) = await look(deaf)
    assert (finding.state, "could not be looked at: Vault cannot be reached" in finding.what) == (State.WRONG, True)


def test_the_command_says_when_it_could_not_look(store: SqlStore, environment: dict[str, str]) -> None:
    deaf = environment | {"VAULT_ADDR": f"http://127.0.0.1:{free_port()}"}
    code, said = verb(deaf, "--json")
    assert code == SILENT
    (vault,) = json.loads(said)
    assert (vault["provider"], vault["silent"]) == ("vault", "Vault cannot be reached")


async def test_where_nothing_can_be_asked_that_is_said(
    store: SqlStore, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "policy.yml").write_text(POLICY)
    memory = environment | {"VAULT_ADDR": "", "PRODACCESS_MEMORY_PROVIDER": "yes"}
    found, ended = await examine(Installation.of(memory), WallClock(), act=True)
    assert (code_of(found, ended), page(found, ended)) == (
        CLEAN, "No provider is set that could be asked what stands there.",
    )  # fmt: skip


def verb(environment: dict[str, str], *words: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "prodaccess", "reconcile", *words]
    there = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment}
    ran = subprocess.run(command, env=there, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout
