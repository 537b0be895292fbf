"""Listening for PostgreSQL clients: each is received, admitted, logged in at its database, and then only passed on."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from struct import pack
from typing import Protocol

from access.errors import AccessError, Unavailable
from gateways.postgres import messages as m
from gateways.postgres.frames import NotTheProtocol
from gateways.postgres.holding import Gate, HoldingRelay
from gateways.postgres.reception import CancelAsked, Lookup, Reception, Rejected, Visitor
from gateways.postgres.relay import Relay, Tape
from gateways.postgres.side import Gone, Side
from gateways.postgres.upstream import LoggedIn, LoginRefused, Upstream, Wanted, cancel, log_in
from gateways.strangers import Strangers

log = logging.getLogger(__name__)

PATIENCE = 2.0  # seconds for a database to hear that a statement is to be stopped
LOGIN = 15.0  # seconds for a database to let the gateway in
GREETING = 10.0  # seconds that somebody may take to prove who they are


class Session(Protocol):
    """One admitted connection, as the rest of the house keeps it."""

    @property
    def upstream(self) -> Upstream: ...

    @property
    def tape(self) -> Tape: ...

    @property
    def gate(self) -> Gate | None:
        """Who is asked before single statements, where some have to wait for somebody."""
        ...

    def running(self, hold: Hold) -> None:
        """It begins; from here on `hold` can end it. Raises AccessError where it has been ended already."""
        ...

    def over(self, why: str) -> None: ...


class Door(Protocol):
    """Who is let in."""

    @property
    def lookup(self) -> Lookup: ...

    async def admit(self, visitor: Visitor, address: str) -> Session:
        """Raises AccessError."""
        ...

    async def stop(self, asked: CancelAsked) -> None:
        """A statement is to be stopped, of no session here: of another process, if of any."""
        ...


@dataclass
class Hold:
    """What can be done to a running session from outside."""

    relay: Relay
    upstream: Upstream
    server: LoggedIn

    def tell(self, notice: str) -> None:
        self.relay.tell(notice)

    def slow(self, *, down: bool) -> None:
        self.relay.slow(down=down)

    async def stop(self, pid: int) -> None:
        """The statement that runs is to be stopped, as somebody asked who knows the backend by this number."""
        if pid != self.server.pid:
            return
        if not self.relay.stop_waiting() and self.relay.busy:
            await cancel(self.upstream, self.server.pid, self.server.key)

    async def cut(self, why: str) -> None:
        """The statement that runs is stopped too: without that, the database would finish it first."""
        is_busy = self.relay.busy
        self.relay.end(why, m.error("57P01", why))
        if is_busy:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await cancel(self.upstream, self.server.pid, self.server.key)


@dataclass
class PostgresGateway:
    """One listener. `tls` is what it shows of itself; `greeting` is in seconds.

    `most_strangers`: at once, who have not proven who they are; one too many is sent away, by address.
    """

    door: Door
    tls: ssl.SSLContext | None = None
    greeting: float = GREETING
    most_strangers: int = 400
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _holds: dict[tuple[int, bytes], Hold] = field(default_factory=dict)  # by what a cancel has to name

    def __post_init__(self) -> None:
        self.strangers: Strangers[asyncio.Task[None]] = Strangers(self.most_strangers)

    async def listen(self, host: str, port: int, *, several: bool = False) -> asyncio.Server:
        """`several`: other processes listen on the same port, and the kernel deals the connections out."""
        return await asyncio.get_running_loop().create_server(self._side, host, port, reuse_port=several or None)

    def _side(self) -> Side:
        return Side(self._begin, quiet=True)

    def _begin(self, side: Side) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(side))
        self._tasks.add(task)
        task.add_done_callback(partial(self._served, side))
        gone = self.strangers.comes(task, side.address)
        if gone is not None:  # the first ones may be honest, and a process has only so many files
            gone.cancel()

    def _served(self, side: Side, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self.strangers.goes(task)
        if task.cancelled():
            side.hang_up()

    async def _serve(self, side: Side) -> None:
        try:
            asked = await self._receive(side)
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

    async def _receive(self, side: Side) -> Visitor | CancelAsked:
        async with asyncio.timeout(self.greeting):
            asked = await Reception(self.tls, self.door.lookup).receive(side)
        task: asyncio.Task[None] | None = asyncio.current_task()
        if task is not None:
            self.strangers.goes(task)
        return asked

    async def _cancel(self, asked: CancelAsked) -> None:
        hold = self._holds.get((asked.pid, asked.key))
        if hold is not None:
            if not hold.relay.stop_waiting():
                await cancel(hold.upstream, hold.server.pid, hold.server.key)
        else:
            await self.door.stop(asked)

    async def _let_in(self, side: Side, visitor: Visitor) -> None:
        session = await self.door.admit(visitor, side.address)
        try:
            async with asyncio.timeout(LOGIN):
                server = await log_in(session.upstream)
        except BaseException as error:
            session.over(f"the database was not reached: {str(error) or type(error).__name__}")
            if isinstance(error, (OSError, Gone, NotTheProtocol)):  # a timeout is one, and so is what TLS refuses
                raise Unavailable("The database cannot be reached from the gateway.") from error
            raise
        place = (server.pid, visitor.cancel_key)
        relay = _relay((side, server.side), session, lambda why: self._ended(place, session, why))
        hold = Hold(relay, session.upstream, server)
        try:
            session.running(hold)  # before a byte passes: it may have been ended since it was let in
        except AccessError as error:
            server.side.hang_up()
            session.over(str(error))
            raise
        self._holds[place] = hold
        side.write(m.message(m.AUTHENTICATION, pack(">I", Wanted.OK)))
        # The backend's own number: drivers compare it with what notifications say. Its key stays here.
        side.write(m.message(m.KEY_DATA, pack(">I", place[0]) + place[1]) + server.greeting)
        relay.start()

    def _ended(self, place: tuple[int, bytes], session: Session, why: str) -> None:
        self._holds.pop(place, None)
        session.over(why)


def _relay(sides: tuple[Side, Side], session: Session, ended: Callable[[str], None]) -> Relay:
    if session.gate is None:
        return Relay(*sides, session.tape, ended)
    return HoldingRelay(sides, session.tape, ended, session.gate)
