"""Listening for PostgreSQL clients: each is received, admitted, logged in at its database, and then only passed on."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from dataclasses import dataclass, field
from struct import pack
from typing import Protocol

from access.errors import AccessError
from gateways.postgres import messages as m
from gateways.postgres.frames import NotTheProtocol
from gateways.postgres.reception import CancelAsked, Lookup, Reception, Rejected, Visitor
from gateways.postgres.relay import Relay, Tape
from gateways.postgres.side import Gone, Side
from gateways.postgres.upstream import LoggedIn, LoginRefused, Upstream, Wanted, cancel, log_in

log = logging.getLogger(__name__)

GREETING = 10.0  # seconds that somebody may take to prove who they are
_KEY = 4  # bytes of a cancel key in version 3.0


class Session(Protocol):
    """One admitted connection, as the rest of the house keeps it."""

    @property
    def upstream(self) -> Upstream: ...

    @property
    def tape(self) -> Tape: ...

    def running(self, hold: Hold) -> None:
        """It has begun; from here on `hold` can end it."""
        ...

    def over(self, why: str) -> None: ...


class Door(Protocol):
    """Who is let in."""

    @property
    def lookup(self) -> Lookup: ...

    async def admit(self, visitor: Visitor, address: str) -> Session:
        """Raises AccessError."""
        ...


@dataclass
class Hold:
    """What can be done to a running session from outside."""

    relay: Relay
    upstream: Upstream
    server: LoggedIn

    def tell(self, notice: str) -> None:
        self.relay.tell(notice)

    async def cut(self, why: str) -> None:
        """The statement that runs is stopped too: without that, the database would finish it first."""
        if self.relay.talk.busy:
            await cancel(self.upstream, self.server.pid, self.server.key)
        self.relay.end(why, m.error("57P01", why))


@dataclass
class PostgresGateway:
    """One listener. `tls` is what it shows of itself."""

    door: Door
    tls: ssl.SSLContext | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _holds: dict[tuple[int, bytes], Hold] = field(default_factory=dict)  # by what a cancel has to name

    async def listen(self, host: str, port: int) -> asyncio.Server:
        return await asyncio.get_running_loop().create_server(self._side, host, port)

    def _side(self) -> Side:
        return Side(self._begin)

    def _begin(self, side: Side) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(side))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, side: Side) -> None:
        try:
            async with asyncio.timeout(GREETING):
                asked = await Reception(self.tls, self.door.lookup).receive(side)
            if isinstance(asked, CancelAsked):
                await self._cancel(asked)
            else:
                await self._let_in(side, asked)
                return
        except (Gone, NotTheProtocol, TimeoutError, OSError):  # whoever speaks something else gets no answer
            pass
        except Rejected as error:
            side.write(error.answer)
        except LoginRefused as error:
            side.write(error.answer)
        except AccessError as error:
            side.write(m.error("42501", str(error)))
        except Exception:
            log.exception("a connection failed", extra={"action": "connect", "address": side.address})
        side.close()

    async def _cancel(self, asked: CancelAsked) -> None:
        hold = self._holds.get((asked.pid, asked.key))
        if hold is not None:
            await cancel(hold.upstream, hold.server.pid, hold.server.key)

    async def _let_in(self, side: Side, visitor: Visitor) -> None:
        session = await self.door.admit(visitor, side.address)
        try:
            server = await log_in(session.upstream)
        except BaseException as error:
            session.over(f"the database was not reached: {error or type(error).__name__}")
            raise
        place = (server.pid, os.urandom(_KEY))
        relay = Relay(side, server.side, session.tape, lambda why: self._ended(place, session, why))
        hold = Hold(relay, session.upstream, server)
        self._holds[place] = hold
        side.write(m.message(m.AUTHENTICATION, pack(">I", Wanted.OK)))
        # The backend's own number: drivers compare it with what notifications say. Its key stays here.
        side.write(m.message(m.KEY_DATA, pack(">I", place[0]) + place[1]) + server.greeting)
        relay.start()
        session.running(hold)

    def _ended(self, place: tuple[int, bytes], session: Session, why: str) -> None:
        self._holds.pop(place, None)
        session.over(why)
