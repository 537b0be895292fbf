"""The issuers beyond the first ones, as the settings ask for them, and what they must know beyond one grant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from access.duration import parse_duration
from access.errors import Unavailable
from access.model import Grant, Person
from access.ports import Clock, PolicySource, Provider, Store
from prodaccess.settings import Settings, SettingsError

if TYPE_CHECKING:
    from providers.vault_client import VaultSettings


@dataclass
class Neighbours:
    """Who a person is elsewhere, and their other grants; both are filled in once they are there."""

    policies: PolicySource | None = None
    store: Store | None = None

    def user_name(self, person: Person) -> str:
        """The first address that the policy gives the owner of this Slack account; empty where it gives none.

        By the account and not by the name: a stranger may call themselves like somebody in the policy.
        """
        if self.policies is None:
            return ""
        policy = self.policies.current()
        owner = policy.belonging.owner(person.slack_id)
        return next(iter(policy.emails.get(owner, ())), "") if owner else ""

    async def others(self, grant: Grant) -> Sequence[Grant]:
        """The same person's other grants that have not ended. Raises Unavailable."""
        if self.store is None:
            raise Unavailable("The database is not open.")
        open_requests = await self.store.open_requests(grant.requester.id)
        numbers = [request.number for request in open_requests if request.number != grant.number]
        return tuple((await self.store.grants_by_number(numbers)).values())


def vault_settings(settings: Settings) -> VaultSettings:
    """For the database engine's mount."""
    from providers.vault_client import VaultSettings

    return VaultSettings(
        address=settings["VAULT_ADDR"], role_id=settings["VAULT_ROLE_ID"],
        secret_id=lambda: settings.reveal("VAULT_SECRET_ID"), mount=settings["PRODACCESS_VAULT_MOUNT"],
        token_role=settings["PRODACCESS_VAULT_TOKEN_ROLE"], namespace=settings["VAULT_NAMESPACE"],
        ca=settings["VAULT_CACERT"], before=_names(settings["PRODACCESS_VAULT_BEFORE"]),
        origin=settings["PRODACCESS_AUDIT_ORIGIN"],
    )  # fmt: skip


def _names(text: str) -> frozenset[str]:
    return frozenset(filter(None, map(str.strip, text.split(","))))


def make_providers(settings: Settings, clock: Clock, neighbours: Neighbours | None = None) -> dict[str, Provider]:
    """Those that the settings configure, by the name that a policy uses. Raises SettingsError."""
    providers: dict[str, Provider] = {}
    if settings["VAULT_ADDR"]:
        from providers.vault import VaultProvider

        providers["vault"] = VaultProvider(vault_settings(settings), clock)
    if settings["PRODACCESS_AWS_REGION"]:
        from providers.aws import AwsProvider, AwsSettings

        aws = AwsSettings(settings["PRODACCESS_AWS_REGION"], settings["PRODACCESS_AWS_ENDPOINT_URL"])
        providers["aws"] = AwsProvider(aws, clock)
    providers |= further_providers(settings, clock, neighbours or Neighbours())
    if settings["PRODACCESS_MEMORY_PROVIDER"] == "yes":
        from providers.memory import MemoryProvider

        providers["memory"] = MemoryProvider(clock)
    return providers


def further_providers(settings: Settings, clock: Clock, neighbours: Neighbours) -> dict[str, Provider]:
    """By the name that a policy uses. Raises SettingsError."""
    made: dict[str, Provider] = {}
    if settings["VAULT_ADDR"] and settings["PRODACCESS_VAULT_MYSQL"] == "yes":
        made["vault_mysql"] = _mysql(settings, clock)
    if settings["VAULT_ADDR"] and settings["PRODACCESS_SSH_KRL"]:
        made["vault_ssh"] = _ssh(settings, clock)
    if settings["PRODACCESS_IDENTITY_CENTER"]:
        made["aws_identity_center"] = _identity_center(settings, clock, neighbours)
    return made


def _mysql(settings: Settings, clock: Clock) -> Provider:
    from providers.vault import VaultProvider

    try:
        from providers.vault_mysql import MYSQL
    except ModuleNotFoundError:
        raise SettingsError("PRODACCESS_VAULT_MYSQL needs PyMySQL: pip install 'prodaccess[mysql]'.") from None
    return VaultProvider(vault_settings(settings), clock, "vault_mysql", MYSQL)


def _ssh(settings: Settings, clock: Clock) -> Provider:
    from providers.vault_ssh import SshSettings, VaultSshProvider

    vault = replace(vault_settings(settings), mount=settings["PRODACCESS_VAULT_SSH_MOUNT"])
    lag = parse_duration(settings["PRODACCESS_SSH_KRL_LAG"])
    return VaultSshProvider(SshSettings(vault, Path(settings["PRODACCESS_SSH_KRL"]), lag), clock)


def _identity_center(settings: Settings, clock: Clock, neighbours: Neighbours) -> Provider:
    from providers.aws_assignments import IdentityCenterSettings
    from providers.aws_identity_center import IdentityCenterProvider

    center = IdentityCenterSettings(
        instance_arn=settings["PRODACCESS_IDENTITY_CENTER"],
        region=settings["PRODACCESS_IDENTITY_CENTER_REGION"] or settings["PRODACCESS_AWS_REGION"],
        portal=settings["PRODACCESS_IDENTITY_CENTER_PORTAL"],
        endpoint_url=settings["PRODACCESS_AWS_ENDPOINT_URL"],
    )
    return IdentityCenterProvider(center, clock, neighbours.user_name, neighbours.others)
