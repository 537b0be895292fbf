"""Listening for SSH clients: each is received, admitted, logged in at its host, and then only passed on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable
from dataclasses import dataclass, field
from typing import Any, Protocol

import asyncssh
from asyncssh import SSHServerConnectionOptions

from access.errors import AccessError, Refused
from gateways.live import LEFT
from gateways.ssh.connections import CIPHERS, Inbound
from gateways.ssh.line import Asked
from gateways.ssh.reception import Reception, Visitor
from gateways.ssh.relay import Relay, Tape
from gateways.ssh.upstream import KEEPALIVE, Upstream, log_in
from gateways.strangers import Strangers

log = logging.getLogger(__name__)


#: OpenSSH's client says only to its like that nobody reads a program's output any more (`yes | head`)
_VERSION = "OpenSSH_9.9-prodaccess"
CLOSING = 2.0  # seconds


class Session(Protocol):
    """One admitted connection, as the rest of the house keeps it."""

    @property
    def upstream(self) -> Upstream: ...

    @property
    def tape(self) -> Tape: ...

    def asks(self, asked: Asked) -> Awaitable[str] | None:
        """Why it may not be started, once somebody has said so; None where nobody needs to be asked."""
        ...

    def running(self, hold: Hold) -> None:
        """It has begun; from here on `hold` can end it."""
        ...

    def over(self, why: str) -> None: ...


class Door(Protocol):
    """Who is let in."""

    async def knows(self, name: str, key: str) -> bool: ...

    async def admit(self, visitor: Visitor) -> Session:
        """Raises AccessError."""
        ...


@dataclass(frozen=True)
class Hold:
    """What can be done to a running session from outside."""

    relay: Relay

    def tell(self, notice: str) -> None:
        """A line on the client's terminals."""
        self.relay.tell(notice)

    def slow(self, *, down: bool) -> None:
        self.relay.slow(down=down)

    async def cut(self, why: str) -> None:
        """Kill what runs, say why, and end it: within a second, also where nobody answers."""
        await self.relay.cut(why)


@dataclass
class SshGateway:
    """One listener.

    `host_key`, an OpenSSH private key, is what it shows of itself; `host_certificate` vouches for it.
    """

    door: Door
    host_key: str = field(repr=False)
    host_certificate: str = ""
    greeting: float = 20.0  # seconds that somebody may take to prove who they are
    strangers: Strangers[Inbound] = field(default_factory=lambda: Strangers(200))  # who have not yet
    _relays: set[Relay] = field(default_factory=set)
    _tasks: set[asyncio.Task[Any]] = field(default_factory=set)

    async def listen(self, host: str, port: int, *, several: bool = False) -> asyncio.Server:
        """`several`: other processes listen on the same port, and the kernel deals the connections out."""
        asyncssh.set_log_level(logging.WARNING)  # it would write commands and names into our log
        options = await self._options()
        loop = asyncio.get_running_loop()
        return await loop.create_server(
            lambda: Inbound(loop, options), host, port, backlog=512, reuse_port=several or None
        )

    async def close(self, why: str) -> None:
        """End all sessions. The listener is closed by whoever has it."""
        await asyncio.gather(*(relay.cut(why) for relay in list(self._relays)))
        if self._tasks:  # who is being let in just then
            await asyncio.wait(self._tasks, timeout=CLOSING)

    async def _options(self) -> SSHServerConnectionOptions:
        certificates = [asyncssh.import_certificate(self.host_certificate)] if self.host_certificate else []
        options: SSHServerConnectionOptions = await SSHServerConnectionOptions.construct(
            server_factory=lambda: Reception(self.door.knows, self),
            server_host_keys=[asyncssh.import_private_key(self.host_key)], server_host_certs=certificates,
            config=None, gss_host=None, gss_kex=False, gss_auth=False, kbdint_auth=False, host_based_auth=False,
            password_auth=False, compression_algs=["none"], encryption_algs=CIPHERS, server_version=_VERSION,
            agent_forwarding=False, x11_forwarding=False, login_timeout=self.greeting, keepalive_interval=KEEPALIVE,
            keepalive_count_max=3,
        )  # fmt: skip
        return options

    def comes(self, client: Inbound) -> None:
        """A stranger; one too many is sent away, for the first ones may be honest."""
        peer = client.get_extra_info("peername")
        gone = self.strangers.comes(client, str(peer[0]) if isinstance(peer, tuple) else "local")
        if gone is not None:
            gone.abort()

    def is_no_stranger(self, client: Inbound) -> None:
        """He has proved who he is, or is gone."""
        self.strangers.goes(client)

    def keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._kept)

    def _kept(self, task: asyncio.Task[Any]) -> None:
        """Why somebody was not let in has been told to them, if they were still there."""
        self._tasks.discard(task)
        if not task.cancelled() and isinstance(error := task.exception(), Exception):
            log.debug("a client was not let in", extra={"action": "connect", "why": str(error)})

    async def admit(self, visitor: Visitor, client: Inbound) -> Relay:
        """Raises AccessError."""
        session = await self.door.admit(visitor)
        if client.is_closed():
            session.over(LEFT)
            raise Refused("The client is gone.")
        upstream = session.upstream
        relay: Relay | None = None

        def lost() -> None:
            if relay is not None:
                relay.end("the host closed the connection")

        try:
            host = await log_in(upstream, lost)
        except BaseException as error:
            session.over(f"the host was not reached: {error or type(error).__name__}")
            raise
        relay = Relay(client, host, session.tape, lambda why: self._ended(relay, session, why))
        relay.marks, relay.forwards, relay.asks = upstream.marks, upstream.forwards, session.asks
        self._relays.add(relay)
        try:
            session.running(Hold(relay))  # before a byte passes: it may have been ended since it was let in
        except AccessError as error:
            relay.end(str(error))
            raise
        if client.is_closed():
            relay.end(LEFT)
        return relay

    def _ended(self, relay: Relay | None, session: Session, why: str) -> None:
        if relay is not None:
            self._relays.discard(relay)
        session.over(why)
