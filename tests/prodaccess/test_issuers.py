"""The settings make the issuers that they name, and an assignment shared by two grants lives as long as one of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from access.errors import Unavailable
from access.model import GrantState, Person
from access.ports import Provider
from prodaccess.clock import SystemClock
from prodaccess.issuers import Neighbours, make_providers
from prodaccess.settings import SettingsError, read_settings
from providers.aws_assignments import IdentityCenterSettings
from providers.aws_identity_center import IdentityCenterProvider
from tests.people import ADA, LINUS, POLICY
from tests.prodaccess.test_settings import ENOUGH
from tests.providers.identity_center_server import INSTANCE, SUPPORT, IdentityCenter, served
from tests.world import Policies, World

VAULT = {"VAULT_ADDR": "http://127.0.0.1:1", "VAULT_ROLE_ID": "r", "VAULT_SECRET_ID": "s"}
CENTER = {
    "PRODACCESS_IDENTITY_CENTER": INSTANCE,
    "PRODACCESS_IDENTITY_CENTER_PORTAL": "https://d-1234567890.awsapps.com/start",
    "PRODACCESS_IDENTITY_CENTER_REGION": "eu-central-1",
}
MAPPED = "{slack: U0LINUS, email: [linus@example.com, linus@old.example.com]}"


def made(changes: dict[str, str]) -> dict[str, Provider]:
    providers = make_providers(read_settings(ENOUGH | changes), SystemClock())
    for provider in providers.values():
        provider.close()
    return providers


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, set()),
        (VAULT, {"vault"}),
        (VAULT | {"PRODACCESS_VAULT_MYSQL": "yes"}, {"vault", "vault_mysql"}),
        (VAULT | {"PRODACCESS_SSH_KRL": "/var/lib/prodaccess/krl"}, {"vault", "vault_ssh"}),
        (CENTER, {"aws_identity_center"}),
    ],
)
def test_the_settings_make_what_they_name(changes: dict[str, str], names: set[str]) -> None:
    providers = made(changes)
    assert set(providers) == names
    assert all(provider.name == name for name, provider in providers.items())


def test_how_soon_hosts_follow_is_said_in_the_guarantee() -> None:
    ssh = made(VAULT | {"PRODACCESS_SSH_KRL": "/krl", "PRODACCESS_SSH_KRL_LAG": "5m"})["vault_ssh"]
    assert "within 5 minutes" in ssh.guarantee.sentence
    assert ssh.guarantee.lag.total_seconds() == 300


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"PRODACCESS_SSH_KRL": "/krl"}, "PRODACCESS_SSH_KRL is set, so VAULT_ADDR"),
        ({"PRODACCESS_VAULT_MYSQL": "yes"}, "PRODACCESS_VAULT_MYSQL is set, so VAULT_ADDR"),
        (VAULT | {"PRODACCESS_VAULT_MYSQL": "maybe"}, "yes or no"),
        ({"PRODACCESS_SSH_KRL_LAG": "soon"}, "1m or 30s"),
        (CENTER | {"PRODACCESS_IDENTITY_CENTER_PORTAL": ""}, "PORTAL"),
        (CENTER | {"PRODACCESS_IDENTITY_CENTER_REGION": ""}, "REGION"),
    ],
)
def test_what_is_missing_beside_them_is_said(changes: dict[str, str], said: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)):
        read_settings(ENOUGH | changes)


# Who somebody is, and what else they have


def test_a_user_name_is_the_first_address_of_the_accounts_owner_and_of_nobody_else() -> None:
    neighbours = Neighbours(Policies(POLICY.replace("linus: U0LINUS", f"linus: {MAPPED}")))
    assert neighbours.user_name(LINUS) == "linus@example.com"
    assert neighbours.user_name(ADA) == ""
    assert neighbours.user_name(Person("T0ACME/U0EVE", "linus", "U0EVE")) == ""  # calls themselves so in Slack
    assert Neighbours().user_name(LINUS) == ""


async def test_the_other_grants_are_those_of_the_same_person_that_have_not_ended(world: World) -> None:
    neighbours = Neighbours(world.policies, world.store)
    for by in (LINUS, LINUS, LINUS):
        await world.opened(by=by)
    await world.opened(by=ADA, approver=Person("T0ACME/U0GRACE", "grace", "U0GRACE"))
    await world.asked()
    await world.endings.end(2, LINUS)
    others = await neighbours.others(await world.grant(1))
    assert [grant.number for grant in others] == [3]
    with pytest.raises(Unavailable):
        await Neighbours().others(await world.grant(1))


# The whole of it, with the real broker and store


@pytest.fixture
def center() -> IdentityCenter:
    found = IdentityCenter(users={"linus@example.com": "90677c608a-7afcdc23-4e1d-4a1b-8d2c-0123456789ab"})
    found.sets[SUPPORT] = {"Name": "OrdersSupport", "SessionDuration": "PT1H"}
    return found


@pytest.fixture
def assigning(center: IdentityCenter, tmp_path: Path) -> Iterator[World]:
    uses = f"{{account: '123456789012', permission_set: '{SUPPORT}'}}"
    text = POLICY.replace("provider: memory, uses: {}", f"provider: aws_identity_center, uses: {uses}")
    with ExitStack() as stack:
        world = World(tmp_path, text.replace("linus: U0LINUS", f"linus: {MAPPED}"))
        stack.callback(world.close)
        endpoint = stack.enter_context(served(center))
        settings = IdentityCenterSettings(INSTANCE, "eu-central-1", "https://d-1.awsapps.com/start", endpoint, "x", "y")
        neighbours = Neighbours(world.policies, world.store)
        provider = IdentityCenterProvider(settings, world.clock, neighbours.user_name, neighbours.others)
        stack.callback(provider.close)
        world.grants.custody.providers[provider.name] = provider  # type: ignore[index]
        yield world


async def test_two_grants_on_one_pair_from_the_first_use_to_the_last_end(
    assigning: World, center: IdentityCenter
) -> None:
    device = await assigning.device()
    for number in (1, 2):
        await assigning.opened()
        assert center.assigned == [] if number == 1 else len(center.assigned) == 1  # nothing before it is collected
        await assigning.grants.collect(number, device)
    assert center.calls.count("CreateAccountAssignment") == 1
    await assigning.endings.end(1, LINUS)
    first = await assigning.grant(1)
    assert (first.state, first.effective_by) == (GrantState.REVOKED, None)
    assert len(center.assigned) == 1
    await assigning.endings.end(2, LINUS)
    second = await assigning.grant(2)
    assert second.state is GrantState.REVOKED
    assert second.effective_by is not None
    assert center.assigned == []
