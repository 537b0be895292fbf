"""The client's side until it is let in: it proves who it is by a key, and is then admitted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from asyncssh import ChannelOpenError, SSHKey, SSHServer, SSHServerConnection
from asyncssh.constants import DISC_BY_APPLICATION, OPEN_ADMINISTRATIVELY_PROHIBITED

from access.errors import AccessError
from gateways.live import LEFT
from gateways.ssh.channels import Near
from gateways.ssh.connections import Inbound
from gateways.ssh.ends import NearEnd
from gateways.ssh.relay import Relay
from gateways.ssh.text import harmless

MOST_KEYS = 20  # that a client may offer: an agent may hold some

#: whether somebody of this name may come with this key, as in `authorized_keys` without comment. Whatever is unknown
#: is answered by False, without a word; the key has not been used to sign anything yet
Knows = Callable[[str, str], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who wants in: `name` as given, and the key that signed for it."""

    name: str
    key: str
    address: str
    client: str  # what its program calls itself


class House(Protocol):
    """What a client comes to."""

    def comes(self, client: Inbound) -> None: ...
    def is_no_stranger(self, client: Inbound) -> None: ...

    def keep(self, task: asyncio.Task[Relay]) -> None:
        """It goes on when the client is gone."""
        ...

    async def admit(self, visitor: Visitor, client: Inbound) -> Relay:
        """A running relay. Raises AccessError."""
        ...


class Reception(SSHServer):
    """One client. The house makes a running relay of it, once; what the client opens waits for that."""

    def __init__(self, knows: Knows, house: House) -> None:
        self._knows = knows
        self._house = house
        self._stranger = True
        self._relay: asyncio.Task[Relay] | None = None
        self._shown = ""
        self._tries = 0

    def connection_made(self, conn: SSHServerConnection) -> None:
        self._connection = cast("Inbound", conn)
        self._house.comes(self._connection)

    def connection_lost(self, _: Exception | None) -> None:
        """Somebody who is being let in just then is let in, and found to be gone: half a session is never closed."""
        self._is_known()
        relay = self._relay
        if relay is not None and relay.done() and not relay.cancelled() and relay.exception() is None:
            relay.result().end(LEFT)

    # 1. The proof. asyncssh checks signatures after these, and calls `auth_completed` for the last one only.

    def begin_auth(self, _: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    async def validate_public_key(self, username: str, key: SSHKey) -> bool:
        self._shown = _line(key)
        self._tries += 1
        return self._tries <= MOST_KEYS and await self._knows(username, self._shown)

    # 2. Admission

    def auth_completed(self) -> None:
        self._is_known()
        self._relay = asyncio.get_running_loop().create_task(self._enter())
        self._house.keep(self._relay)

    def _is_known(self) -> None:
        if self._stranger:
            self._stranger = False
            self._house.is_no_stranger(self._connection)

    async def _enter(self) -> Relay:
        try:
            return await self._house.admit(self._visitor(), self._connection)
        except AccessError as error:
            # nothing is open yet that could be told, so the connection ends with the sentence
            self._connection.disconnect(DISC_BY_APPLICATION, str(error))
            raise ChannelOpenError(OPEN_ADMINISTRATIVELY_PROHIBITED, str(error)) from None
        except Exception:
            self._connection.abort()
            raise

    def _visitor(self) -> Visitor:
        connection = self._connection
        name = str(connection.get_extra_info("username"))
        client = harmless(str(connection.get_extra_info("client_version")))
        peer = connection.get_extra_info("peername")
        return Visitor(name, self._shown, str(peer[0]) if isinstance(peer, tuple) else "local", client)

    async def _admitted(self) -> Relay:
        if self._relay is None:
            raise ChannelOpenError(OPEN_ADMINISTRATIVELY_PROHIBITED, "Not logged in.")
        return await asyncio.shield(self._relay)

    # 3. What it opens

    def session_requested(self) -> Any:
        """The channel exists at once, its counterpart when the client has been admitted and the host has opened it."""
        heard: list[Callable[[str, bytes, bool], bool | None]] = []

        def hears(name: str, payload: bytes, wants: bool) -> bool | None:  # noqa: FBT001 (a callback's shape)
            return heard[0](name, payload, wants)

        channel = Near(self._connection, hears)

        async def opened() -> NearEnd:
            relay = await self._admitted()
            program = relay.program()
            heard.append(program.asked)
            return await relay.open(program)

        return channel, opened()

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> Any:  # noqa: ARG002 (asyncssh's own)
        async def opened() -> NearEnd:
            return await (await self._admitted()).forward(dest_host, dest_port)

        return opened()

    def server_requested(self, listen_host: str, listen_port: int) -> Any:
        return self._refused(f"forwarding from {listen_host or '*'}:{listen_port}")

    def unix_connection_requested(self, dest_path: str) -> Any:  # noqa: ARG002 (asyncssh's own)
        return self._not_opened("forwarding to a socket")

    def unix_server_requested(self, listen_path: str) -> Any:  # noqa: ARG002 (asyncssh's own)
        return self._refused("forwarding from a socket")

    async def _not_opened(self, what: str) -> Any:
        raise ChannelOpenError(OPEN_ADMINISTRATIVELY_PROHIBITED, await (await self._admitted()).refuse(what))

    async def _refused(self, what: str) -> bool:
        await (await self._admitted()).refuse(what)
        return False


def _line(key: SSHKey) -> str:
    return " ".join(key.export_public_key().decode().split()[:2])
