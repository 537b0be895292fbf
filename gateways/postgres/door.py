"""The gateway's door onto the rest of the house: passes prove who comes, and each connection becomes a session."""

from __future__ import annotations

import ssl
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass

from access.errors import AccessError, Refused, Unavailable
from access.sessions.admission import Visit
from access.sessions.model import POSTGRES
from audit.recording.writer import RecorderFailed
from gateways.desk import Desk
from gateways.live import Live
from gateways.postgres.gateway import Hold
from gateways.postgres.reception import Visitor
from gateways.postgres.scram import Verifier
from gateways.postgres.startup import meaningful
from gateways.postgres.tape import FORM, SqlTape
from gateways.postgres.upstream import Upstream

_NAME = "application_name"
_LONGEST_NAME = 63  # bytes; PostgreSQL cuts the rest
_ENCRYPTED = ("require", "prefer", "allow")  # and whoever answers is believed


@dataclass(frozen=True)
class PostgresDoor:
    """`gateways.postgres.gateway.Door` over one desk."""

    desk: Desk

    async def lookup(self, name: str) -> Verifier | None:
        """What a pass has to prove. A log or a database that does not answer lets nobody in."""
        try:
            proof = await self.desk.admission.proof_of(name, POSTGRES)
            return None if proof is None else _verifier(proof)
        except AccessError:
            return None

    async def admit(self, visitor: Visitor, address: str) -> PostgresSession:
        client = visitor.parameters.get(_NAME, "")
        visit = Visit(POSTGRES, visitor.name, address, client)
        live = await self.desk.open(visit, FORM, SqlTape)
        try:
            session = PostgresSession(self.desk, live, upstream_of(live, visitor))
            if text := meaningful(visitor.parameters):
                session.tape.greeted(text)
        except RecorderFailed as error:
            self.desk.over(live, str(error))
            raise Unavailable(str(error)) from error
        except BaseException as error:
            self.desk.over(live, str(error) or type(error).__name__)
            raise
        return session


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

    def running(self, hold: Hold) -> None:
        self.desk.begun(self.live, hold)

    def over(self, why: str) -> None:
        self.desk.over(self.live, why)


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


def _verifier(proof: str) -> Verifier:
    """As PostgreSQL writes one: `SCRAM-SHA-256$4096:SALT$STOREDKEY:SERVERKEY`; what is stored was looked at before."""
    _, iterations_salt, keys = proof.split("$")
    (iterations, salt), (stored, server) = iterations_salt.split(":"), keys.split(":")
    return Verifier(b64decode(salt), int(iterations), b64decode(stored), b64decode(server))


def tls_of(uses: Mapping[str, str]) -> ssl.SSLContext | None:
    """As libpq has it, except that a way that nobody described is a verified one."""
    mode = uses.get("sslmode", "verify-full")
    if mode == "disable":
        return None
    context = ssl.create_default_context()
    context.check_hostname = mode not in _ENCRYPTED and mode != "verify-ca"
    context.verify_mode = ssl.CERT_NONE if mode in _ENCRYPTED else ssl.CERT_REQUIRED
    return context
