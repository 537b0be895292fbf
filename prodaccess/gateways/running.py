"""The gateways of this process, as the settings give them: made, started, stopped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import chain
from pathlib import Path
from typing import Protocol

from access.broker import Broker
from access.errors import AccessError, Unavailable
from access.policy.secrets import Secret
from access.sessions.admission import Admission
from access.sessions.ending import Lost
from access.sessions.holding import Left
from access.sessions.looking import Sessions
from access.sessions.model import GATEWAYS, POSTGRES, SSH
from access.sessions.passes import Passes
from access.sessions.place import GatewayParts, Place
from audit.payloads import PayloadKey
from gateways.adopting import Adopting, Way
from gateways.desk import Desk
from gateways.keeping import Depot, Keeping
from gateways.postgres.door import PostgresDoor
from gateways.postgres.gateway import PostgresGateway
from gateways.postgres.tape import event_of as sql_event_of
from gateways.postgres.tape import read_back as sql_read_back
from gateways.recordings import Shelf, free_shelves, idle_shelves
from gateways.showing import Library
from gateways.ssh.tape import event_of as ssh_event_of
from gateways.ssh.tape import read_back as ssh_read_back
from prodaccess.gateways.passes import PassAuthority
from prodaccess.gateways.recordings_s3 import keep_for, recordings_depot
from prodaccess.gateways.ssh import known_hosts, ssh_gateway
from prodaccess.gateways.tls import NONE, server_tls, trusted
from prodaccess.settings import Settings, SettingsError
from store import SqlStore

log = logging.getLogger(__name__)

_AGAIN = 5.0  # seconds
_LATE = timedelta(hours=1)  # after its session, a recording should be stored
_WAYS = {POSTGRES: Way(sql_read_back, sql_event_of), SSH: Way(ssh_read_back, ssh_event_of)}


class Listener(Protocol):
    """A protocol's gateway."""

    async def listen(self, host: str, port: int, *, several: bool = False) -> asyncio.Server: ...


@dataclass(frozen=True)
class Listening:
    """Where this process takes connections of one protocol, and what makes their gateway."""

    gateway: str
    host: str
    port: int
    make: Callable[[Desk], Listener]


@dataclass
class Gateways:
    """`parts` is what the faces reach; it is there also where other processes hold the gateways."""

    store: SqlStore
    broker: Broker
    parts: GatewayParts
    listening: Sequence[Listening]
    place: Path
    key: PayloadKey | None
    depot: Depot | None = None
    keep: timedelta | None = None  # how long recordings stay on the disk; None: for ever
    shared: bool = False  # whether other processes listen on the same ports
    unstored: int = 0  # recordings that should have been stored by now, in whichever process they are
    desk: Desk | None = None
    _shelves: list[Shelf] = field(default_factory=list)
    _running: list[asyncio.Task[None]] = field(default_factory=list)
    _servers: list[asyncio.Server] = field(default_factory=list)

    @property
    def lost(self) -> Lost:
        return Lost(self.broker.grants.custody, self.store.sessions)

    @property
    def left(self) -> Left:
        return Left(self.broker.grants.custody, self.store.sessions)

    async def count_unstored(self) -> None:
        """A chore of every server. Raises Unavailable."""
        if self.depot is not None:
            self.unstored = await self.store.sessions.unstored(self.broker.clock.now() - _LATE)

    def warnings(self) -> Mapping[str, str]:
        """Anybody may read it: it names nobody."""
        if not self.unstored:
            return {}
        return {"recordings": f"{self.unstored} wait to be stored; the log of the gateway that has them says why."}

    async def start(self) -> None:
        """Take connections, where the settings say so. Raises SettingsError."""
        if not self.listening:
            return
        assert self.key is not None  # the log's own, without which there is no log
        self._shelves = list(free_shelves(self.place, self.key))
        if not self._shelves:
            raise SettingsError(f"PRODACCESS_RECORDINGS: {self.place} has no room for another process.")
        own = self._shelves[0]
        custody, tasks = self.broker.grants.custody, self.broker.grants.custody.tasks
        admission = Admission(self.broker.grants, self.store.sessions, own.name)
        self.desk = Desk(admission, self.store, self.store.sessions, self.store.log, custody.clock, own, tasks)
        await self._adopt()
        for listening in self.listening:
            await self._listen(self.desk, listening)
        self._running = [
            tasks.start(self.desk.run(), "sessions"), tasks.start(self.desk.telling.run(), "tell sessions"),
            tasks.start(self.keeping(own).run(), "recordings"),
        ]  # fmt: skip

    def keeping(self, own: Shelf) -> Keeping:
        """What becomes of recordings on this disk."""
        return Keeping(
            self.store, self.store.sessions, self.broker.clock, lambda: chain([own], idle_shelves(self.place, own.key)),
            self._adopting().adopt, self.depot, self.keep, own=own,
        )  # fmt: skip

    async def _listen(self, desk: Desk, listening: Listening) -> None:
        try:
            made = listening.make(desk)
            server = await made.listen(listening.host, listening.port, several=self.shared)
        except OSError as error:
            raise SettingsError(f"{_setting(listening.gateway)} cannot be listened on ({error.strerror}).") from error
        self._servers.append(server)
        port = server.sockets[0].getsockname()[1]
        if (place := self.parts.places[listening.gateway]).port == 0:  # any that is free
            self.parts.places[listening.gateway] = replace(place, port=port)
        log.info("gateway listens", extra={"action": "gateway", "gateway": listening.gateway, "port": port})

    async def _adopt(self) -> None:
        """What earlier processes left, before anybody is let in: two must not write to one shelf's sessions."""
        adopting = self._adopting()
        while True:
            try:
                for shelf in self._shelves:
                    await adopting.adopt(shelf)
            except Unavailable as error:
                log.warning("earlier sessions are not looked at yet", extra={"action": "gateway", "why": str(error)})
                await asyncio.sleep(_AGAIN)
            else:
                break
        for shelf in self._shelves[1:]:
            shelf.close()
        del self._shelves[1:]

    def _adopting(self) -> Adopting:
        return Adopting(self.store, self.store.sessions, self.broker.clock, _WAYS, self._secrets)

    def _secrets(self) -> tuple[Secret, ...]:
        return self.broker.policies.current().secrets

    async def stop(self) -> None:
        """Nobody new; those who are in are told, and what they did is in the log."""
        for server in self._servers:
            server.close()
        if self.desk is not None:
            try:
                await self.desk.stop()
            except AccessError as error:
                log.warning("sessions are closed at the next start", extra={"action": "gateway", "why": str(error)})
        for task in self._running:
            task.cancel()
        if self.depot is not None:
            self.depot.close()
        for shelf in self._shelves:
            shelf.close()


def known_gateways(settings: Settings) -> frozenset[str]:
    """What a policy may name."""
    return frozenset(gateway for gateway in GATEWAYS if any(_addresses(settings, gateway)))


def make_gateways(settings: Settings, store: SqlStore, broker: Broker) -> Gateways:
    """Raises SettingsError."""
    voucher, key = None, store.log.ledger.payload_key
    if key is not None and settings["PRODACCESS_GATEWAY_CERT"] != NONE:
        voucher = PassAuthority(key)
    unbound = voucher is None or settings["PRODACCESS_GATEWAY_UNBOUND"] == "yes"
    places: dict[str, Place] = {}
    listening: list[Listening] = []
    for gateway in GATEWAYS:
        listen, told = _addresses(settings, gateway)
        if listen:
            shown = _shown(told or listen)[0]
            make = ssh_gateway(settings) if gateway == SSH else _postgres(settings, shown, voucher, unbound=unbound)
            listening.append(Listening(gateway, *_shown(listen), make))
        if listen or told:
            certificate, tls = _certificate(settings, gateway)
            places[gateway] = Place(*_shown(told or listen), certificate, tls)
    sessions = Sessions(broker, store.sessions)
    depot, keep, place = recordings_depot(settings), keep_for(settings), Path(settings["PRODACCESS_RECORDINGS"])
    library = Library(place, key, depot) if key is not None else None
    parts = GatewayParts(Passes(broker.grants, store.sessions, unbound), sessions, places, voucher, library)
    shared = settings["PRODACCESS_GATEWAY_SHARED"] == "yes"
    return Gateways(store, broker, parts, listening, place, key, depot, keep, shared)


def _postgres(
    settings: Settings, host: str, voucher: PassAuthority | None, *, unbound: bool
) -> Callable[[Desk], Listener]:
    context, _ = server_tls(settings, host, voucher.certificate if voucher else "")
    return lambda desk: PostgresGateway(PostgresDoor(desk, unbound), context)


def _certificate(settings: Settings, gateway: str) -> tuple[str, bool]:
    """What terminals check the gateway with, and whether it speaks TLS. Raises SettingsError."""
    if gateway == SSH:
        return known_hosts(settings), False
    return trusted(settings), settings["PRODACCESS_GATEWAY_CERT"] != NONE


def _setting(gateway: str) -> str:
    return f"PRODACCESS_GATEWAY_{gateway.upper()}"


def _addresses(settings: Settings, gateway: str) -> tuple[str, str]:
    """Where it listens in this process, and by what it is reached; either may be empty."""
    return settings[_setting(gateway)], settings[f"{_setting(gateway)}_ADDRESS"]


def _shown(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
