"""The client's side until it is let in: TLS, what it wants, and the proof that it holds the ticket it names."""

from __future__ import annotations

import hashlib
import hmac
import os
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from struct import pack

from gateways.postgres import messages as m
from gateways.postgres.binding import end_point_of
from gateways.postgres.frames import NotTheProtocol
from gateways.postgres.scram import Refused, Server, Verifier
from gateways.postgres.side import Side
from gateways.postgres.startup import NotHere, parameters_of, police
from gateways.postgres.upstream import Wanted

_CANCEL, _SSL, _GSS = 80877102, 80877103, 80877104
_MAJOR, _MINOR = 3, 2
_KEY, _LONG_KEY = 4, 32  # bytes of a cancel key, before version 3.2 and since
_HANDSHAKE = 0x16  # what TLS begins with
_ALPN = "postgresql"
_DECOY = os.urandom(32)  # of this process: a name that does not exist is asked for a proof like any other

#: of a name, and the mark of the key that the connection was made with
Lookup = Callable[[str, str], Awaitable[Verifier | None]]


class Rejected(Exception):
    """`answer` is an ErrorResponse that says why, in words that give nothing away."""

    def __init__(self, code: str, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.answer = m.error(code, text, hint=hint)


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who wants in: `name` as given, `database`, and what else the client set, such as `application_name`.

    `minor` is the protocol's: from 2 on, the key of a cancel may be longer than four bytes. `cancel_key` is what we
    make of it: the database's own stays here.
    """

    name: str
    database: str
    parameters: Mapping[str, str]
    secured: bool
    minor: int = 0
    cancel_key: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """No visitor: somebody wants a statement of a running session stopped."""

    pid: int
    key: bytes


@dataclass(frozen=True)
class Reception:
    """`tls` is what the gateway shows of itself; None only where clients come over a private way."""

    tls: ssl.SSLContext | None
    lookup: Lookup
    _end_point: bytes = field(init=False, default=b"")

    def __post_init__(self) -> None:
        if self.tls is not None:
            self.tls.set_alpn_protocols([_ALPN])
            object.__setattr__(self, "_end_point", end_point_of(self.tls))

    async def receive(self, side: Side) -> Visitor | CancelAsked:
        """Returns once the proof is right; nothing has been said of success yet. Raises Rejected, Gone."""
        secured = False
        if self.tls is not None and await side.peek() == _HANDSHAKE:  # without asking, as clients do since version 17
            await side.secure(self.tls, server_side=True)
            secured = True
            if side.spoken != _ALPN:
                raise NotTheProtocol("TLS for something else")
        while True:
            greeting = await side.untyped()
            code, rest = int.from_bytes(greeting[:4], "big"), greeting[4:]
            if code == _SSL and self.tls is not None and not secured:
                side.write(b"S")
                await side.secure(self.tls, server_side=True)
                secured = True
            elif code in (_SSL, _GSS):
                side.write(b"N")
            elif code == _CANCEL:
                return CancelAsked(int.from_bytes(rest[:4], "big"), rest[4:])
            else:
                return await self._visitor(side, code, rest, secured=secured)

    async def _visitor(self, side: Side, version: int, rest: bytes, *, secured: bool) -> Visitor:
        if version >> 16 != _MAJOR:
            raise Rejected("08P01", "This gateway speaks version 3 of the protocol.")
        if self.tls is not None and not secured:
            raise Rejected("08004", "This gateway wants TLS.", "Connect with sslmode=verify-full.")
        told = parameters_of(rest)
        unknown = [name for name in told if name.startswith("_pq_.")]
        minor = min(version & 0xFFFF, _MINOR)
        if version & 0xFFFF > _MINOR or unknown:
            names = b"".join(name.encode() + b"\0" for name in unknown)
            side.write(m.message(ord("v"), pack(">II", _MAJOR << 16 | minor, len(unknown)) + names))
        if told.pop("replication", "no").lower() not in ("no", "false", "off", "0"):
            raise Rejected("0A000", "Replication does not pass through this gateway.")
        name = told.pop("user", "")
        database = told.pop("database", "") or name
        kept = {name: value for name, value in told.items() if name not in unknown}
        await self._prove(side, name)
        try:
            police(kept)
        except NotHere as error:
            raise Rejected("0A000", str(error)) from None
        return Visitor(name, database, kept, secured, minor, os.urandom(_LONG_KEY if minor >= _MINOR else _KEY))

    async def _prove(self, side: Side, name: str) -> None:
        key = side.key
        verifier = await self.lookup(name, key)
        # A client's own key binds the connection as it is, and the tool behind it may speak no TLS to bind to.
        server = Server(verifier or _decoy(name), b"" if key or not side.secured else self._end_point)
        offered = b"".join(mechanism.encode() + b"\0" for mechanism in server.offered)
        side.write(m.message(m.AUTHENTICATION, pack(">I", Wanted.SASL) + offered + b"\0"))
        try:
            mechanism, _, data = (await _said(side)).partition(b"\0")
            answer = server.first(data[4:].decode("utf-8", "replace"), mechanism.decode("ascii", "replace"))
            side.write(m.message(m.AUTHENTICATION, pack(">I", Wanted.SASL_CONTINUE) + answer.encode()))
            final = server.final((await _said(side)).decode("utf-8", "replace"))
        except Refused:
            raise _no(name) from None
        if verifier is None:  # somebody who guessed the decoy, which cannot be
            raise _no(name)
        side.write(m.message(m.AUTHENTICATION, pack(">I", Wanted.SASL_FINAL) + final.encode()))


async def _said(side: Side) -> bytes:
    kind, payload = await side.message()
    if kind != m.PASSWORD:
        raise NotTheProtocol("something else than a proof")
    return payload


def _no(name: str) -> Rejected:
    shown = "".join(c for c in name[:60] if c.isprintable())
    return Rejected(
        "28P01", f"No pass of that name lets you in ({shown}).", "Use it from within: prodaccess connect PA-7"
    )


def _decoy(name: str) -> Verifier:
    salt = hmac.digest(_DECOY, name.encode(), "sha256")[:16]
    return Verifier(salt, 4096, hashlib.sha256(salt).digest(), salt)
