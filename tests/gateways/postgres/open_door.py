"""A gateway in front of a real server whose door one ticket opens, and which keeps what was said on a list."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg

from access.secret import Secret
from gateways.postgres.acts import Act, Answered, Asked
from gateways.postgres.gateway import GREETING, Hold, PostgresGateway
from gateways.postgres.holding import Gate
from gateways.postgres.reception import CancelAsked, Visitor
from gateways.postgres.scram import Verifier
from gateways.postgres.upstream import Upstream
from prodaccess.parts.postgres import Postgres

TICKET = "t" * 40


def direct_dsn(server: Postgres, database: str = "postgres") -> str:
    return server.url(database)


@dataclass
class OpenSession:
    upstream: Upstream
    acts: list[Act] = field(default_factory=list)
    hold: Hold | None = None
    gate: Gate | None = None
    why: str = ""

    @property
    def tape(self) -> OpenSession:
        return self

    def asked(self, acts: Sequence[Act]) -> None:
        self.acts += acts

    answered = asked

    def running(self, hold: Hold) -> None:
        self.hold = hold

    def over(self, why: str) -> None:
        self.why = why

    @property
    def asks(self) -> list[Asked]:
        return [act for act in self.acts if isinstance(act, Asked)]

    @property
    def answers(self) -> list[Answered]:
        return [act for act in self.acts if isinstance(act, Answered)]

    @property
    def texts(self) -> list[str]:
        return [act.text for act in self.asks]


@dataclass
class OpenDoor:
    """Lets in whoever holds the one ticket."""

    server: Postgres
    sessions: list[OpenSession] = field(default_factory=list)

    async def lookup(self, name: str, key: str) -> Verifier | None:
        return Verifier.of(TICKET) if name == "PA-7" else None

    async def admit(self, visitor: Visitor, address: str) -> OpenSession:
        info = psycopg.conninfo.conninfo_to_dict(direct_dsn(self.server, visitor.database))
        secret = Secret({"username": str(info["user"]), "password": str(info["password"])})
        upstream = Upstream(str(info["host"]), int(info["port"]), visitor.database, secret, None, visitor.parameters)
        self.sessions.append(OpenSession(upstream))
        return self.sessions[-1]

    async def stop(self, asked: CancelAsked) -> None: ...


@dataclass
class Way:
    door: OpenDoor
    port: int

    def dsn(self, **more: Any) -> str:
        told = {"host": "127.0.0.1", "port": self.port, "user": "PA-7", "password": TICKET, "dbname": "postgres"}
        return psycopg.conninfo.make_conninfo(**{**told, **more})

    @property
    def session(self) -> OpenSession:
        return self.door.sessions[-1]


@asynccontextmanager
async def open_way(
    server: Postgres, tls: ssl.SSLContext | None = None, greeting: float = GREETING, **more: int
) -> AsyncIterator[Way]:
    """A listening gateway."""
    door = OpenDoor(server)
    listener = await PostgresGateway(door, tls, greeting, **more).listen("127.0.0.1", 0)
    yield Way(door, listener.sockets[0].getsockname()[1])
    listener.close()
    await listener.wait_closed()
