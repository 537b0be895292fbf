"""The printed runbooks for SSH and MariaDB do what the tested set-ups do, after the first one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import hvac
import pytest
import requests

from prodaccess.parts import vault_mysql_setup, vault_setup, vault_ssh_setup
from prodaccess.parts.mariadb import MariaDb, find_programs
from prodaccess.parts.openbao import OpenBao, find_binary
from prodaccess.parts.part import PartError


@pytest.fixture(scope="module")
def root() -> Iterator[hvac.Client]:
    """An OpenBao in which the first set-up's logins and policies are made."""
    with OpenBao() as server, requests.Session() as session:
        client = hvac.Client(server.address, token=server.root_token, session=session)
        client.write_data("sys/mounts/pa-db", data={"type": "database"})
        for step in (*vault_setup.policies(), *vault_setup.tokens()):
            client.write_data(step.path, data=dict(step.data))
        yield client


def run(runbook: str, root: hvac.Client, programs: Path, **environment: str) -> str:
    (programs / "bao").symlink_to(find_binary())
    given = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(programs),
        "BAO_ADDR": root.url,
        "BAO_TOKEN": root.token,
    }
    done = subprocess.run(
        ["/bin/sh", "-e", "-c", runbook], cwd=vault_setup.HERE, env=given | environment, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_runbook_for_ssh(root: hvac.Client, tmp_path: Path) -> None:
    said = run(vault_ssh_setup.runbook(), root, tmp_path)
    role = root.read("pa-ssh/roles/orders-host")["data"]
    for key, value in vault_ssh_setup.ssh_role("orders-host", "deploy").data.items():
        assert role[key] == {"max_ttl": 28800, "not_before_duration": 30}.get(key, value), key
    assert said.splitlines()[-1].startswith("ssh-ed25519 ")
    assert set(root.read("auth/approle/role/prodaccess")["data"]["token_policies"]) == {
        "prodaccess-bot", "prodaccess-mysql", "prodaccess-ssh"
    }  # fmt: skip


def test_the_runbook_for_mariadb(root: hvac.Client, tmp_path: Path) -> None:
    try:
        find_programs()
    except PartError:
        pytest.skip("MariaDB is not installed: apt-get install mariadb-server-core")
    client = shutil.which("mariadb")
    if not client or not shutil.which("envsubst"):
        pytest.skip("MariaDB's client or envsubst is not installed: apt-get install mariadb-client-core gettext-base")
    with MariaDb() as server:
        server.execute("CREATE DATABASE stock")
        wrapper = tmp_path / "mariadb"
        wrapper.write_text(f"#!/bin/sh\nexec {client} --no-defaults -h {server.host} -P {server.port} -u root\n")
        wrapper.chmod(0o755)
        url = f"{{{{username}}}}:{{{{password}}}}@tcp({server.host}:{server.port})/"
        secrets = {"MYSQL_PWD": server.password, "BAO_ADMIN_PASSWORD": "p4ss-of-the-test"}
        run(vault_mysql_setup.runbook(url), root, tmp_path, **secrets)
        made = root.read("pa-db/creds/stock-read")
        assert made["data"]["username"].startswith("pa_root_")
        assert server.execute("SHOW DATABASES", user=made["data"]["username"], password=made["data"]["password"])
        root.sys.revoke_lease(made["lease_id"])
        assert not server.execute("SELECT user FROM mysql.user WHERE user LIKE 'pa_root%'")
    assert "p4ss" not in vault_mysql_setup.runbook()
