"""Logging in at the database with the credential that only the gateway holds."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import IntEnum
from struct import pack

from access.secret import Secret
from gateways.postgres import messages as m
from gateways.postgres.scram import MECHANISM, Client, Refused
from gateways.postgres.side import Gone, Side

_SSL, _CANCEL, _VERSION = 80877103, 80877102, 196608  # 3.0; what the client speaks beyond it is negotiated with us


_HEARD = 2.0  # seconds


class Wanted(IntEnum):
    """What an Authentication message asks for."""

    OK = 0
    CLEARTEXT = 3
    MD5 = 5
    SASL = 10
    SASL_CONTINUE = 11
    SASL_FINAL = 12


class LoginRefused(Exception):
    """The database said no, in the words of `answer`: an ErrorResponse that can be passed on as it stands."""

    def __init__(self, answer: bytes, why: str) -> None:
        super().__init__(why)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where the database is, and the credential (`username`, `password`) that we are let in by.

    `tls`: None where the way is private, a socket for instance.
    """

    host: str
    port: int
    database: str
    credential: Secret
    tls: ssl.SSLContext | None
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def private(self) -> bool:
        """Whether nobody else can listen on the way."""
        return self.tls is not None or self.host.startswith("/")


@dataclass(frozen=True, slots=True)
class LoggedIn:
    """`greeting`: what the server said of itself, to be passed on. `pid` and `key` are what a cancel has to name."""

    side: Side
    greeting: bytes
    pid: int
    key: bytes


async def log_in(upstream: Upstream) -> LoggedIn:
    """Raises LoginRefused, Gone, NotTheProtocol, OSError, ssl.SSLError."""
    side = await _dial(upstream)
    try:
        known = upstream.credential.reveal()
        told = {**upstream.parameters, "user": known["username"], "database": upstream.database}
        body = b"".join(f"{name}\0{value}\0".encode() for name, value in told.items())
        side.write(_untyped(pack(">I", _VERSION) + body + b"\0"))
        await _prove(side, _Login(known["username"], known["password"], upstream.private))
        return await _greeting(side)
    except BaseException:
        side.hang_up()
        raise


async def cancel(upstream: Upstream, pid: int, key: bytes) -> None:
    """Have the server stop what it is running; nothing is raised where it cannot be reached.

    It answers nothing, and closes when it is done: only then may the client go on, or its next statement were stopped.
    """
    try:
        side = await _dial(upstream)
    except (OSError, Gone):
        return
    side.write(_untyped(pack(">II", _CANCEL, pid) + key))
    with suppress(Gone, TimeoutError):
        async with asyncio.timeout(_HEARD):
            await side.read(1)
    side.close()


async def _dial(upstream: Upstream) -> Side:
    loop = asyncio.get_running_loop()
    if upstream.host.startswith("/"):
        path = f"{upstream.host}/.s.PGSQL.{upstream.port}"
        _, side = await loop.create_unix_connection(Side, path)
        return side
    _, side = await loop.create_connection(Side, upstream.host, upstream.port)
    if upstream.tls is not None:
        side.write(_untyped(pack(">I", _SSL)))
        if await side.read(1) != b"S":
            side.hang_up()
            raise LoginRefused(m.error("08001", "the database does not offer TLS"), "the database does not offer TLS")
        await side.secure(upstream.tls, server_side=False, name=upstream.host)
    return side


async def _prove(side: Side, login: _Login) -> None:
    while True:
        kind, payload = await side.message()
        if kind == m.ERROR:
            raise LoginRefused(m.message(kind, payload), m.failure_of(payload).message)
        if kind != m.AUTHENTICATION:
            continue  # NegotiateProtocolVersion, or a notice
        wanted, rest = int.from_bytes(payload[:4], "big"), payload[4:]
        if wanted == Wanted.OK:
            return
        try:
            answer = login.answer(wanted, rest)
        except Refused as error:
            raise LoginRefused(m.error("28000", str(error)), str(error)) from error
        if answer:
            side.write(m.message(m.PASSWORD, answer))


class _Login:
    """Our side of whatever way of logging in the server asks for."""

    def __init__(self, user: str, password: str, private: bool) -> None:  # noqa: FBT001 (one caller, named there)
        self._user, self._password, self._private = user, password, private
        self._scram = Client(password)

    def answer(self, wanted: int, rest: bytes) -> bytes:
        """Empty where there is nothing more to say. Raises Refused."""
        match wanted:
            case Wanted.SASL if MECHANISM.encode() in rest.split(b"\0"):
                first = self._scram.first().encode()
                return MECHANISM.encode() + b"\0" + pack(">I", len(first)) + first
            case Wanted.SASL_CONTINUE:
                return self._scram.final(rest.decode("ascii", "replace")).encode()
            case Wanted.SASL_FINAL:
                self._scram.check(rest.decode("ascii", "replace"))
                return b""
            case Wanted.MD5 if self._private:
                return self._md5(rest[:4])
            case Wanted.CLEARTEXT if self._private:
                return self._password.encode() + b"\0"
        raise Refused(f"the database wants a login of kind {wanted}, which is not given on this way")

    def _md5(self, salt: bytes) -> bytes:
        inner = hashlib.md5((self._password + self._user).encode(), usedforsecurity=False).hexdigest()
        return b"md5" + hashlib.md5(inner.encode() + salt, usedforsecurity=False).hexdigest().encode() + b"\0"


async def _greeting(side: Side) -> LoggedIn:
    told, pid, key = b"", 0, b""
    while True:
        kind, payload = await side.message()
        if kind == m.ERROR:
            raise LoginRefused(m.message(kind, payload), m.failure_of(payload).message)
        if kind == m.KEY_DATA:
            pid, key = int.from_bytes(payload[:4], "big"), payload[4:]
        else:
            told += m.message(kind, payload)
        if kind == m.READY:
            return LoggedIn(side, told, pid, key)


def _untyped(payload: bytes) -> bytes:
    return pack(">I", len(payload) + 4) + payload
