"""Grants beside each other and grants that become longer, from the ask to the target: real issuers, real targets."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from access.model import Device, GrantState
from access.ports import Clock, Collected, Provider
from access.requesting.extending import More
from prodaccess.policies.file import parse_policy
from tests.people import ADA, LINUS, POLICY
from tests.providers.aws_bench import AwsBench
from tests.providers.vault_bench import VaultBench
from tests.world import World

MINUTE = timedelta(minutes=1)


class RealWorld(World):
    """Whose orders-db is given by a real issuer, in real time."""

    def __init__(self, directory: Path, provider: Provider, uses: Mapping[str, str], clock: Clock) -> None:
        self._real, self._clock = provider, clock
        super().__init__(directory)
        read = yaml.safe_load(POLICY)
        read["targets"]["orders-db"]["roles"]["read"] |= {"provider": provider.name, "uses": dict(uses)}
        self.policies.policy = parse_policy(yaml.safe_dump(read))

    def _build(self) -> None:
        self.clock = self._clock  # type: ignore[assignment]
        super()._build()
        self.grants.custody.providers[self._real.name] = self._real  # type: ignore[index]

    async def extended(self, by: timedelta) -> None:
        request = await self.broker.extend(1, LINUS, More(by, "the import still runs", f"key-of-an-extension-{by}"))
        await self.broker.approve(request.id, ADA, request.digest)

    async def collected(self, number: int, device: Device) -> Collected:
        return await self.grants.collect(number, device)


@pytest.fixture
def on_vault(tmp_path: Path, vault_bench: VaultBench) -> Iterator[RealWorld]:
    made = RealWorld(tmp_path, vault_bench.provider, vault_bench.uses, vault_bench.clock)
    yield made
    made.close()


@pytest.fixture
def on_aws(tmp_path: Path, aws_bench: AwsBench) -> Iterator[RealWorld]:
    made = RealWorld(tmp_path, aws_bench.provider, aws_bench.uses, aws_bench.clock)
    yield made
    made.close()


async def test_ending_one_of_two_overlapping_grants_leaves_the_others_login(
    on_vault: RealWorld, vault_bench: VaultBench
) -> None:
    device = await on_vault.device()
    for _ in range(2):
        await on_vault.opened(duration=10 * MINUTE)
    ending, staying = [(await on_vault.collected(number, device)).issued for number in (1, 2)]
    with vault_bench.login(staying) as session:
        await on_vault.endings.end(1, LINUS)
        assert session.execute("SELECT 1").fetchone() == (1,)  # not cut either
    assert not await vault_bench.works(ending)
    assert await vault_bench.works(staying)
    again = (await on_vault.collected(2, device)).issued
    assert await vault_bench.works(again)
    ended = await on_vault.endings.end(2, LINUS)
    assert ended.state is GrantState.REVOKED
    assert not await vault_bench.works(staying)
    assert not await vault_bench.works(again)


async def test_an_extended_grant_gives_logins_to_the_new_end_and_the_old_one_ends_as_it_was_to(
    on_vault: RealWorld, vault_bench: VaultBench
) -> None:
    device = await on_vault.device()
    before = await on_vault.opened(duration=timedelta(seconds=5))
    old = (await on_vault.collected(1, device)).issued
    await on_vault.extended(10 * MINUTE)
    new = (await on_vault.collected(1, device)).issued
    assert new.not_after > before.expires_at + 9 * MINUTE
    left = (before.expires_at - vault_bench.clock.now()).total_seconds()
    await asyncio.sleep(max(0.0, left) + 3.5)  # Vault adds two to what is left, and looks about once a second
    assert not await vault_bench.works(old)
    assert await vault_bench.works(new)
    ended = await on_vault.endings.end(1, LINUS)
    assert ended.state is GrantState.REVOKED
    assert not await vault_bench.works(new)


async def test_a_grant_first_used_late_gives_logins_for_all_of_its_time(
    on_vault: RealWorld, vault_bench: VaultBench
) -> None:
    policy = on_vault.policies.policy
    rules = tuple(replace(rule, first_use=True, use_within=MINUTE) for rule in policy.rules)
    on_vault.policies.policy = replace(policy, rules=rules)
    await on_vault.opened(duration=30 * MINUTE)
    issued = (await on_vault.collected(1, await on_vault.device())).issued
    grant = await on_vault.grant(1)
    assert timedelta(0) <= grant.expires_at - issued.not_after < timedelta(seconds=3)
    token = vault_bench.vault.root.auth.token.lookup_accessor(grant.handles[-1].locator)["data"]
    assert token["explicit_max_ttl"] > 30 * 60  # the one from the opening had the minute to wait, and one more
    assert await vault_bench.works(issued)
    await on_vault.endings.end(1, LINUS)
    assert not await vault_bench.works(issued)


async def test_ending_one_of_two_overlapping_grants_denies_only_its_own_sessions(
    on_aws: RealWorld, aws_bench: AwsBench
) -> None:
    device = await on_aws.device()
    for _ in range(2):
        await on_aws.opened(duration=20 * MINUTE)
    ending, staying = [(await on_aws.collected(number, device)).issued for number in (1, 2)]
    await on_aws.endings.end(1, LINUS)
    assert not await aws_bench.works(ending)
    assert await aws_bench.works(staying)
    assert await aws_bench.works((await on_aws.collected(2, device)).issued)
    (denied,) = [statement for statement in aws_bench.denies() if statement["Effect"] == "Deny"]
    assert "pa-1-" in str(denied["Condition"])
    assert "pa-2-" not in str(denied["Condition"])


async def test_an_extended_grant_gives_sessions_to_the_new_end(on_aws: RealWorld, aws_bench: AwsBench) -> None:
    device = await on_aws.device()
    before = await on_aws.opened(duration=20 * MINUTE)
    old = (await on_aws.collected(1, device)).issued
    await on_aws.extended(30 * MINUTE)
    new = (await on_aws.collected(1, device)).issued
    assert (old.not_after, new.not_after) == (before.expires_at, before.expires_at + 30 * MINUTE)
    await on_aws.endings.end(1, LINUS)
    assert not await aws_bench.works(old)
    assert not await aws_bench.works(new)
