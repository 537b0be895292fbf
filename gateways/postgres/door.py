"""The gateway's door onto the rest of the house: passes prove who comes, and each connection becomes a session."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from base64 import b64decode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from access.errors import AccessError, Refused, Unavailable
from access.sessions.admission import Visit
from access.sessions.flags import HOLDABLE, in_order
from access.sessions.model import POSTGRES
from audit.recording.writer import RecorderFailed
from gateways.desk import Desk
from gateways.holding import Answer, Waiting, Wish
from gateways.live import Live
from gateways.postgres.gateway import Hold
from gateways.postgres.reception import CancelAsked, Visitor
from gateways.postgres.scram import Verifier
from gateways.postgres.startup import meaningful
from gateways.postgres.statements import understand
from gateways.postgres.tape import FORM, SqlTape
from gateways.postgres.upstream import Upstream

log = logging.getLogger(__name__)

_NAME = "application_name"
_LONGEST_NAME = 63  # bytes; PostgreSQL cuts the rest
_ENCRYPTED = ("require", "prefer", "allow")  # and whoever answers is believed, unless an authority is named
_ANEW = 300  # seconds, after which the machine's own authorities are read again
_MODES = (*_ENCRYPTED, "verify-ca", "verify-full")


@dataclass(frozen=True)
class PostgresDoor:
    """`gateways.postgres.gateway.Door` over one desk. `unbound`: passes that are bound to no key count, too."""

    desk: Desk
    unbound: bool = False

    async def lookup(self, name: str, key: str) -> Verifier | None:
        """What a pass has to prove, on a connection made with the key that it is bound to.

        A log or a database that does not answer lets nobody in.
        """
        try:
            given = await self.desk.admission.pass_of(name, POSTGRES)
        except AccessError:
            return None
        if given is None:
            return None
        if given.bound != key or not (given.bound or self.unbound):  # somebody has what is of no use to them
            log.warning("a pass was tried without its key", extra={"action": "connect", "ref": given.ref})
            return None
        return _verifier(given.proof)

    async def admit(self, visitor: Visitor, address: str) -> PostgresSession:
        client = visitor.parameters.get(_NAME, "")
        visit = Visit(POSTGRES, visitor.name, address, client, self._mark(visitor.cancel_key))
        live = await self.desk.open(visit, FORM, SqlTape)
        try:
            session = PostgresSession(self.desk, live, upstream_of(live, visitor))
            if text := meaningful(visitor.parameters):
                _must_not_be_held(text, live)
                session.tape.greeted(text)
        except RecorderFailed as error:
            self.desk.over(live, str(error))
            raise Unavailable(str(error)) from error
        except BaseException as error:
            self.desk.over(live, str(error) or type(error).__name__)
            raise
        return session

    async def stop(self, asked: CancelAsked) -> None:
        """Whoever knows the key of a session is believed, as PostgreSQL does; others learn nothing."""
        try:
            await self.desk.pass_on(self._mark(asked.key), asked.pid)
        except AccessError as error:
            log.warning("a cancel was not passed on", extra={"action": "session", "why": str(error)})

    def _mark(self, key: bytes) -> str:
        return self.desk.shelf.key.mark_of(key) if key else ""


@dataclass(frozen=True)
class PostgresSession:
    """`gateways.postgres.gateway.Session`."""

    desk: Desk
    live: Live
    upstream: Upstream

    @property
    def tape(self) -> SqlTape:
        assert isinstance(self.live.tape, SqlTape)  # `admit` made it
        return self.live.tape

    @property
    def gate(self) -> SqlGate | None:
        """Whoever begins without one can hold nothing later."""
        if self.live.watch.hold:
            return SqlGate(self.desk, self.live)
        self.live.unheld = HOLDABLE
        return None

    def running(self, hold: Hold) -> None:
        self.desk.begun(self.live, hold)

    def over(self, why: str) -> None:
        self.desk.over(self.live, why)


@dataclass(frozen=True)
class SqlGate:
    """`gateways.postgres.holding.Gate` of one session."""

    desk: Desk
    live: Live

    @property
    def hold(self) -> frozenset[str]:
        return self.live.watch.hold

    def shown(self, text: str, values: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
        said = self.live.tape.recorder.redaction.sql(text, values)
        return said.text, tuple(said.values)

    async def ask(self, wish: Wish, tell: Callable[[str], None], gone: asyncio.Future[Answer]) -> Answer:
        return await self.desk.holding.ask(wish, Waiting(self.live, tell, gone))


def upstream_of(live: Live, visitor: Visitor) -> Upstream:
    """Where the policy says that the database is. Raises Refused: a grant is for one database."""
    uses, ref = live.admitted.grant.uses, live.ref
    host, database = uses.get("host", ""), uses.get("dbname", "")
    if not (host and database):
        raise Refused(f"The policy does not say where the database of {ref} is: it needs `host` and `dbname`.")
    port = uses.get("port", "5432")
    if not (port.isascii() and port.isdecimal()):
        raise Refused(f"The policy does not say where the database of {ref} is: its `port` is no number.")
    if visitor.database not in (database, visitor.name):
        raise Refused(f"{ref} is for the database {database}.")
    given = visitor.parameters.get(_NAME, "")
    name = f"{live.session.id} {given}".strip().encode()[:_LONGEST_NAME].decode("utf-8", "ignore")
    parameters = {**visitor.parameters, _NAME: name}
    return Upstream(host, int(port), database, live.admitted.credential.secret, tls_of(uses), parameters)


def _must_not_be_held(greeting: str, live: Live) -> None:
    """Raises Refused: nobody can be asked before there is somebody to wait."""
    if held := understand(greeting).flags & live.watch.hold:
        what = ", ".join(in_order(held))
        raise Refused(f"What is set with the greeting would have to be approved ({what}): set it afterwards.")


def _verifier(proof: str) -> Verifier:
    """As PostgreSQL writes one: `SCRAM-SHA-256$4096:SALT$STOREDKEY:SERVERKEY`; what is stored was looked at before."""
    _, iterations_salt, keys = proof.split("$")
    (iterations, salt), (stored, server) = iterations_salt.split(":"), keys.split(":")
    return Verifier(b64decode(salt), int(iterations), b64decode(stored), b64decode(server))


def tls_of(uses: Mapping[str, str]) -> ssl.SSLContext | None:
    """As libpq has it, except that a way that nobody described is a verified one. Raises Refused.

    `sslrootcert`: a file on the gateway's machine with the authorities that vouch for the database; those of the
    machine itself do not count then.
    """
    mode, file = uses.get("sslmode", "verify-full"), uses.get("sslrootcert", "system")
    if mode == "disable":
        return None
    if mode not in _MODES:
        raise Refused(f"The policy does not say how to reach the database: sslmode {mode!r} is none.")
    if file == "system":
        return _context(mode, "", int(time.monotonic() // _ANEW))
    try:
        return _context(mode if mode not in _ENCRYPTED else "verify-ca", _authorities(file), 0)
    except (OSError, ValueError) as error:  # also what TLS finds in it
        log.warning("no authority for the database", extra={"action": "connect", "file": file, "why": str(error)})
        raise Refused("The gateway cannot read the file under `sslrootcert` of the policy. Tell an admin.") from error


def _authorities(file: str) -> str:
    """Raises OSError, ValueError: a file that names nobody must not stand for the authorities of this machine."""
    text = Path(file).read_text("ascii", "ignore")  # what they are called beside it may be in any script
    if "BEGIN CERTIFICATE" not in text:
        raise ValueError("it names no authority")
    return text


@lru_cache(maxsize=32)
def _context(mode: str, authorities: str, _age: int) -> ssl.SSLContext:
    """By the file's content, so that a new one counts from the next connection on."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = mode == "verify-full"
    context.verify_mode = ssl.CERT_NONE if mode in _ENCRYPTED else ssl.CERT_REQUIRED
    if authorities:
        context.load_verify_locations(cadata=authorities)
    else:
        context.load_default_certs()
    return context
