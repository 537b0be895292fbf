"""The set-up of Vault: what the bot may do, what a grant's credential can do, and how it ends."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hvac
import psycopg
import pytest
import requests

from prodaccess.parts import vault_setup
from prodaccess.parts.openbao import OpenBao, find_binary
from prodaccess.parts.postgres import Postgres
from prodaccess.parts.production_db import ROLES, ProductionDb
from tests.fixtures_parts import VaultFixture

ROLE_EXISTS = "SELECT count(*) FROM pg_roles WHERE rolname = '{}'"


@dataclass(frozen=True)
class Credential:
    """One user Vault made: its lease, its grant's token accessor, and how to log in with it."""

    lease_id: str
    accessor: str
    username: str
    url: str


class Issuer:
    """The bot's calls, in the order of a grant's life."""

    def __init__(self, vault: VaultFixture, postgres: Postgres) -> None:
        self.vault, self.postgres = vault, postgres
        self.bot = vault.login(None)

    def token(self, policies: list[str], ttl: str = "900s", **more: Any) -> dict[str, Any]:
        data = {"policies": policies, "meta": {"grant_id": "PA-7"}, "ttl": ttl, "explicit_max_ttl": ttl, **more}
        answer = self.bot.write_data("auth/token/create/grant", data={"display_name": "linus-PA-7", **data})
        auth: dict[str, Any] = answer["auth"]
        return auth

    def issue(self, role: str = "orders-read", ttl: str = "900s") -> Credential:
        token = self.token([f"grant-{role}"], ttl)
        answer = self.vault.login(token["client_token"]).read(f"pa-db/creds/{role}")
        data = answer["data"]
        place = f"{self.postgres.host}:{self.postgres.port}/orders"
        url = f"postgresql://{data['username']}:{data['password']}@{place}"
        return Credential(answer["lease_id"], token["accessor"], data["username"], url)

    def revoke(self, credential: Credential) -> None:
        self.bot.adapter.put("/v1/sys/leases/revoke", json={"lease_id": credential.lease_id, "sync": True})

    def role_exists(self, credential: Credential) -> bool:
        return self.postgres.execute(ROLE_EXISTS.format(credential.username)) == [(1,)]


@pytest.fixture
def issuer(vault: VaultFixture, postgres: Postgres) -> Issuer:
    return Issuer(vault, postgres)


def until(condition: Any, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


# -- what the bot may do ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "pa-db/creds/orders-read"),
        ("get", "pa-db/creds/orders-write"),
        ("post", "pa-db/roles/orders-read"),
        ("get", "pa-db/config/orders"),
        ("post", "pa-db/rotate-root/orders"),
        ("list", "auth/token/accessors"),
        ("post", "auth/token/create"),
        ("post", "auth/token/create-orphan"),
        ("post", "auth/token/roles/grant"),
        ("put", "sys/leases/revoke-force/pa-db/creds/orders-read"),
        ("put", "sys/policies/acl/grant-orders-read"),
        ("get", "sys/mounts"),
    ],
)
def test_the_bot_may_not(issuer: Issuer, method: str, path: str) -> None:
    with pytest.raises(hvac.exceptions.Forbidden):
        issuer.bot.adapter.request(method, f"/v1/{path}")


def test_the_bot_may_find_end_and_heal(issuer: Issuer) -> None:
    credential = issuer.issue()
    adapter = issuer.bot.adapter
    keys = adapter.list("/v1/sys/leases/lookup/pa-db/creds/orders-read")["data"]["keys"]
    assert credential.lease_id.rpartition("/")[2] in keys
    assert adapter.post("/v1/auth/token/lookup-accessor", json={"accessor": credential.accessor})["data"]["orphan"]
    assert adapter.get("/v1/sys/leases", params={"type": "irrevocable"})["data"]["lease_count"] == 0
    assert adapter.post("/v1/sys/leases/tidy").status_code == 202
    issuer.revoke(credential)
    adapter.post("/v1/auth/token/revoke-accessor", json={"accessor": credential.accessor})
    with pytest.raises(hvac.exceptions.InvalidRequest, match="invalid lease"):
        adapter.put("/v1/sys/leases/lookup", json={"lease_id": credential.lease_id})
    with pytest.raises(hvac.exceptions.InvalidRequest, match="invalid accessor"):
        adapter.post("/v1/auth/token/lookup-accessor", json={"accessor": credential.accessor})


def test_the_bots_own_token_is_periodic(issuer: Issuer) -> None:
    data = issuer.bot.auth.token.lookup_self()["data"]
    assert data["period"] == 3600
    assert data["policies"] == ["prodaccess-bot"]
    assert issuer.bot.auth.token.renew_self()["auth"]["lease_duration"] == 3600


@pytest.mark.parametrize(
    "data",
    [
        {"policies": ["prodaccess-bot"]},
        {"policies": ["root"]},
        {"policies": ["grant-orders-read", "grant-orders-write"]},
        {"policies": []},
        {"policies": ["grant-orders-read"], "period": "8h"},
        {"policies": ["grant-orders-read"], "entity_alias": "linus"},
        {"policies": ["grant-orders-read"], "type": "batch"},
    ],
    ids=str,
)
def test_the_bot_hands_out_one_listed_policy_and_nothing_else(issuer: Issuer, data: dict[str, Any]) -> None:
    full = {"meta": {}, "ttl": "900s", "explicit_max_ttl": "900s", **data}
    with pytest.raises((hvac.exceptions.Forbidden, hvac.exceptions.InvalidRequest)):
        issuer.bot.write_data("auth/token/create/grant", data=full)


@pytest.mark.parametrize("missing", ["policies", "meta", "ttl", "explicit_max_ttl"])
def test_a_grants_token_names_its_policy_grant_and_end(issuer: Issuer, missing: str) -> None:
    full = {"policies": ["grant-orders-read"], "meta": {}, "ttl": "900s", "explicit_max_ttl": "900s"}
    del full[missing]
    with pytest.raises(hvac.exceptions.Forbidden):
        issuer.bot.write_data("auth/token/create/grant", data=full)


def test_hvacs_own_call_works(issuer: Issuer) -> None:
    auth = issuer.bot.auth.token.create(
        role_name="grant",
        policies=["grant-orders-write"],
        meta={"grant_id": "PA-8"},
        ttl="60s",
        explicit_max_ttl="60s",
        display_name="ada-PA-8",
    )["auth"]
    assert auth["policies"] == ["grant-orders-write"]


# -- what a grant's token may do --------------------------------------------------------------------------------


def test_a_grants_token_is_an_orphan_that_reads_one_role(issuer: Issuer) -> None:
    auth = issuer.token(["grant-orders-read"])
    assert auth["orphan"]
    assert not auth["renewable"]
    assert auth["policies"] == ["grant-orders-read"]
    holder = issuer.vault.login(auth["client_token"])
    assert holder.read("pa-db/creds/orders-read")["lease_id"]
    for refused in ("pa-db/creds/orders-write", "auth/token/lookup-self", "pa-db/config/orders"):
        with pytest.raises(hvac.exceptions.Forbidden):
            holder.adapter.get(f"/v1/{refused}")


def test_a_grant_outlives_the_bots_token(issuer: Issuer) -> None:
    credential = issuer.issue()
    issuer.bot.auth.token.revoke_self()
    with psycopg.connect(credential.url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_no_token_outlives_the_longest_grant(issuer: Issuer) -> None:
    assert issuer.token(["grant-orders-read"], "100h")["lease_duration"] == 8 * 3600


# -- what a credential is -----------------------------------------------------------------------------------------


def test_the_user_name_carries_person_and_grant(issuer: Issuer) -> None:
    assert re.fullmatch(r"pa_linus-pa-7_[a-z0-9]{8}", issuer.issue().username)


def test_a_long_name_keeps_its_random_end(issuer: Issuer) -> None:
    token = issuer.token(["grant-orders-read"], display_name="x" * 200)
    holder = issuer.vault.login(token["client_token"])
    names = {holder.read("pa-db/creds/orders-read")["data"]["username"] for _ in range(2)}
    assert len(names) == 2
    assert all(len(name) <= 63 and re.search("_[a-z0-9]{8}$", name) for name in names)


def test_readers_read_and_writers_write(issuer: Issuer) -> None:
    update = "UPDATE refunds SET attempts = attempts WHERE id = 1"
    with psycopg.connect(issuer.issue("orders-read").url) as reader:
        assert reader.execute("SELECT count(*) FROM orders").fetchone() == (2000,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute(update)
    with psycopg.connect(issuer.issue("orders-write").url) as writer:
        assert writer.execute(update).rowcount == 1
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            writer.execute("CREATE TABLE mine ()")


def test_every_statement_is_in_the_servers_log_and_cannot_be_kept_out(issuer: Issuer) -> None:
    credential = issuer.issue()
    with psycopg.connect(credential.url, autocommit=True) as connection:
        connection.execute("SELECT 'a trace to find'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SET log_statement = 'none'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"ALTER ROLE {credential.username} RESET log_statement")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"ALTER ROLE {credential.username} VALID UNTIL 'infinity'")
    lines = issuer.postgres.log.read_text().splitlines()
    assert [line for line in lines if f"user={credential.username}" in line and "a trace to find" in line]


def test_renewing_the_lease_moves_valid_until(issuer: Issuer) -> None:
    credential = issuer.issue()
    query = f"SELECT extract(epoch FROM rolvaliduntil - now()) FROM pg_roles WHERE rolname = '{credential.username}'"
    assert 880 < issuer.postgres.execute(query)[0][0] < 910
    for seconds in (3600, 30):  # it also shortens
        renewed = issuer.bot.adapter.put(
            "/v1/sys/leases/renew", json={"lease_id": credential.lease_id, "increment": seconds}
        )
        assert renewed["lease_duration"] == seconds
        assert seconds - 5 < issuer.postgres.execute(query)[0][0] < seconds + 10


# -- how it ends --------------------------------------------------------------------------------------------------


def test_revoking_ends_sessions_and_removes_the_user(issuer: Issuer) -> None:
    credential = issuer.issue()
    with psycopg.connect(credential.url) as idle, psycopg.connect(credential.url) as busy:
        failures: list[Exception] = []

        def sleep() -> None:
            try:
                busy.execute("SELECT pg_sleep(60)")
            except psycopg.Error as error:
                failures.append(error)

        thread = threading.Thread(target=sleep)
        thread.start()
        active = f"SELECT 1 FROM pg_stat_activity WHERE usename = '{credential.username}' AND state = 'active'"
        assert until(lambda: issuer.postgres.execute(active))
        issuer.revoke(credential)
        thread.join(10)
        assert isinstance(failures[0], psycopg.errors.AdminShutdown)
        with pytest.raises(psycopg.errors.AdminShutdown):
            idle.execute("SELECT 1")
    assert not issuer.role_exists(credential)
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(credential.url)


def test_revoking_twice_and_after_a_dba_is_fine(issuer: Issuer) -> None:
    credential = issuer.issue()
    issuer.postgres.execute(f"DROP ROLE {credential.username}")
    issuer.revoke(credential)
    issuer.revoke(credential)
    with pytest.raises(hvac.exceptions.InvalidRequest, match="invalid lease"):
        issuer.bot.adapter.put("/v1/sys/leases/lookup", json={"lease_id": credential.lease_id})


def test_a_user_that_cannot_be_dropped_keeps_no_login_and_no_rights(issuer: Issuer) -> None:
    credential = issuer.issue("orders-write")
    postgres = issuer.postgres
    postgres.execute("CREATE DATABASE elsewhere")
    postgres.execute(f"CREATE TABLE kept (); ALTER TABLE kept OWNER TO {credential.username}", "elsewhere")
    issuer.revoke(credential)
    assert issuer.role_exists(credential)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(credential.url)
    groups = "SELECT count(*) FROM pg_auth_members m JOIN pg_roles u ON u.oid = m.member WHERE u.rolname = '{}'"
    assert postgres.execute(groups.format(credential.username)) == [(0,)]
    assert f"{credential.username} neutralised but not dropped" in postgres.log.read_text()
    postgres.execute("DROP DATABASE elsewhere")
    postgres.execute(f"DROP ROLE {credential.username}")


def test_what_is_left_behind_has_no_rights(issuer: Issuer) -> None:
    credential = issuer.issue("orders-write")
    postgres = issuer.postgres
    postgres.execute(
        f"CREATE SCHEMA scratch AUTHORIZATION {credential.username};"
        f"GRANT USAGE ON SCHEMA scratch TO app_readonly; GRANT CREATE ON SCHEMA scratch TO pa_graveyard",
        "orders",
    )
    with psycopg.connect(credential.url) as connection:
        connection.execute(
            "CREATE FUNCTION scratch.steal() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS "
            "'SELECT count(*) FROM public.customer_identities'"
        )
    issuer.revoke(credential)
    assert not issuer.role_exists(credential)
    with psycopg.connect(issuer.issue("orders-read").url) as later:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            later.execute("SELECT scratch.steal()")
    postgres.execute("DROP SCHEMA scratch CASCADE", "orders")


def test_a_locked_table_does_not_hold_up_the_end(issuer: Issuer) -> None:
    credential = issuer.issue("orders-write")
    with psycopg.connect(issuer.postgres.url("orders")) as holder:
        holder.execute("LOCK TABLE refunds IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        issuer.revoke(credential)
        assert time.monotonic() - started < 3
        assert not issuer.role_exists(credential)


def test_it_ends_by_itself_with_the_grants_token(issuer: Issuer) -> None:
    credential = issuer.issue(ttl="2s")
    assert issuer.role_exists(credential)
    assert until(lambda: not issuer.role_exists(credential))


def test_revoking_the_accessor_ends_it_soon(issuer: Issuer) -> None:
    credential = issuer.issue()
    issuer.bot.adapter.post("/v1/auth/token/revoke-accessor", json={"accessor": credential.accessor})
    assert until(lambda: not issuer.role_exists(credential))


# -- the audit log and the runbook --------------------------------------------------------------------------------


def test_vaults_audit_log_joins_on_the_grant_and_keeps_the_password(issuer: Issuer, openbao: OpenBao) -> None:
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
            assert root.read(path)["data"] == vault.root.read(path)["data"]
        assert root.read("pa-db/creds/orders-read")["data"]["username"].startswith("pa_root_")


def test_the_runbook_holds_no_secret(production_db: ProductionDb) -> None:
    database = vault_setup.Database("url", "bao_admin", production_db.admin_password)
    assert production_db.admin_password not in repr(vault_setup.VaultAccess("role", production_db.admin_password))
    assert production_db.admin_password not in repr(database)
    assert "$BAO_ADMIN_PASSWORD" in vault_setup.runbook()
