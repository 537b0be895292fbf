"""What the issuers' tests share."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from prodaccess.parts.openbao import OpenBao
from prodaccess.parts.postgres import Postgres
from providers.aws_denies import POLICY_NAME
from tests.fixtures_parts import AwsFixture, VaultFixture
from tests.providers.aws_bench import AwsBench
from tests.providers.vault_bench import VaultBench


@pytest.fixture(scope="session")
def deaf() -> Iterator[str]:
    """The address of something that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def vault_bench(vault: VaultFixture, postgres: Postgres, deaf: str) -> Iterator[VaultBench]:
    with ExitStack() as stack:
        yield VaultBench(vault, postgres, deaf, stack)


@pytest.fixture(scope="module")
def widened(vault: VaultFixture) -> Iterator[VaultFixture]:
    """The same Vault, whose bot is given more by the test's own set-up, and has it taken back afterwards."""
    paths = ("auth/approle/role/prodaccess", "auth/token/roles/grant")
    before = {path: vault.root.read(path)["data"] for path in paths}
    keys = ("token_policies", "allowed_policies")
    yield vault
    for path, data in before.items():
        vault.root.write_data(path, data={key: data[key] for key in keys if key in data})


@pytest.fixture
def calls(openbao: OpenBao) -> Callable[[], list[str]]:
    """The paths asked of Vault since the last look, from its own audit log."""
    seen = openbao.audit_log.stat().st_size

    def since() -> list[str]:
        nonlocal seen
        with openbao.audit_log.open() as log:
            log.seek(seen)
            entries = [json.loads(line) for line in log]
            seen = log.tell()
        return [entry["request"]["path"] for entry in entries if entry["type"] == "request"]

    return since


@pytest.fixture
def aws_bench(aws: AwsFixture, deaf: str) -> Iterator[AwsBench]:
    with ExitStack() as stack:
        bench = AwsBench(aws, deaf, stack)
        yield bench
        bench.remove(POLICY_NAME)
