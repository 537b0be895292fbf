"""The client's side until it is let in: it proves who it is by a key, a certificate or a pass, and is then admitted."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, cast

from asyncssh import ChannelOpenError, SSHKey, SSHServer, SSHServerConnection
from asyncssh.constants import DISC_BY_APPLICATION, OPEN_ADMINISTRATIVELY_PROHIBITED

from access.errors import AccessError
from gateways.ssh.channels import Near
from gateways.ssh.connections import Inbound
from gateways.ssh.program import NearEnd
from gateways.ssh.relay import Relay

MOST_KEYS = 20  # that a client may offer: an agent may hold some
MOST_GUESSES = 3


class Proofs(Protocol):
    """What the names of visitors can be proved by. Whatever is unknown is answered by False, without a word."""

    async def knows_key(self, name: str, key: str) -> bool:
        """`key` as in `authorized_keys`, without comment. It has not been used to sign anything yet."""
        ...

    async def knows_authority(self, name: str, key: str) -> bool:
        """Whether certificates of this authority that name `name` are good for it."""
        ...

    async def knows_password(self, name: str, password: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who wants in: `name` as given, and what proved it: `key SHA256:…`, `certificate …` or `password`."""

    name: str
    proof: str
    address: str
    client: str  # what its program calls itself


class House(Protocol):
    """What a client comes to."""

    def comes(self, client: Inbound) -> None: ...
    def is_no_stranger(self) -> None: ...

    async def admit(self, visitor: Visitor, client: Inbound) -> Relay:
        """A running relay. Raises AccessError."""
        ...


class Reception(SSHServer):
    """One client. The house makes a running relay of it, once; what the client opens waits for that."""

    def __init__(self, proofs: Proofs, house: House) -> None:
        self._proofs = proofs
        self._house = house
        self._stranger = True
        self._relay: asyncio.Task[Relay] | None = None
        self._shown = ""
        self._tries = 0
        self._guesses = 0

    def connection_made(self, conn: SSHServerConnection) -> None:
        self._connection = cast("Inbound", conn)
        self._house.comes(self._connection)

    def connection_lost(self, _: Exception | None) -> None:
        self._is_known()
        if self._relay is None:
            return
        if self._relay.done() and not self._relay.cancelled() and self._relay.exception() is None:
            self._relay.result().end("closed")
        self._relay.cancel()

    # 1. The proof. asyncssh checks signatures after these, and calls `auth_completed` for the last one only.

    def begin_auth(self, _: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    async def validate_public_key(self, username: str, key: SSHKey) -> bool:
        self._shown = f"key {key.get_fingerprint()}"
        return self._may_try() and await self._proofs.knows_key(username, _line(key))

    async def validate_ca_key(self, username: str, key: SSHKey) -> bool:
        self._shown = f"certificate by {key.get_fingerprint()}"
        return self._may_try() and await self._proofs.knows_authority(username, _line(key))

    def password_auth_supported(self) -> bool:
        return True

    async def validate_password(self, username: str, password: str) -> bool:
        self._shown = "password"
        self._guesses += 1
        return self._guesses <= MOST_GUESSES and await self._proofs.knows_password(username, password)

    def _may_try(self) -> bool:
        self._tries += 1
        return self._tries <= MOST_KEYS

    # 2. Admission

    def auth_completed(self) -> None:
        self._is_known()
        self._relay = asyncio.get_running_loop().create_task(self._enter())

    def _is_known(self) -> None:
        if self._stranger:
            self._stranger = False
            self._house.is_no_stranger()

    async def _enter(self) -> Relay:
        if self._connection.get_certificate_option("force-command") is not None:
            return await self._send_away("A certificate with a command of its own is of no use here.")
        try:
            return await self._house.admit(self._visitor(), self._connection)
        except AccessError as error:
            return await self._send_away(str(error))
        except Exception:
            self._connection.abort()
            raise

    async def _send_away(self, why: str) -> Relay:
        """Nothing is open yet that could be told, so the connection ends with the sentence."""
        self._connection.disconnect(DISC_BY_APPLICATION, why)
        raise ChannelOpenError(OPEN_ADMINISTRATIVELY_PROHIBITED, why)

    def _visitor(self) -> Visitor:
        connection, shown = self._connection, self._shown
        certificate = connection.shown
        if certificate is not None and shown.startswith("certificate"):
            shown = f"certificate {certificate._key_id} (serial {certificate._serial})"
        name, client = str(connection.get_extra_info("username")), str(connection.get_extra_info("client_version"))
        peer = connection.get_extra_info("peername")
        return Visitor(name, shown, str(peer[0]) if isinstance(peer, tuple) else "local", client)

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
        raise ChannelOpenError(OPEN_ADMINISTRATIVELY_PROHIBITED, (await self._admitted()).refuse(what))

    async def _refused(self, what: str) -> bool:
        (await self._admitted()).refuse(what)
        return False


def _line(key: SSHKey) -> str:
    return " ".join(key.export_public_key().decode().split()[:2])
