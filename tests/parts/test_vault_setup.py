"""The set-up of Vault: its audit log, and the runbook that is the set-up."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hvac
import pytest
import requests

from prodaccess.parts import vault_setup
from prodaccess.parts.openbao import OpenBao, find_binary
from prodaccess.parts.postgres import Postgres
from prodaccess.parts.production_db import ROLES, ProductionDb
from tests.fixtures_parts import VaultFixture
from tests.parts.issuing import Issuer


@pytest.fixture
def issuer(vault: VaultFixture, postgres: Postgres) -> Issuer:
    return Issuer(vault, postgres)


def test_vaults_audit_log_joins_on_the_grant_and_keeps_the_password(
    issuer: Issuer, openbao: OpenBao, vault: VaultFixture
) -> None:
    # Sealed and unsealed, as other tests do with it, OpenBao forgets what is not to be hashed for `sys`.
    vault.root.write_data(
        "sys/mounts/sys/tune", data={"audit_non_hmac_request_keys": ["lease_id", "increment", "sync"]}
    )
    credential = issuer.issue()
    password = credential.url.split(":")[2].split("@")[0]
    issuer.revoke(credential)
    log = openbao.audit_log.read_text()
    assert password not in log
    entries = [json.loads(line) for line in log.splitlines()]
    issued = [
        entry for entry in entries if entry.get("response", {}).get("data", {}).get("username") == credential.username
    ]
    assert issued[0]["auth"]["metadata"] == {"grant_id": "PA-7"}
    assert issued[0]["response"]["secret"]["lease_id"] == credential.lease_id
    revoked = [entry for entry in entries if entry["request"]["path"] == "sys/leases/revoke"]
    assert credential.lease_id in {entry["request"]["data"]["lease_id"] for entry in revoked}


def without_times(data: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key != "modified"}


@pytest.fixture
def bare() -> Iterator[tuple[Postgres, OpenBao]]:
    """A cluster with the application's roles and nothing of ours, and an empty Vault."""
    with Postgres() as postgres, OpenBao() as openbao:
        for statement in ROLES.split(";\n"):
            postgres.execute(statement)
        yield postgres, openbao


def test_the_printed_runbook_is_the_tested_set_up(
    bare: tuple[Postgres, OpenBao], tmp_path: Path, vault: VaultFixture
) -> None:
    postgres, openbao = bare
    (tmp_path / "bao").symlink_to(find_binary())
    url = f"postgresql://{{{{username}}}}:{{{{password}}}}@{postgres.host}:{postgres.port}/orders?sslmode=disable"
    environment = {
        "PATH": f"{tmp_path}:{postgres.psql.parent}:{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "BAO_ADDR": openbao.address,
        "BAO_TOKEN": openbao.root_token,
        "BAO_ADMIN_PASSWORD": "p4ss-of-the-test",
        "PGHOST": postgres.host,
        "PGPORT": str(postgres.port),
        "PGUSER": postgres.superuser,
        "PGPASSWORD": postgres.password,
    }
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", vault_setup.runbook(url)],
        cwd=Path(vault_setup.__file__).parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    with requests.Session() as session:
        root = hvac.Client(openbao.address, token=openbao.root_token, session=session)
        for path in ("sys/policies/acl/prodaccess-bot", "pa-db/roles/orders-write", "auth/token/roles/grant"):
            assert without_times(root.read(path)["data"]) == without_times(vault.root.read(path)["data"])
        assert root.read("pa-db/creds/orders-read")["data"]["username"].startswith("pa_root_")


def test_the_runbook_holds_no_secret(production_db: ProductionDb) -> None:
    database = vault_setup.Database("url", "bao_admin", production_db.admin_password)
    assert production_db.admin_password not in repr(vault_setup.VaultAccess("role", production_db.admin_password))
    assert production_db.admin_password not in repr(database)
    assert "$BAO_ADMIN_PASSWORD" in vault_setup.runbook()
