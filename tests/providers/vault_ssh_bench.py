"""A provider of SSH certificates with its real Vault and a real sshd."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from access.ports import Released
from prodaccess.parts.sshd import Sshd
from prodaccess.parts.vault_ssh_setup import MOUNT, ROLE, steps
from providers.krl_file import KrlFile
from providers.vault_client import VaultSettings
from providers.vault_ssh import SshSettings, VaultSshProvider
from tests.fixtures_parts import VaultFixture
from tests.providers.contract import Desk, WallClock, make_grant
from tests.providers.sshd import Terminal


def set_up(vault: VaultFixture, users: str) -> str:
    """The certificate authority's public key."""
    if f"{MOUNT}/" not in vault.root.sys.list_mounted_secrets_engines()["data"]:
        for step in steps(users=users):
            vault.root.write_data(step.path, data=dict(step.data))
    key: str = vault.root.read(f"{MOUNT}/config/ca")["data"]["public_key"]
    return key


class VaultSshBench:
    forgets = False
    discards = True

    def __init__(self, vault: VaultFixture, deaf: str, directory: Path, stack: ExitStack) -> None:
        self.clock = WallClock()
        self.vault = vault
        self.krl = directory / "krl"
        self._deaf = deaf
        self._directory = directory
        self._stack = stack
        KrlFile(self.krl, self.clock).tidy()
        self.sshd = stack.enter_context(Sshd(set_up(vault, "root,deploy"), self.krl, "deploy"))
        self.terminal = Terminal(self.sshd, directory)
        self.uses = {"role": ROLE, "user": "deploy", "host": "127.0.0.1", "port": str(self.sshd.port)}
        self.provider = self.restart()

    def provider_with(self, krl: Path | None = None, **vault: Any) -> VaultSshProvider:
        access = self.vault.access
        base = VaultSettings(self.vault.address, access.role_id, lambda: access.secret_id, mount=MOUNT)
        settings = SshSettings(replace(base, **vault), krl or self.krl, timedelta(minutes=1))
        provider = VaultSshProvider(settings, self.clock)
        self._stack.callback(provider.close)
        return provider

    def restart(self) -> VaultSshProvider:
        return self.provider_with()

    def desk(self, seconds: float = 600, **changes: str) -> Desk:
        return Desk(self.provider, make_grant(self.clock, self.uses | changes, seconds), self.clock)

    def refused(self) -> Desk:
        return self.desk(role="somebody-elses")

    def unheard(self) -> Desk:
        """Neither Vault nor the disk with the list answers."""
        provider = self.provider_with(self._directory / "gone" / "krl", address=self._deaf, timeout=0.3)
        return Desk(provider, make_grant(self.clock, self.uses), self.clock)

    async def works(self, issued: Released) -> bool:
        return await asyncio.to_thread(self.terminal.lets_in, issued)
