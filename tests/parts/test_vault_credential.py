"""What a credential from Vault can do in the database, and how it ends."""

from __future__ import annotations

import re
import threading
import time
from typing import Any

import hvac
import psycopg
import pytest

from prodaccess.parts.postgres import Postgres
from tests.fixtures_parts import VaultFixture
from tests.parts.issuing import Issuer


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
            connection.execute(f'ALTER ROLE "{credential.username}" RESET log_statement')
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(f"ALTER ROLE \"{credential.username}\" VALID UNTIL 'infinity'")
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
    issuer.postgres.execute(f'DROP ROLE "{credential.username}"')
    issuer.revoke(credential)
    issuer.revoke(credential)
    with pytest.raises(hvac.exceptions.InvalidRequest, match="invalid lease"):
        issuer.bot.adapter.put("/v1/sys/leases/lookup", json={"lease_id": credential.lease_id})


def test_a_user_that_cannot_be_dropped_keeps_no_login_and_no_rights(issuer: Issuer) -> None:
    credential = issuer.issue("orders-write")
    postgres = issuer.postgres
    postgres.execute("CREATE DATABASE elsewhere")
    postgres.execute(f'CREATE TABLE kept (); ALTER TABLE kept OWNER TO "{credential.username}"', "elsewhere")
    issuer.revoke(credential)
    assert issuer.role_exists(credential)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(credential.url)
    login = "SELECT rolcanlogin, rolpassword FROM pg_authid WHERE rolname = '{}'"
    assert postgres.execute(login.format(credential.username)) == [(False, None)]
    groups = "SELECT count(*) FROM pg_auth_members m JOIN pg_roles u ON u.oid = m.member WHERE u.rolname = '{}'"
    assert postgres.execute(groups.format(credential.username)) == [(0,)]
    assert f"{credential.username} neutralised but not dropped" in postgres.log.read_text()
    postgres.execute("DROP DATABASE elsewhere")
    postgres.execute(f'DROP ROLE "{credential.username}"')


def test_what_is_left_behind_has_no_rights(issuer: Issuer) -> None:
    credential = issuer.issue("orders-write")
    postgres = issuer.postgres
    postgres.execute(
        "CREATE SCHEMA scratch; GRANT USAGE ON SCHEMA scratch TO app_readonly;"
        "GRANT USAGE, CREATE ON SCHEMA scratch TO app_readwrite, pa_graveyard",
        "orders",
    )
    with psycopg.connect(credential.url) as connection:
        connection.execute(
            "CREATE FUNCTION scratch.steal() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS "
            "'SELECT count(*) FROM public.customer_identities'"
        )
    issuer.revoke(credential)
    assert not issuer.role_exists(credential)
    later = issuer.issue("orders-read")
    with psycopg.connect(later.url) as reader, pytest.raises(psycopg.errors.InsufficientPrivilege):
        reader.execute("SELECT scratch.steal()")
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
