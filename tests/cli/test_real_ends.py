"""`run` and `aws` against a real PostgreSQL behind a real Vault, and the stand-in for AWS with a real SDK."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from prodaccess.parts.postgres import Postgres
from providers.aws import AwsProvider, AwsSettings
from providers.vault import VaultProvider
from providers.vault_client import VaultSettings
from tests.api.serving import serving
from tests.cli.shell import Shell
from tests.fixtures_parts import AwsFixture, VaultFixture
from tests.people import ADA
from tests.world import World

POLICY = """
version: 1
people: {{ada: U0ADA, linus: U0LINUS}}
targets:
  orders-db:
    roles:
      read:
        provider: vault
        uses: {{role: orders-read, host: {host}, port: "{port}", dbname: orders, sslmode: disable}}
        who: [linus]
        approvers: [ada]
        max: 1h
  bucket:
    roles:
      read:
        provider: aws
        uses: {{role_arn: "{role_arn}"}}
        who: [linus]
        approvers: [ada]
        max: 1h
"""
LOOK = """
import os
print({name: value for name, value in os.environ.items() if name.startswith("PG")})
print(open(os.environ["PGPASSFILE"]).read())
"""
SDK = """
import boto3
session = boto3.Session(profile_name="pa")
client = session.client("s3", endpoint_url={endpoint!r})
print([c["Key"] for c in client.list_objects_v2(Bucket={bucket!r})["Contents"]])
"""


@pytest.fixture
async def shell(
    tmp_path: Path, memory: Path, postgres: Postgres, vault: VaultFixture, aws: AwsFixture
) -> AsyncIterator[Shell]:
    """A signed-in machine, whose server issues for the real parts."""
    policy = POLICY.format(host=postgres.host, port=postgres.port, role_arn=aws.access.role_arn)
    world = World(tmp_path, policy)
    access = vault.access
    vault_settings = VaultSettings(
        vault.address, access.role_id, lambda: access.secret_id, access.mount, access.token_role
    )
    keys = aws.access
    aws_settings = AwsSettings(keys.region, aws.endpoint, keys.access_key_id, keys.secret_access_key)
    issuers = {"vault": VaultProvider(vault_settings, world.clock), "aws": AwsProvider(aws_settings, world.clock)}
    providers: Any = world.grants.custody.providers
    providers.update(issuers)
    async with serving(world) as api:
        made = Shell(api, tmp_path, memory)
        await made.sign_in()
        yield made
    for issuer in issuers.values():
        issuer.close()
    world.close()


async def _open(shell: Shell, target: str) -> None:
    await shell.api.world.opened(approver=ADA, target=target)


async def test_psql_gets_in_with_a_password_that_is_nowhere(shell: Shell, postgres: Postgres) -> None:
    await _open(shell, "orders-db")
    where = "select current_user, current_setting('application_name')"
    ran = await shell.run("run", "PA-1", "--", str(postgres.psql), "-XAtc", where)
    assert ran.code == 0, ran.err
    assert ran.out.startswith("pa_linus-pa-1_")
    assert ran.out.endswith("|PA-1\n")
    out = (await shell.run("run", "PA-1", "--", sys.executable, "-c", LOOK)).out
    environment, pgpass = out.split("\n")[:2]
    assert set(eval(environment)) == {
        "PGHOST",
        "PGPORT",
        "PGDATABASE",
        "PGSSLMODE",
        "PGUSER",
        "PGAPPNAME",
        "PGPASSFILE",
    }
    assert pgpass.split(":")[-1] not in environment


async def test_a_shell_in_between_keeps_the_way_open_and_wrong_hosts_get_no_password(
    shell: Shell, postgres: Postgres
) -> None:
    await _open(shell, "orders-db")
    twice = f"{postgres.psql} -XAtc 'select 1' && {postgres.psql} -XAtc 'select 2'"
    ran = await shell.run("run", "PA-1", "--", "sh", "-c", twice)
    assert (ran.code, ran.out) == (0, "1\n2\n"), ran.err
    elsewhere = f"{postgres.psql} -w -h localhost -XAtc 'select 1'"
    ran = await shell.run("run", "PA-1", "--", "sh", "-c", elsewhere)
    assert (ran.code, "no password supplied" in ran.err) == (2, True), ran.err


async def test_what_is_inherited_does_not_win(shell: Shell, postgres: Postgres) -> None:
    await _open(shell, "orders-db")
    confusing = shell.with_environment({"PGPASSWORD": "old", "PGSERVICE": "none", "PGHOSTADDR": "127.0.0.9"})
    ran = await confusing.run("run", "PA-1", "--kill-at-expiry", "--", str(postgres.psql), "-XAtc", "select 3")
    assert (ran.code, ran.out) == (0, "3\n"), ran.err


async def test_a_connection_uri_works_as_it_is_printed(shell: Shell, postgres: Postgres) -> None:
    await _open(shell, "orders-db")
    uri = (await shell.run("creds", "PA-1", "--format", "url")).out.strip()
    ran = await shell.run("run", "PA-1", "--", str(postgres.psql), uri, "-XAtc", "select 4")
    assert (ran.code, ran.out) == (0, "4\n"), ran.err


async def test_the_sdk_gets_its_keys_from_the_command_and_the_grants_words_when_it_is_over(
    shell: Shell, aws: AwsFixture, tmp_path: Path
) -> None:
    await _open(shell, "bucket")
    config = tmp_path / "aws.ini"
    config.write_text(
        f"[profile pa]\nregion = {aws.access.region}\ncredential_process = {sys.executable} -m cli aws PA-1\n"
    )
    sdk = shell.with_environment({"AWS_CONFIG_FILE": str(config), "PYTHONWARNINGS": "ignore"})
    script = SDK.format(endpoint=aws.endpoint, bucket=aws.access.bucket)
    environment = {**sdk.environment, "AWS_EC2_METADATA_DISABLED": "true"}
    ran = await _python(script, environment)
    assert (ran[0], ran[1].startswith("[")) == (0, True), ran
    await shell.run("end", "PA-1")
    code, _, err = await _python(script, environment)
    assert code != 0
    assert "PA-1 has ended. Ask again: prodaccess request bucket" in err


async def _python(script: str, environment: dict[str, str]) -> tuple[int | None, str, str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, env=environment, stdout=pipe, stderr=pipe
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_credential_process_is_version_1_and_kept_until_the_end(shell: Shell) -> None:
    await _open(shell, "bucket")
    first, again = await shell.run("aws", "PA-1"), await shell.run("aws", "PA-1")
    answer = json.loads(first.out)
    assert set(answer) == {"Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}
    assert (answer["Version"], answer["Expiration"][-1], again.out, first.err) == (1, "Z", first.out, "")
    kept = shell.runtime / "prodaccess" / "credential-PA-1.json"
    stored = json.loads(kept.read_text())
    kept.write_text(json.dumps(stored | {"good_until": 0}))
    assert json.loads((await shell.run("aws", "PA-1")).out)["AccessKeyId"] != answer["AccessKeyId"]


async def test_run_gives_aws_keys_to_one_process(shell: Shell) -> None:
    await _open(shell, "bucket")
    script = "import os; print(sorted(k for k in os.environ if k.startswith('AWS_')))"
    ran = await shell.with_environment({"AWS_PROFILE": "mine"}).run("run", "PA-1", "--", sys.executable, "-c", script)
    assert eval(ran.out) == [
        "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
    ]  # fmt: skip
    wrong = await shell.run("creds", "PA-1", "--format", "pgpass")
    assert (wrong.code, wrong.err) == (
        1, "prodaccess: PA-1 (bucket) gives aws, not postgres. Use: prodaccess run PA-1 -- COMMAND\n",
    )  # fmt: skip
    assert os.environ.get("AWS_ACCESS_KEY_ID") is None
