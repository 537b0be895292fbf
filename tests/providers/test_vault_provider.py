"""Vault keeps the contract on a real OpenBao and a real PostgreSQL, and its proofs say no more than was seen."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import psycopg
import pytest

from access.errors import HandleLost, ProviderRefused, ProviderSilent
from access.ports import NotYet
from prodaccess.parts.production_db import ProductionDb
from tests.providers.contract import ProviderContract, is_gone
from tests.providers.vault_bench import VaultBench, lossy, slowed, until, users_of, vault_locked_out

TOKEN = re.compile(r"\bs\.[A-Za-z0-9]{24}\b")


@pytest.fixture
def bench(vault_bench: VaultBench) -> VaultBench:
    return vault_bench


class TestVault(ProviderContract):
    """The contract."""


# What a grant looks like from Vault and from the database


async def test_the_token_is_an_orphan_that_names_its_grant_and_ends_a_minute_after_it(bench: VaultBench) -> None:
    desk = bench.desk(seconds=600)
    await desk.open()
    data = bench.vault.root.auth.token.lookup_accessor(desk.grant.handles[0].locator)["data"]
    assert data["orphan"] is True
    assert data["renewable"] is False
    assert data["policies"] == ["grant-orders-read"]
    assert 655 <= data["explicit_max_ttl"] <= 660
    assert data["display_name"] == f"token-ada-lovelace-pa-{desk.grant.number}"
    assert data["meta"] == {
        "grant": desk.grant.ref, "attempt": "1", "requester": "Ada Lovelace", "ticket": "OPS-412"
    }  # fmt: skip


async def test_the_database_user_carries_person_and_grant(bench: VaultBench) -> None:
    issued = await bench.desk().open_and_collect()
    assert re.fullmatch(r"pa_ada-lovelace-pa-\d+_\w{8}", issued.public_id)


async def test_a_long_name_does_not_push_the_grant_out(bench: VaultBench) -> None:
    desk = bench.desk()
    desk.grant = replace(desk.grant, requester=replace(desk.grant.requester, name="Ádám " * 20))
    issued = await desk.open_and_collect()
    assert f"-pa-{desk.grant.number}_" in issued.public_id
    assert len(issued.public_id) <= 63


async def test_the_databases_own_expiry_follows_the_deadline(bench: VaultBench) -> None:
    desk = bench.desk(seconds=120)
    issued = await desk.open_and_collect()
    (row,) = bench.postgres.execute(f"SELECT rolvaliduntil FROM pg_roles WHERE rolname = '{issued.public_id}'")
    until: datetime = row[0]
    assert abs(until - desk.grant.expires_at) < timedelta(seconds=8)
    assert desk.grant.expires_at - timedelta(seconds=3) < issued.not_after <= desk.grant.expires_at


async def test_the_terminal_learns_where_to_go_and_nothing_secret(bench: VaultBench) -> None:
    issued = await bench.desk().open_and_collect()
    assert issued.hints == {
        "engine": "postgres", "host": bench.uses["host"], "port": bench.uses["port"], "dbname": "orders",
        "sslmode": "disable",
    }  # fmt: skip
    assert set(issued.secret.reveal()) == {"username", "password"}


async def test_one_call_to_open_and_two_to_collect(bench: VaultBench, calls: Callable[[], list[str]]) -> None:
    await bench.desk().open()  # logs in
    calls()
    desk = bench.desk()
    await desk.open()
    assert calls() == ["auth/token/create/grant"]
    await desk.collect()
    assert calls() == ["pa-db/creds/orders-read", "sys/leases/renew"]


# Ending


async def test_ending_cuts_open_sessions_and_proves_it(bench: VaultBench) -> None:
    desk = bench.desk()
    issued = await desk.open_and_collect()
    with bench.login(issued) as session:
        gone = is_gone(await desk.end())
        with pytest.raises(psycopg.OperationalError):
            session.execute("SELECT 1")
    assert gone.effective_by is None
    assert gone.proof[:2] == ("Vault has ended the grant's token.", f"Vault no longer knows {issued.public_id}.")
    assert re.fullmatch(
        rf"The database refused the old login of {issued.public_id}, \d+\.\d\d s after the end began\.", gone.proof[2]
    )
    assert not bench.postgres.execute(f"SELECT 1 FROM pg_roles WHERE rolname = '{issued.public_id}'")


async def test_an_early_end_waits_for_the_token_too(bench: VaultBench, calls: Callable[[], list[str]]) -> None:
    desk = bench.desk()
    await desk.open_and_collect()
    calls()
    is_gone(await desk.end())
    assert calls() == ["sys/leases/revoke", "auth/token/revoke-accessor"]  # in this order, and nothing is asked twice
    assert not await desk.provider.find(desk.grant)


async def test_at_the_deadline_the_token_follows(bench: VaultBench, calls: Callable[[], list[str]]) -> None:
    desk = bench.desk()
    issued = await desk.open_and_collect()
    calls()
    desk.grant = replace(desk.grant, expires_at=bench.clock.now())
    gone = is_gone(await desk.end())
    assert not await bench.works(issued)
    by_itself = desk.grant.expires_at + timedelta(seconds=60)
    assert gone.proof[0] == (
        f"The grant's token is past its use and is ended next; by {by_itself:%H:%M:%S} UTC Vault ends it by itself."
    )
    assert await until(lambda: "auth/token/revoke-accessor" in calls())
    assert not await desk.provider.find(desk.grant)


async def test_at_the_deadline_a_lost_answer_does_not_let_the_token_wait(
    bench: VaultBench, calls: Callable[[], list[str]]
) -> None:
    desk = bench.desk()
    await desk.open_and_collect()
    nameless = replace(desk.grant.leases[0], n=2, public_id="", locator="")
    desk.grant = replace(desk.grant, expires_at=bench.clock.now(), leases=(*desk.grant.leases, nameless))
    calls()
    gone = is_gone(await desk.end())
    assert calls() == ["auth/token/revoke-accessor", "sys/leases/revoke", "sys/leases/tidy"]
    assert gone.proof[0] == "Vault has ended the grant's token."


async def test_without_the_password_the_proof_says_so(bench: VaultBench) -> None:
    desk = bench.desk()
    await desk.open_and_collect()
    gone = is_gone(await desk.restarted(bench.restart()).end())
    assert "was not tried" in gone.proof[-1]


async def test_without_a_reachable_database_the_proof_says_so(bench: VaultBench) -> None:
    desk = bench.desk(port="1")
    await desk.open_and_collect()
    gone = is_gone(await desk.end())
    assert gone.proof[-1].endswith("the proof is Vault's word.")


async def test_after_the_end_the_secrets_are_forgotten(bench: VaultBench, calls: Callable[[], list[str]]) -> None:
    desk = bench.desk()
    await desk.open_and_collect()
    is_gone(await desk.end())
    calls()
    with pytest.raises(HandleLost):
        await desk.collect()
    assert calls() == []  # there was no token left to try


async def test_tidying_forgets_what_ended_long_ago(bench: VaultBench) -> None:
    clock, desk = bench.clock, bench.desk()
    await desk.open_and_collect()
    await desk.provider.tidy()
    await desk.collect()
    clock.ahead = timedelta(seconds=700)
    await desk.provider.tidy()
    clock.ahead = timedelta(0)
    with pytest.raises(HandleLost):
        await desk.collect()
    is_gone(await desk.end())


async def test_a_lease_that_somebody_else_ended_is_gone(bench: VaultBench) -> None:
    desk = bench.desk()
    await desk.open_and_collect()
    bench.vault.root.sys.revoke_lease(desk.grant.leases[0].locator)
    is_gone(await desk.end())


async def test_a_login_that_still_works_outweighs_vaults_word(bench: VaultBench, production_db: ProductionDb) -> None:
    desk = bench.desk()
    issued = await desk.open_and_collect()
    with vault_locked_out(bench, production_db):  # Vault is made to forget the lease while it cannot revoke it
        bench.vault.root.adapter.put(f"/v1/sys/leases/revoke-force/{desk.grant.leases[0].locator}")
    result = await desk.end()
    assert isinstance(result, NotYet)
    assert f"still lets {issued.public_id} log in" in result.why
    bench.postgres.execute(f'ALTER ROLE "{issued.public_id}" NOLOGIN')
    assert "refused the old login" in is_gone(await desk.end()).proof[-1]
    bench.postgres.execute(f'DROP OWNED BY "{issued.public_id}"; DROP ROLE "{issued.public_id}"', "orders")


async def test_a_credential_whose_answer_was_lost_dies_with_its_token(
    bench: VaultBench, calls: Callable[[], list[str]]
) -> None:
    async with lossy(bench) as (desk, wire):
        await desk.open()
        wire.swallows = True
        with pytest.raises(ProviderSilent):
            await desk.collect()
        wire.swallows = False
        assert await until(lambda: len(users_of(bench, desk)) == 1)
        gone = is_gone(await desk.end())
        assert "sys/leases/tidy" in calls()
        assert gone.proof[1] == (
            "The answer for 1 collection never came: what was made died with the token, and Vault sweeps for remains."
        )
        assert await until(lambda: not users_of(bench, desk))


async def test_a_credential_that_arrives_after_its_token_died_is_swept(bench: VaultBench) -> None:
    """The race that no revocation can see: Vault finishes the credential after the end, and nobody knows its lease."""
    async with lossy(bench) as (desk, wire):
        await desk.open()
        with slowed(bench, seconds=2):
            wire.swallows = True
            with pytest.raises(ProviderSilent):
                await desk.collect()
            wire.swallows = False
            is_gone(await desk.end())
            assert not users_of(bench, desk)
            assert await until(lambda: len(users_of(bench, desk)) == 1)
    await bench.restart().tidy()
    assert await until(lambda: not users_of(bench, desk))


async def test_no_capability_is_ever_logged(bench: VaultBench, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    desk = bench.desk()
    await desk.open_and_collect()
    is_gone(await desk.end())
    assert "pa-db/creds/orders-read" in caplog.text  # the calls themselves are seen
    assert not TOKEN.search(caplog.text)
    for capability in (bench.vault.access.secret_id, desk.grant.leases[0].locator, desk.grant.handles[0].locator):
        assert capability not in caplog.text
    assert bench.vault.access.secret_id not in repr(vars(bench.provider))


# The policy's `uses`


async def test_faulty_uses_open_nothing(bench: VaultBench, calls: Callable[[], list[str]]) -> None:
    calls()
    with pytest.raises(ProviderRefused, match="role"):
        await bench.desk(role="../../sys/seal").open()
    assert calls() == []


@pytest.mark.parametrize(
    ("uses", "fault"),
    [
        ({}, "`role` is missing."),
        ({"rol": "x", "role": "x"}, "`rol` is not known; did you mean `role`?"),
        (
            {"role": "x", "zebra": "1"},
            "`zebra` is not known; known here: role, host, port, dbname, sslmode, sslrootcert.",
        ),
        (
            {"role": "../../sys/seal"},
            "`role` is the name of a role below Vault's mount: letters, digits, dots and dashes.",
        ),
        ({"role": "x", "port": "http"}, "`port` is a number from 1 to 65535."),
        (
            {"role": "x", "sslmode": "on"},
            "`sslmode` is one of disable, allow, prefer, require, verify-ca, verify-full.",
        ),
    ],
)
def test_faults_in_uses_are_sentences(bench: VaultBench, uses: dict[str, str], fault: str) -> None:
    assert bench.provider.check(uses) == (fault,)


def test_good_uses_have_no_faults(bench: VaultBench) -> None:
    assert bench.provider.check(bench.uses) == ()
