"""What a look at a real issuer finds that nothing accounts for, and what can be done about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from access.ending.reconciling import GRACE, Kind, Known, Piece, Survey, compare
from access.errors import ProviderRefused
from access.model import GrantState
from prodaccess.parts.vault_setup import BOT, HERE
from providers.krl import Krl
from providers.krl_file import KrlFile
from providers.vault_client import VaultSettings
from providers.vault_ssh import SshSettings, VaultSshProvider
from tests.fixtures_parts import VaultFixture
from tests.people import ManualClock
from tests.providers.aws_bench import AwsBench
from tests.providers.contract import Desk, make_grant
from tests.providers.vault_bench import VaultBench, until, users_of

LOOK = f"{BOT}-look"
LONG_AGO = timedelta(hours=1)


@pytest.fixture(scope="module")
def may_list(vault: VaultFixture) -> Iterator[None]:
    """Vault lets the bot list tokens, as an installation may allow."""
    path = f"auth/approle/role/{BOT}"
    before = vault.root.read(path)["data"]["token_policies"]
    policy = (HERE / "vault_look.hcl").read_text()
    vault.root.write_data(f"sys/policies/acl/{LOOK}", data={"policy": policy})
    vault.root.write_data(path, data={"token_policies": [*before, LOOK]})
    yield
    vault.root.write_data(path, data={"token_policies": before})


def here(survey: Survey, *locators: str) -> list[Piece]:
    """Of what was found, what this test has made: the server is everybody's."""
    return [piece for piece in survey.pieces if piece.locator in locators]


# Vault


async def test_a_lease_without_a_record_is_found_with_its_age_and_is_nobodys(vault_bench: VaultBench) -> None:
    desk = vault_bench.desk()
    await desk.open_and_collect()
    lease = desk.grant.leases[0].locator
    survey = await desk.provider.survey((), ())
    (piece,) = here(survey, lease)
    assert (piece.kind, piece.is_ours, piece.bears) == (Kind.LEASE, False, None)
    assert piece.since is not None
    assert abs(piece.since - datetime.now(UTC)) < timedelta(minutes=1)
    assert piece.name.startswith("pa-db/creds/orders-read/")
    assert lease not in f"{piece} {survey.unseen}"
    assert compare(Survey((piece,)), Known(vault_bench.clock.now())).strays == ()  # it may be on its way to a record
    assert len(compare(Survey((piece,)), Known(vault_bench.clock.now() + GRACE * 2)).strays) == 1
    assert any("vault_look.hcl" in sentence for sentence in survey.unseen)
    assert await desk.provider.remove(piece) == ("Vault no longer knows the lease.",)
    assert not users_of(vault_bench, desk)


async def test_a_lease_that_somebody_else_revoked_is_missed(vault_bench: VaultBench) -> None:
    desk = vault_bench.desk()
    await desk.open_and_collect()
    known = Known(vault_bench.clock.now())
    known.add(replace(desk.grant, state=GrantState.ACTIVE), desk.provider)
    revoked = {"lease_id": desk.grant.leases[0].locator, "sync": True}
    vault_bench.vault.root.adapter.put("/v1/sys/leases/revoke", json=revoked)
    found = compare(await desk.provider.survey(known.owners.keys(), ()), known)
    assert found.missing == ((desk.grant.number, 1),)
    assert await desk.provider.has_died(desk.grant, desk.grant.leases[0]) == "Vault no longer knows the lease."
    await desk.end()


@pytest.mark.usefixtures("may_list")
async def test_a_grants_token_says_whose_it_is_and_takes_everything_with_it(vault_bench: VaultBench) -> None:
    provider = vault_bench.provider_with(origin="acme/audit")
    desk = Desk(provider, make_grant(vault_bench.clock, vault_bench.uses), vault_bench.clock)
    await desk.open_and_collect()
    token = desk.grant.handles[0].locator
    (piece,) = here(await provider.survey((), ()), token)
    assert (piece.kind, piece.is_ours, piece.bears) == (Kind.TOKEN, True, desk.grant.number)
    assert piece.name == f"token-ada-lovelace-pa-{desk.grant.number}"
    assert here(await provider.survey({token}, ()), token) == []
    assert (await provider.remove(piece))[0] == "Vault no longer knows the token."
    assert here(await provider.survey((), ()), token) == []
    assert await until(lambda: not users_of(vault_bench, desk))


@pytest.mark.usefixtures("may_list")
async def test_the_tokens_of_another_installation_are_not_seen(vault_bench: VaultBench) -> None:
    theirs = vault_bench.provider_with(origin="staging/audit")
    desk = Desk(theirs, make_grant(vault_bench.clock, vault_bench.uses), vault_bench.clock)
    await desk.open()
    ours = vault_bench.provider_with(origin="acme/audit")
    assert here(await ours.survey((), ()), desk.grant.handles[0].locator) == []
    unnamed = vault_bench.desk()
    await unnamed.open()
    (piece,) = here(await ours.survey((), ()), unnamed.grant.handles[0].locator)
    assert not piece.is_ours
    await desk.end()
    await unnamed.end()


# AWS


async def test_a_deny_is_seen_also_after_a_restart_and_goes_with_the_next_clean_up(aws_bench: AwsBench) -> None:
    desk = aws_bench.desk()
    await desk.open_and_collect()
    await desk.end()
    again = aws_bench.restart()
    survey = await again.survey((), [aws_bench.uses, aws_bench.uses])
    (piece,) = [p for p in survey.pieces if p.bears == desk.grant.number]
    assert piece.kind is Kind.DENY
    known = Known(aws_bench.clock.now())
    assert compare(survey, known).strays == ()
    known.add(replace(desk.grant, state=GrantState.ACTIVE), again)
    (stray,) = [s for s in compare(survey, known).strays if s.piece == piece]
    assert "is open, and this shuts it out" in stray.why
    with pytest.raises(ProviderRefused, match="clean-up"):
        await again.remove(piece)
    aws_bench.clock.ahead = timedelta(days=1)
    strays = compare(survey, Known(aws_bench.clock.now())).strays
    assert piece in [stray.piece for stray in strays]
    await again.tidy()  # which has written nothing itself, and has seen it
    assert (await again.survey((), [aws_bench.uses])).pieces == ()


async def test_a_role_elsewhere_is_said_not_to_be_looked_at(aws_bench: AwsBench) -> None:
    survey = await aws_bench.provider.survey((), [{"role_arn": "arn:aws:iam::999999999999:role/theirs"}])
    assert survey.pieces == ()
    assert survey.unseen == ("The role theirs is in another AWS account, where prodaccess cannot look.",)


# The revocation list


async def test_what_the_revocation_list_holds_too_long_or_against_an_open_grant(tmp_path: Path) -> None:
    clock = ManualClock()
    settings = SshSettings(VaultSettings("http://127.0.0.1:1", "", str), tmp_path / "krl", timedelta(minutes=1))
    provider = VaultSshProvider(settings, clock)
    soon = int((clock.now() + timedelta(minutes=5)).timestamp())
    KrlFile(tmp_path / "krl", clock).add(Krl(key_ids={"pa-7:ada": soon, "pa-8:grace": soon}, serials={42: soon}))
    open_grant: Any = make_grant(clock, {}, number=7, state=GrantState.ACTIVE)
    known = Known(clock.now())
    known.add(open_grant, provider)
    (stray,) = compare(await provider.survey((), ()), known).strays
    assert (stray.piece.bears, stray.why) == (7, "PA-7 is open, and this shuts it out")
    with pytest.raises(ProviderRefused):
        await provider.remove(stray.piece)
    clock.pass_by(hours=1)
    strays = compare(await provider.survey((), ()), Known(clock.now())).strays
    assert {stray.piece.name for stray in strays} == {"key id pa-7:ada", "key id pa-8:grace", "serial 42"}
    await provider.remove(strays[0].piece)
    assert (await provider.survey((), ())).pieces == ()
    provider.close()
