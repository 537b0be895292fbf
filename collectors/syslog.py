"""Syslog (RFC 5424): over TLS (RFC 5425), TCP with octet counting (RFC 6587), or UDP (RFC 5426).

Syslog has no answer. What it has is an orderly end: a peer that has read everything closes its side after we have
closed ours, and one that died with unread bytes resets instead. So each batch has a connection of its own, and counts
as arrived when the peer has closed it in order. Over TLS that is the peer's close_notify, which nobody between can
forge. UDP cannot know: what the network lost is lost.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from collectors.collector import CollectorDown, CollectorRefused, Message
from collectors.wire import Plain, Tls, Wire

_FACILITY = 13  # log audit
_ENTERPRISE = 32473  # RFC 5612: for those without a number of their own
_LONGEST_DATAGRAM = 60_000
_UNPRINTABLE = re.compile(r"[^!-~]")


@dataclass(frozen=True)
class Framing:
    """Who says it. `hostname` is this machine's."""

    hostname: str

    def line(self, message: Message) -> bytes:
        """One RFC 5424 message, without any framing of its transport."""
        at = message.at.isoformat(timespec="microseconds").replace("+00:00", "Z")
        host = _UNPRINTABLE.sub("-", self.hostname)[:255] or "-"
        data = f'[prodaccess@{_ENTERPRISE} seq="{message.seq}" ref="{_value(message.ref)}" leaf="{message.leaf}"]'
        head = f"<{_FACILITY * 8 + message.severity}>1 {at} {host} prodaccess - {message.tag[:32]} {data} "
        return head.encode() + message.body


def counted(line: bytes) -> bytes:
    """Octet counting, RFC 6587 §3.4.1: newlines in a message end nothing."""
    return b"%d %s" % (len(line), line)


def _value(text: str) -> str:
    """RFC 5424 §6.3.3: these three are escaped in a parameter's value."""
    return re.sub(r'(["\\\]])', r"\\\1", text)


@dataclass
class StreamSyslog:
    """Over TCP, or over TLS where a context is given."""

    name: str
    host: str
    port: int
    framing: Framing
    tls: ssl.SSLContext | None = None
    confirm: bool = True  # without it a batch counts as arrived when this machine has sent it
    timeout: float = 15.0

    async def send(self, batch: Sequence[Message]) -> None:
        try:
            async with asyncio.timeout(self.timeout), self._wire() as wire:
                await wire.write(b"".join(counted(self.framing.line(message)) for message in batch))
                await wire.end(confirm=self.confirm)
        except TimeoutError:
            raise CollectorDown(f"{self.name} did not answer within {self.timeout:g} seconds.") from None
        except ssl.SSLCertVerificationError as error:
            why = f"{self.name} shows a certificate that is not trusted: {error.verify_message}."
            raise CollectorRefused(why) from error
        except (OSError, EOFError) as error:
            raise CollectorDown(f"{self.name} cannot be reached, or broke off: {_reason(error)}.") from error

    async def close(self) -> None:
        """Nothing stays open between batches."""

    @asynccontextmanager
    async def _wire(self) -> AsyncIterator[Wire]:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        plain = Plain(reader, writer)
        try:
            yield await Tls.over(plain, self.tls, self.host) if self.tls else plain
        finally:
            plain.abort()


@dataclass
class DatagramSyslog:
    """Over UDP: nothing is known of what becomes of a datagram."""

    name: str
    host: str
    port: int
    framing: Framing
    _socket: socket.socket | None = None

    async def send(self, batch: Sequence[Message]) -> None:
        try:
            target = await self._connected()
            for message in batch:
                await asyncio.get_running_loop().sock_sendall(target, self._datagram(message))
        except OSError as error:  # a refusal of an earlier datagram shows at a later one
            await self.close()
            raise CollectorDown(f"{self.name} cannot be reached: {_reason(error)}.") from error

    async def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    async def _connected(self) -> socket.socket:
        if self._socket is None:
            found = await asyncio.get_running_loop().getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)
            family, kind, protocol, _, address = found[0]
            self._socket = socket.socket(family, kind, protocol)
            self._socket.setblocking(False)  # noqa: FBT003 (the socket's own word)
            self._socket.connect(address)
        return self._socket

    def _datagram(self, message: Message) -> bytes:
        line = self.framing.line(message)
        if len(line) <= _LONGEST_DATAGRAM:
            return line
        stub = {"seq": message.seq, "type": message.tag, "leaf": message.leaf, "too_long": len(line)}
        return self.framing.line(
            Message(
                message.seq, message.ref, message.tag, message.leaf, message.at, message.severity,
                json.dumps(stub).encode(),
            )
        )  # fmt: skip


def _reason(error: BaseException) -> str:
    return getattr(error, "strerror", "") or str(error) or type(error).__name__
