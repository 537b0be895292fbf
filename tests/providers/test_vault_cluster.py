"""Two real Vaults: what one has made, the other cannot say is gone, however the address came to lead to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import hvac
import pytest

from access.errors import OtherIssuer, ProviderError
from access.model import Handle
from access.ports import Gone, NotYet
from prodaccess.parts.openbao import OpenBao
from prodaccess.parts.postgres import Postgres
from prodaccess.parts.production_db import ProductionDb
from prodaccess.parts.vault_setup import BOT, VaultAccess, set_up_vault
from providers.vault_cluster import Cluster
from tests.providers.contract import Desk
from tests.providers.vault_bench import VaultBench
from tests.proving.proxy import Ways

WRONG = "made at another Vault"


@pytest.fixture(scope="module")
def other(postgres: Postgres, production_db: ProductionDb) -> Iterator[tuple[OpenBao, VaultAccess]]:
    """A second Vault, set up like the first one, for the same database."""
    with OpenBao() as server:
        yield server, set_up_vault(server.address, server.root_token, postgres, production_db)


@pytest.fixture
def ways() -> Iterator[Ways]:
    with Ways() as made:
        yield made


def at_the_other(bench: VaultBench, other: tuple[OpenBao, VaultAccess], **settings: object) -> Desk:
    server, access = other
    where = {"address": server.address, "role_id": access.role_id, "secret_id": lambda: access.secret_id}
    return replace_provider(bench, **where, **settings)


def replace_provider(bench: VaultBench, **settings: object) -> Desk:
    desk = bench.desk()
    desk.provider = bench.provider_with(**settings)
    return desk


async def test_after_a_changed_address_nothing_is_said_to_be_gone(
    vault_bench: VaultBench, other: tuple[OpenBao, VaultAccess]
) -> None:
    desk = vault_bench.desk()
    issued = await desk.open_and_collect()
    assert desk.grant.handles[0].issuer
    moved = at_the_other(vault_bench, other)
    answer = await moved.provider.revoke(desk.grant)
    assert isinstance(answer, NotYet)
    assert WRONG in answer.why
    assert desk.grant.handles[0].issuer in answer.why  # for PRODACCESS_VAULT_BEFORE
    assert await vault_bench.works(issued)
    with pytest.raises(ProviderError, match=WRONG):
        await moved.provider.find(desk.grant)
    with pytest.raises(OtherIssuer, match=WRONG):
        await moved.provider.has_died(desk.grant, desk.grant.leases[0])  # type: ignore[attr-defined]
    assert isinstance(await desk.provider.revoke(desk.grant), Gone)  # the address is set back
    assert not await vault_bench.works(issued)


async def test_one_that_takes_the_others_place_under_the_same_address_is_noticed(
    vault_bench: VaultBench, other: tuple[OpenBao, VaultAccess], ways: Ways
) -> None:
    (server, access), first = other, vault_bench.vault.access
    there, way = root_of(server), ways.to(int(vault_bench.vault.address.rpartition(":")[2]))
    secrets = [first.secret_id]
    desk = replace_provider(vault_bench, address=f"http://127.0.0.1:{way.port}", secret_id=lambda: secrets[-1])
    issued = await desk.open_and_collect()
    ways.cut(way)
    way.far_port, way.faults.refuse = server.port, False
    assert isinstance(await desk.provider.revoke(desk.grant), NotYet)  # it does not take our login
    there.auth.approle.update_role_id(BOT, first.role_id)  # set up so alike that it does
    secrets.append(access.secret_id)
    answer = await desk.provider.revoke(desk.grant)
    assert isinstance(answer, NotYet)
    assert answer.why == "another Vault answers than at the beginning of the try"
    answer = await desk.provider.revoke(desk.grant)
    there.auth.approle.update_role_id(BOT, access.role_id)
    assert isinstance(answer, NotYet)
    assert WRONG in answer.why
    assert await vault_bench.works(issued)


def root_of(server: OpenBao) -> hvac.Client:
    return hvac.Client(server.address, token=server.root_token)


def a_handle(number: int, issuer: str) -> Handle:
    return Handle(number, 1 + len(issuer), "accessor", datetime.now(UTC), issuer)


async def test_an_operator_may_say_that_it_has_taken_the_others_place(
    vault_bench: VaultBench, other: tuple[OpenBao, VaultAccess]
) -> None:
    desk = vault_bench.desk()
    await desk.open_and_collect()
    before = frozenset({desk.grant.handles[0].issuer})
    moved = at_the_other(vault_bench, other, before=before)
    assert isinstance(await moved.provider.revoke(desk.grant), Gone)
    await desk.provider.revoke(desk.grant)


async def test_what_each_of_them_has_made_is_ended_where_it_was_made(
    vault_bench: VaultBench, other: tuple[OpenBao, VaultAccess]
) -> None:
    desk = vault_bench.desk()
    first = await desk.open_and_collect()
    moved = at_the_other(vault_bench, other)
    moved.grant = desk.grant
    second = await moved.open_and_collect()
    assert isinstance(await moved.provider.revoke(moved.grant), NotYet)
    assert not await vault_bench.works(second)
    assert await vault_bench.works(first)
    assert isinstance(await desk.provider.revoke(moved.grant), NotYet)  # of the second one, this one knows nothing
    assert not await vault_bench.works(first)


def test_where_it_does_not_say_which_it_is_its_word_is_no_proof(vault_bench: VaultBench) -> None:
    grant = vault_bench.desk().grant
    assert Cluster("").denies(grant) == ""
    grant = replace(grant, handles=(a_handle(grant.number, "here"), a_handle(grant.number, "")))
    assert "does not say which" in Cluster("").denies(grant)
    assert Cluster("").part_of(grant, {})[0] == grant
    assert Cluster("here").denies(grant) == ""
    assert WRONG in Cluster("there").denies(grant)
    assert Cluster("there", frozenset({"here"})).denies(grant) == ""
