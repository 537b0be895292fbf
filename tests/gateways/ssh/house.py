"""The SSH gateway with the whole house behind it, over the world of `tests.world`, in front of a host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import asyncssh

from access.gate import Intent, Sealed
from access.model import Device, Grant, Handle
from access.ports import Issued, Provider
from access.sessions.model import SSH
from access.sessions.place import Place, Voucher
from gateways.ssh.door import SshDoor
from gateways.ssh.gateway import SshGateway
from gateways.ssh.upstream import Upstream
from providers.memory import MemoryProvider
from tests.gateways.scene import Scene
from tests.gateways.ssh.hosts import Keys, private, public

POLICY = """
version: 1
people: {{ada: U0ADA, linus: U0LINUS, margaret: U0MARGARET}}
admins: [margaret]
auditors: [margaret]
targets:
  orders-db:
    roles:
      read:
        provider: memory
        gateway: ssh
        uses: {{host: {host}, port: "{port}", user: {user}, host_key: "{key}", marks: "{marks}"}}
        who: [linus]
        approvers: [ada]
        max: 4h
        default: 1h
"""


def policy(upstream: Upstream, *, marks: str = "no") -> str:
    told = {"host": upstream.host, "port": upstream.port, "user": upstream.user, "key": upstream.host_keys[0]}
    return POLICY.format(**told, marks=marks)


class Certificates(MemoryProvider):
    """Gives what Vault's SSH engine would."""

    keys: Keys
    principal: str

    async def issue(self, grant: Grant, handle: Handle, intent: Intent) -> Issued:
        issued = await super().issue(grant, handle, intent)
        sealed = Sealed(self.keys.credential(self.principal), intent, issued.public_id)
        return replace(issued, secret=sealed)


@dataclass(frozen=True)
class Ticket:
    """What a terminal keeps of a pass."""

    name: str
    key: asyncssh.SSHKey


@dataclass
class SshScene(Scene):
    """`far` is no database here."""

    keys: Keys = None  # type: ignore[assignment]
    principal: str = "gateway"
    kind: ClassVar[str] = SSH

    def provider(self) -> Provider:
        provider = Certificates(self.world.clock, server=self.world.far_side)
        provider.keys, provider.principal = self.keys, self.principal
        return provider

    async def listen(self, *, tls: bool) -> tuple[asyncio.Server, Place, Voucher | None]:
        del tls
        self.gateway = SshGateway(SshDoor(self.desk), private(self.keys.host))
        server = await self.gateway.listen("127.0.0.1", 0)
        return server, Place("127.0.0.1", 0, public(self.keys.host)), None

    async def ticket(self, grant: Grant, device: Device, key: asyncssh.SSHKey | None = None) -> Ticket:  # type: ignore[override]
        key = key or asyncssh.generate_private_key("ssh-ed25519")
        given, _ = await self.passes.give(grant.number, device, SSH, public(key))
        return Ticket(given.name, key)

    async def let_in(self) -> Ticket:
        return await self.ticket(*await self.granted())

    @asynccontextmanager
    async def connect(self, ticket: Ticket, **changes: Any) -> AsyncIterator[asyncssh.SSHClientConnection]:
        options: dict[str, Any] = {
            "username": ticket.name, "client_keys": [ticket.key], "agent_path": None, "config": None, "gss_host": None,
            "known_hosts": ([self.keys.host.convert_to_public()], [], []),
        }  # fmt: skip
        async with asyncssh.connect("127.0.0.1", self.port, **(options | changes)) as connection:
            yield connection
