"""When parts of Vault or the database fail: what is said, and what is tried again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from access.errors import HandleLost, ProviderRefused, ProviderSilent
from access.ports import NotYet
from prodaccess.parts.openbao import OpenBao
from prodaccess.parts.production_db import ProductionDb
from tests.providers.contract import Desk, is_gone, make_grant
from tests.providers.vault_bench import VaultBench, bot_role, end_the_bots_tokens, vault_locked_out


@pytest.fixture
def bench(vault_bench: VaultBench) -> VaultBench:
    return vault_bench


async def _opened(bench: VaultBench) -> Desk:
    desk = bench.desk()
    await desk.open()
    return desk


async def test_a_database_that_refuses_vault_is_tried_again(
    bench: VaultBench, production_db: ProductionDb, calls: Callable[[], list[str]]
) -> None:
    desk = bench.desk()
    issued = await desk.open_and_collect()
    calls()
    with vault_locked_out(bench, production_db):
        result = await desk.end()
        assert calls().count("sys/leases/revoke") == 2  # the second one leaves it to Vault's own retries
        assert isinstance(result, NotYet)
        assert result.why == (
            f"Vault still holds {issued.public_id}: the database no longer takes Vault's own account: "
            "its password was changed elsewhere"
        )
        with pytest.raises(ProviderSilent):
            await bench.desk().open_and_collect()
    is_gone(await desk.end())
    assert not await bench.works(issued)


async def test_a_frozen_database_keeps_nobody_waiting(bench: VaultBench) -> None:
    desk = Desk(bench.provider_with(timeout=1.0), make_grant(bench.clock, bench.uses), bench.clock)
    issued = await desk.open_and_collect()
    began = asyncio.get_running_loop().time()
    bench.postgres.pause()
    try:
        result = await desk.end()
    finally:
        bench.postgres.resume()
    assert isinstance(result, NotYet)
    assert asyncio.get_running_loop().time() - began < 8
    is_gone(await desk.end())
    assert not await bench.works(issued)


async def test_a_sealed_vault_is_said_in_plain_words(bench: VaultBench, openbao: OpenBao) -> None:
    desk = bench.desk()
    issued = await desk.open_and_collect()
    bench.vault.root.sys.seal()
    try:
        with pytest.raises(ProviderRefused, match="Vault is sealed"):
            await bench.desk().open()
        assert await desk.end() == NotYet("Vault is sealed: an operator must unseal it")
        assert await bench.provider.health() == "Vault is sealed: an operator must unseal it."
    finally:
        openbao.unseal()
    is_gone(await desk.end())
    assert not await bench.works(issued)


async def test_a_dead_login_is_replaced_once(bench: VaultBench, calls: Callable[[], list[str]]) -> None:
    await bench.desk().open()
    end_the_bots_tokens(bench)
    calls()
    await bench.desk().open()
    assert calls() == [
        "auth/token/create/grant",
        "auth/token/lookup-self",
        "auth/approle/login",
        "auth/token/create/grant",
    ]


async def test_many_calls_at_once_share_one_new_login(bench: VaultBench, calls: Callable[[], list[str]]) -> None:
    await bench.desk().open()
    end_the_bots_tokens(bench)
    calls()
    await asyncio.gather(*(bench.desk().open() for _ in range(5)))
    assert calls().count("auth/approle/login") == 1


async def test_the_login_is_renewed_before_it_ends(bench: VaultBench, calls: Callable[[], list[str]]) -> None:
    with bot_role(bench, token_period="2s"):
        provider = bench.provider_with()
        await provider.tidy()
        calls()
        for _ in range(4):
            await asyncio.sleep(0.8)
            await provider.tidy()
        assert "auth/token/renew-self" in (paths := calls())
        assert "auth/approle/login" not in paths


async def test_a_rejected_login_is_a_definite_no(bench: VaultBench) -> None:
    provider = bench.provider_with(secret_id=lambda: "not-the-secret-id")
    desk = Desk(provider, make_grant(bench.clock, bench.uses), bench.clock)
    with pytest.raises(ProviderRefused, match="give it a new AppRole secret id"):
        await desk.open()
    assert "AppRole" in await provider.health()


async def test_a_rotated_secret_id_is_read_anew(bench: VaultBench) -> None:
    answers = iter(["old", bench.vault.access.secret_id])
    provider = bench.provider_with(secret_id=lambda: next(answers))
    desk = Desk(provider, make_grant(bench.clock, bench.uses), bench.clock)
    with pytest.raises(ProviderRefused):
        await desk.open()
    await desk.open()


async def test_nothing_listening_is_a_definite_no(bench: VaultBench) -> None:
    provider = bench.provider_with(address="http://127.0.0.1:1")
    desk = Desk(provider, make_grant(bench.clock, bench.uses), bench.clock)
    with pytest.raises(ProviderRefused, match="cannot be reached"):
        await desk.open()
    with pytest.raises(ProviderSilent):
        await provider.find((await _opened(bench)).grant)
    assert await provider.health() == "Vault cannot be reached."


async def test_a_token_ended_by_an_operator_needs_a_new_attempt(bench: VaultBench) -> None:
    desk = await _opened(bench)
    bench.vault.root.auth.token.revoke_accessor(desk.grant.handles[0].locator)
    with pytest.raises(HandleLost):
        await desk.collect()
    await desk.open()
    issued = await desk.collect()
    assert await bench.works(issued)
    is_gone(await desk.end())


async def test_a_role_that_the_token_may_not_read_is_a_definite_no(bench: VaultBench) -> None:
    desk = await _opened(bench)
    desk.grant = replace(desk.grant, uses=bench.uses | {"role": "orders-write"})
    with pytest.raises(ProviderRefused, match="policy"):
        await desk.collect()


async def test_a_token_role_that_makes_no_orphans_is_refused(bench: VaultBench) -> None:
    role = bench.vault.root.read("auth/token/roles/grant")["data"]
    keep = {key: role[key] for key in ("allowed_policies", "renewable", "token_no_default_policy", "token_type")}
    keep["token_explicit_max_ttl"] = "8h"
    bench.vault.root.write_data("auth/token/roles/grant", data=keep | {"orphan": False})
    try:
        with pytest.raises(ProviderRefused, match="does not make orphans"):
            await bench.desk().open()
    finally:
        bench.vault.root.write_data("auth/token/roles/grant", data=keep | {"orphan": True})
    await bench.desk().open()
