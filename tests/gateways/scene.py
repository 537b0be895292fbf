"""A gateway over the world of `tests.world`, in front of a real PostgreSQL, for users that are made in it."""

from __future__ import annotations

import asyncio
import secrets
from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import psycopg

from access.events import Event
from access.gate import Intent
from access.model import Device, Grant, Handle
from access.ports import Gone, Issued, NotYet, Provider
from access.sessions.admission import Admission
from access.sessions.ending import Cutting
from access.sessions.looking import Sessions
from access.sessions.model import POSTGRES
from access.sessions.passes import Passes
from access.sessions.place import GatewayParts, Place, Voucher
from audit.payloads import KEY, PayloadKey
from gateways.desk import Desk
from gateways.postgres.door import PostgresDoor
from gateways.postgres.gateway import PostgresGateway
from gateways.postgres.scram import Verifier
from gateways.recordings import Shelf, free_shelves
from prodaccess.gateways.passes import PassAuthority
from prodaccess.gateways.tls import server_tls
from prodaccess.parts.postgres import Postgres
from prodaccess.settings import Settings
from providers.memory import MemoryProvider
from tests.people import ADA
from tests.world import World

DATABASE = "recorded"  # `postgres` itself may be closed to everybody
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
        gateway: postgres
        uses: {{host: {host}, port: "{port}", dbname: recorded, sslmode: disable}}
        who: [linus]
        approvers: [ada]
        max: 4h
        default: 1h
      write: {{provider: memory, uses: {{}}, who: [linus], approvers: [ada], max: 1h}}
"""


class Users(MemoryProvider):
    """Makes its users at a real server, so that somebody can log in there."""

    far: Postgres

    async def issue(self, grant: Grant, handle: Handle, intent: Intent) -> Issued:
        issued = await super().issue(grant, handle, intent)
        password = self.server.accounts[issued.public_id].password
        make = f"CREATE ROLE \"{issued.public_id}\" LOGIN PASSWORD '{password}'"
        await asyncio.to_thread(self.far.execute, make)
        return issued

    async def revoke(self, grant: Grant) -> Gone | NotYet:
        for lease in grant.live_leases():
            if lease.public_id:
                cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{lease.public_id}'"
                await asyncio.to_thread(self.far.execute, cut)
                await asyncio.to_thread(self.far.execute, f'DROP ROLE IF EXISTS "{lease.public_id}"')
        return await super().revoke(grant)


@dataclass(frozen=True)
class Ticket:
    """What a terminal keeps of a pass."""

    name: str
    password: str = field(repr=False)
    port: int

    def dsn(self, **more: Any) -> str:
        told = {"host": "127.0.0.1", "port": self.port, "user": self.name, "password": self.password}
        return psycopg.conninfo.make_conninfo(**{**told, "dbname": DATABASE, **more})


def proof_of(password: str) -> str:
    """As `psql` would store it."""
    made = Verifier.of(password)
    salt, stored, server = (b64encode(part).decode() for part in (made.salt, made.stored_key, made.server_key))
    return f"SCRAM-SHA-256${made.iterations}:{salt}${stored}:{server}"


@dataclass
class Scene:
    """One gateway. `passes` and `cutting` are what a terminal reaches through the api."""

    world: World
    far: Postgres
    place: Path
    unbound: bool = True  # most are about what comes behind the door
    port: int = 0
    kind: ClassVar[str] = POSTGRES

    def provider(self) -> Provider:
        """Of what the gateway logs in with."""
        if not self.far.execute(f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"):
            self.far.execute(f"CREATE DATABASE {DATABASE}")
        provider = Users(self.world.clock, server=self.world.far_side)
        provider.far = self.far
        return provider

    async def listen(self, *, tls: bool) -> tuple[asyncio.Server, Place, Voucher | None]:
        voucher = PassAuthority(self.shelf.key) if tls else None
        context, certificate = server_tls(self.settings, "127.0.0.1", voucher.certificate) if voucher else (None, "")
        door = PostgresDoor(self.desk, self.unbound)
        server = await PostgresGateway(door, context).listen("127.0.0.1", 0)
        return server, Place("127.0.0.1", 0, certificate), voucher

    def build(self) -> None:
        world = self.world
        custody = world.grants.custody
        custody.providers["memory"] = self.provider()  # type: ignore[index]
        self.shelf: Shelf = next(free_shelves(self.place, PayloadKey(bytes(KEY))))
        self.passes = Passes(world.grants, world.store.sessions, unbound=self.unbound)
        self.cutting = Cutting(custody, world.store.sessions)
        admission = Admission(world.grants, world.store.sessions, self.shelf.name)
        self.desk = Desk(
            admission, world.store, world.store.sessions, world.store.log, world.clock, self.shelf, world.tasks
        )
        self.desk.telling.every = 0.1

    @property
    def settings(self) -> Settings:
        values = {f"PRODACCESS_GATEWAY_{name}": "" for name in ("CERT", "KEY", "CA")}
        return Settings(values | {"PRODACCESS_RECORDINGS": str(self.place)}, {})

    async def granted(self, role: str = "read", **changes: object) -> tuple[Grant, Device]:
        grant = await self.world.opened(approver=ADA, role=role, **changes)
        return grant, await self.world.device()

    async def ticket(self, grant: Grant, device: Device) -> Ticket:
        password = secrets.token_urlsafe(32)
        given, _ = await self.passes.give(grant.number, device, "postgres", proof_of(password))
        return Ticket(given.name, password, self.port)

    async def events(self, kind: type[Event], ref: str = "PA-1") -> Sequence[Any]:
        return [e.event for e in await self.world.store.log.entries_of(ref) if isinstance(e.event, kind)]

    async def told(self, kind: type[Event], ref: str = "PA-1") -> Sequence[Any]:
        """The same, once there is one: the log hears of a session a moment later."""
        for _ in range(600):
            if found := await self.events(kind, ref):
                return found
            await asyncio.sleep(0.05)
        raise AssertionError(f"no {kind.TAG} in the log")


S = TypeVar("S", bound=Scene)


@asynccontextmanager
async def gateway(scene: S, *, tls: bool = False) -> AsyncIterator[S]:
    """Serve until the block ends; what is left open then is closed in order."""
    scene.build()
    listening, place, voucher = await scene.listen(tls=tls)
    scene.port = listening.sockets[0].getsockname()[1]
    places = {scene.kind: replace(place, port=scene.port)}
    sessions = Sessions(scene.world.broker, scene.world.store.sessions)
    scene.world.gateways = GatewayParts(scene.passes, sessions, places, voucher)
    running = [asyncio.create_task(scene.desk.run()), asyncio.create_task(scene.desk.telling.run())]
    try:
        yield scene
    finally:
        listening.close()
        await scene.desk.stop()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        scene.shelf.close()
        await scene.world.tasks.drain(5)


@asynccontextmanager
async def standing(policy: str, postgres: Postgres, place: Path) -> AsyncIterator[Scene]:
    """A server under this policy, whose target is `postgres`, and its gateway."""
    world = World(place, policy.format(host=postgres.host, port=postgres.port))
    async with gateway(Scene(world, postgres, place / "recordings")) as made:
        yield made
    world.close()
