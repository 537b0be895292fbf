"""A Vault provider of database users, and a Vault that does not answer: what every database's bench is made of."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from providers.vault import VaultProvider
from providers.vault_client import VaultSettings
from tests.fixtures_parts import VaultFixture
from tests.providers.contract import Desk, WallClock, make_grant


class DatabaseBench:
    """Whoever inherits says what its grants use, and then makes the first provider."""

    forgets = True
    discards = True
    engine: tuple[Any, ...] = ()  # what tells the provider of another database than PostgreSQL
    uses: dict[str, str]
    provider: VaultProvider

    def __init__(self, vault: VaultFixture, deaf: str, stack: ExitStack) -> None:
        self.clock = WallClock()
        self.vault = vault
        self._deaf = deaf
        self._stack = stack

    def provider_with(self, **settings: Any) -> VaultProvider:
        access = self.vault.access
        base = VaultSettings(self.vault.address, access.role_id, lambda: access.secret_id)
        provider = VaultProvider(replace(base, **settings), self.clock, *self.engine)
        self._stack.callback(provider.close)
        return provider

    def restart(self) -> VaultProvider:
        return self.provider_with()

    def desk(self, seconds: float = 600, **changes: str) -> Desk:
        return Desk(self.provider, make_grant(self.clock, self.uses | changes, seconds), self.clock)

    def unheard(self) -> Desk:
        provider = self.provider_with(address=self._deaf, timeout=0.3)
        return Desk(provider, make_grant(self.clock, self.uses), self.clock)
