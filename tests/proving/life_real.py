"""The same life on real ground: `python -m tests.proving.life_real DIRECTORY [--only-end]`.

Its credentials are users of a real database, made by a real Vault; what an engineer would hold is put down in
`held.log` for those who try it (`tests.proving.prober`).
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from access.gate import Intent
from access.model import Grant, Handle
from access.ports import Clock, Collected, Issued
from prodaccess.clock import SystemClock
from providers.memory import MemoryServer
from providers.vault import VaultProvider
from tests.people import Directory
from tests.proving.far import open_far_log, write_line
from tests.proving.ground import Address, is_intended
from tests.proving.life import Life, Living, lead
from tests.world import Policies


class Watched(VaultProvider):
    """Asks, before Vault is asked for a credential, whether everybody can read that it was intended."""

    def __init__(self, address: Address, clock: Clock, file: int) -> None:
        super().__init__(address.settings, clock)
        self._database, self._file = address.database, file

    async def issue(self, grant: Grant, handle: Handle, intent: Intent) -> Issued:
        intended = await asyncio.to_thread(is_intended, self._database, grant.number, intent.n)
        line = {"grant": grant.number, "n": intent.n, "intended": intended, "at": time.time()}
        write_line(self._file, {"what": "+account", "key": f"{grant.number}.{intent.n}", **line})
        return await super().issue(grant, handle, intent)


class RealLiving(Living):
    """A `World` on the machine's clock, or another one, on PostgreSQL and Vault."""

    def __init__(self, directory: Path, clock: Clock | None = None) -> None:
        self.address = Address.load(directory)
        self.clock: Any = clock or SystemClock()
        self.people, self.policies = Directory(), Policies(self.address.policy)
        self.far_side = MemoryServer()
        self.url = self.address.database
        self._spool = directory / "spool"
        self._file = open_far_log(directory)
        self._held = os.open(directory / "held.log", os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)
        self._build()

    def _build(self) -> None:
        super()._build()
        self.vault = Watched(self.address, self.clock, self._file)
        self.grants.custody.providers["vault"] = self.vault  # type: ignore[index]

    def take(self, collected: Collected) -> None:
        deadline = self.on_the_wall(collected.grant.expires_at)
        secret = dict(collected.issued.secret.reveal())
        write_line(self._held, {"grant": collected.grant.number, "deadline": deadline, **secret})

    def on_the_wall(self, moment: datetime) -> float:
        """Seconds since the epoch, of the machine's clock."""
        return moment.timestamp()


def main() -> None:
    directory = Path(sys.argv[1])
    world = RealLiving(directory)
    lead(Life(world, (2, 3), world.take), directory)


if __name__ == "__main__":
    main()
