"""What the bot may do in Vault, and what a grant's token may do."""

from __future__ import annotations

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
