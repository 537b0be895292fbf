"""Socket Mode: tickets, open sockets, envelopes out and acknowledgements in."""

import asyncio
import json
import socket as stdsocket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import WSMessage, WSMsgType, web

from slack_simulator.api import check_token
from slack_simulator.courier import Delivery, Outcome
from slack_simulator.faults import Fault
from slack_simulator.model import Json

if TYPE_CHECKING:
    from slack_simulator.workspace import Workspace

MOST_SOCKETS = 10
REFRESH_SECONDS = 2.0  # from the refresh message to the close


@dataclass(eq=False)
class Socket:
    """One open connection of the app."""

    number: int
    ws: web.WebSocketResponse
    transport: asyncio.Transport
    silent: bool = False


@dataclass(frozen=True, eq=False)
class _Sent:
    """An envelope on its way: the socket it was given to, and who waits for its acknowledgement."""

    socket: Socket
    waiting: asyncio.Future[Any]


class Sockets:
    """Every open Socket Mode connection; a Transport of the courier."""

    def __init__(self, world: "Workspace") -> None:
        self._world = world
        self._tickets: set[str] = set()
        self._open: list[Socket] = []
        # One envelope may be on its way twice; its first acknowledgement settles both.
        self._sent: dict[str, list[_Sent]] = {}
        self._count = 0
        self._leaving: set[Socket] = set()
        self.strict_ack = False  # true: only the socket that got an envelope may acknowledge it
        world.faults.on_socket = self.disturb

    @property
    def count(self) -> int:
        """Open connections."""
        return len(self._open)

    def connect_url(self, token: str) -> Json:
        """The answer of apps.connections.open: an address that is good for one connection."""
        world = self._world
        check_token(world, token, world.app.app_token)
        ticket = world.ids.word(32)
        self._tickets.add(ticket)
        base = world.base_url.replace("http", "ws", 1)
        return {"ok": True, "url": f"{base}/link/?ticket={ticket}&app_id={world.app.id}"}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One connection from its handshake to its end."""
        ticket = request.query.get("ticket", "")
        fault = self._world.faults.take("link")
        if fault is not None or ticket not in self._tickets:
            return web.Response(status=int(fault.get("status", 408)) if fault else 404, text="no such ticket")
        self._tickets.discard(ticket)
        ws = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=0, timeout=1.0)
        await ws.prepare(request)
        self._count += 1
        assert isinstance(request.transport, asyncio.Transport)
        socket = Socket(self._count, ws, request.transport)
        if len(self._open) >= MOST_SOCKETS:
            await self._say_goodbye(socket, "too_many_websockets")
            await ws.close()
            return ws
        await self._serve(socket)
        return ws

    async def send(self, delivery: Delivery) -> Outcome:
        """Give the envelope to one socket and wait for its acknowledgement."""
        socket = self._pick(delivery)
        if socket is None:
            return Outcome("not_connected")
        sent = _Sent(socket, asyncio.get_running_loop().create_future())
        self._sent.setdefault(delivery.envelope_id, []).append(sent)
        try:
            async with asyncio.timeout(self._world.courier.ack_seconds):
                if not socket.silent:
                    await socket.ws.send_str(json.dumps(_envelope(delivery)))
                body = await sent.waiting
        except (TimeoutError, ConnectionError):
            return Outcome("timeout")
        finally:
            self._forget(delivery.envelope_id, sent)
        return Outcome("acked", body if delivery.accepts else None)

    def disturb(self, fault: Fault) -> None:
        """Do something to every open socket, now."""
        for socket in list(self._open):
            self._world.courier.tasks.spawn(self._disturb(socket, fault), f"socket {fault.do}")

    async def close(self) -> None:
        for socket in list(self._open):
            await socket.ws.close()

    async def _serve(self, socket: Socket) -> None:
        self._open.append(socket)
        self._note("open", socket)
        try:
            await socket.ws.send_str(json.dumps(self._hello()))
            async for message in socket.ws:
                if not socket.silent:
                    await self._hear(socket, message)
        except ConnectionError:
            pass  # the client is gone, which is all there is to know
        finally:
            self._open.remove(socket)
            self._leaving.discard(socket)
            self._note("closed", socket)

    async def _hear(self, socket: Socket, message: WSMessage) -> None:
        if message.type is WSMsgType.PING:
            await socket.ws.pong(message.data)
        elif message.type is WSMsgType.TEXT:
            self._acknowledge(socket, message.data)

    def _acknowledge(self, socket: Socket, text: str) -> None:
        try:
            said = json.loads(text)
            envelope = said["envelope_id"]
        except (ValueError, KeyError, TypeError):
            self._note("unreadable frame", socket, text=text)
            return
        waiting = [sent.waiting for sent in self._sent.get(envelope, ()) if self._may_settle(sent, socket)]
        if not waiting:
            self._note("late acknowledgement", socket, envelope_id=envelope)
        for one in waiting:
            one.set_result(said.get("payload"))

    def _may_settle(self, sent: _Sent, socket: Socket) -> bool:
        return not sent.waiting.done() and (sent.socket is socket or not self.strict_ack)

    def _forget(self, envelope: str, sent: _Sent) -> None:
        self._sent[envelope].remove(sent)
        if not self._sent[envelope]:
            del self._sent[envelope]

    def _pick(self, delivery: Delivery) -> Socket | None:
        """A random socket that is not about to be closed."""
        staying = [s for s in self._open if s not in self._leaving] or self._open
        if not staying:
            return None
        if delivery.socket is not None:
            return staying[delivery.socket % len(staying)]
        return self._world.ids.chance.choice(staying)

    async def _disturb(self, socket: Socket, fault: Fault) -> None:
        match fault.do:
            case "warning":
                await self._say_goodbye(socket, "warning")
            case "refresh":
                await self._retire(socket, "refresh_requested", float(fault.get("seconds", REFRESH_SECONDS)))
            case "link_disabled" | "too_many_websockets":
                await self._retire(socket, fault.do, 0.0)
            case "close":
                await socket.ws.close()
            case "fin":
                socket.transport.close()
            case "reset":
                reset(socket.transport)
            case "silence":
                socket.silent = True

    async def _retire(self, socket: Socket, reason: str, seconds: float) -> None:
        self._leaving.add(socket)
        await self._say_goodbye(socket, reason)
        await asyncio.sleep(seconds)
        await socket.ws.close()

    async def _say_goodbye(self, socket: Socket, reason: str) -> None:
        message = {"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-local"}}
        self._note(f"disconnect {reason}", socket)
        await socket.ws.send_str(json.dumps(message))

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self._open),
            "connection_info": {"app_id": self._world.app.id},
            "debug_info": {"host": "applink-local", "build_number": 1, "approximate_connection_time": 18060},
        }

    def _note(self, what: str, socket: Socket, **more: Any) -> None:
        self._world.journal.write("socket", what, socket=socket.number, open=len(self._open), **more)


def _envelope(delivery: Delivery) -> Json:
    made: Json = {"envelope_id": delivery.envelope_id, "type": delivery.kind, "payload": delivery.payload}
    made["accepts_response_payload"] = delivery.accepts
    if delivery.kind == "events_api":
        made |= {"retry_attempt": delivery.attempt, "retry_reason": "timeout" if delivery.attempt else ""}
    return made


def reset(transport: asyncio.Transport) -> None:
    """End a TCP connection with RST, so that the other side loses what was on its way."""
    socket = transport.get_extra_info("socket")
    if socket is not None:
        socket.setsockopt(stdsocket.SOL_SOCKET, stdsocket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
