"""The gateways of this process, as the settings give them: made, started, stopped."""

from __future__ import annotations

import asyncio
import logging
import ssl
from dataclasses import dataclass, field, replace
from pathlib import Path

from access.broker import Broker
from access.errors import AccessError, Unavailable
from access.sessions.admission import Admission
from access.sessions.ending import Lost
from access.sessions.looking import Sessions
from access.sessions.model import POSTGRES
from access.sessions.passes import Passes
from access.sessions.place import GatewayParts, Place
from audit.payloads import PayloadKey
from gateways.adopting import Adopting, Telling
from gateways.desk import Desk
from gateways.postgres.door import PostgresDoor
from gateways.postgres.gateway import PostgresGateway
from gateways.postgres.tape import event_of, read_back
from gateways.recordings import Shelf, free_shelves
from prodaccess.gateway_tls import NONE, server_tls, trusted
from prodaccess.settings import Settings, SettingsError
from store import SqlStore

log = logging.getLogger(__name__)

_AGAIN = 5.0  # seconds
_WAYS = {POSTGRES: Telling(read_back, event_of)}


@dataclass(frozen=True)
class Listening:
    """Where this process takes connections, and what it shows of itself."""

    host: str
    port: int
    tls: ssl.SSLContext | None


@dataclass
class Gateways:
    """`parts` is what the faces reach; it is there also where other processes hold the gateways."""

    store: SqlStore
    broker: Broker
    parts: GatewayParts
    listening: Listening | None
    place: Path
    key: PayloadKey | None
    desk: Desk | None = None
    port: int = 0  # that it listens on
    _shelves: list[Shelf] = field(default_factory=list)
    _running: list[asyncio.Task[None]] = field(default_factory=list)
    _server: asyncio.Server | None = None

    @property
    def lost(self) -> Lost:
        return Lost(self.broker.grants.custody, self.store.sessions)

    async def start(self) -> None:
        """Take connections, where the settings say so. Raises SettingsError."""
        if self.listening is None:
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
        gateway = PostgresGateway(PostgresDoor(self.desk), self.listening.tls)
        try:
            self._server = await gateway.listen(self.listening.host, self.listening.port)
        except OSError as error:
            raise SettingsError(f"PRODACCESS_GATEWAY_POSTGRES cannot be listened on ({error.strerror}).") from error
        self.port = self._server.sockets[0].getsockname()[1]
        if (place := self.parts.places[POSTGRES]).port == 0:  # any that is free
            self.parts.places[POSTGRES] = replace(place, port=self.port)
        self._running = [
            tasks.start(self.desk.run(), "sessions"), tasks.start(self.desk.telling.run(), "tell sessions"),
        ]  # fmt: skip
        log.info("gateway listens", extra={"action": "gateway", "port": self.port})

    async def _adopt(self) -> None:
        """What earlier processes left, before anybody is let in: two must not write to one shelf's sessions."""
        custody = self.broker.grants.custody
        adopting = Adopting(self.store, self.store.sessions, custody.clock, _WAYS)
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

    async def stop(self) -> None:
        """Nobody new; those who are in are told, and what they did is in the log."""
        if self._server is not None:
            self._server.close()
        if self.desk is not None:
            try:
                await self.desk.stop()
            except AccessError as error:
                log.warning("sessions are closed at the next start", extra={"action": "gateway", "why": str(error)})
        for task in self._running:
            task.cancel()
        for shelf in self._shelves:
            shelf.close()


def known_gateways(settings: Settings) -> frozenset[str]:
    """What a policy may name."""
    is_set_up = settings["PRODACCESS_GATEWAY_POSTGRES"] or settings["PRODACCESS_GATEWAY_POSTGRES_ADDRESS"]
    return frozenset({POSTGRES}) if is_set_up else frozenset()


def make_gateways(settings: Settings, store: SqlStore, broker: Broker) -> Gateways:
    """Raises SettingsError."""
    listen, told = settings["PRODACCESS_GATEWAY_POSTGRES"], settings["PRODACCESS_GATEWAY_POSTGRES_ADDRESS"]
    places: dict[str, Place] = {}
    listening = None
    if listen or told:
        host, _, port = (told or listen).rpartition(":")
        host = host.strip("[]")
        if listen:
            at, _, on = listen.rpartition(":")
            context, certificate = server_tls(settings, host)
            listening = Listening(at.strip("[]"), int(on), context)
        else:
            certificate = trusted(settings)
        places[POSTGRES] = Place(host, int(port), certificate, tls=settings["PRODACCESS_GATEWAY_CERT"] != NONE)
    sessions = Sessions(broker, store.sessions)
    parts = GatewayParts(Passes(broker.grants, store.sessions), sessions, places)
    place = Path(settings["PRODACCESS_RECORDINGS"])
    return Gateways(store, broker, parts, listening, place, store.log.ledger.payload_key)
