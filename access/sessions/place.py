"""Where the gateways are, for whoever is to connect, and what the faces reach of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from access.errors import Unavailable
from access.sessions.looking import Sessions
from access.sessions.model import Session
from access.sessions.passes import Passes


@dataclass(frozen=True, slots=True)
class Place:
    """`certificate`: PEM that the gateway's own is to be checked with; empty: by the public authorities.

    Only on this machine itself, a gateway may do without TLS.
    """

    host: str
    port: int
    certificate: str = ""
    tls: bool = True

    @property
    def hints(self) -> dict[str, str]:
        return {"host": self.host, "port": str(self.port), "sslmode": "verify-full" if self.tls else "disable"}


@dataclass(frozen=True, slots=True)
class Vouched:
    """A terminal's key: its mark, which a pass is `bound` to, and the certificate (PEM) that TLS asks for."""

    mark: str
    certificate: str


class Voucher(Protocol):
    """Makes of a key what a connection can be made with."""

    def vouch(self, key: str, life: timedelta) -> Vouched:
        """`key`: a public key on P-256, as SubjectPublicKeyInfo in DER and Base64. Raises BadInput."""
        ...


class Recordings(Protocol):
    """What was recorded, for those who may look."""

    def lines(self, session: Session, form: str, terminal: int = 1) -> Iterator[bytes]:
        """Lines of JSON as they are read, by `form`: `records` or, of one terminal, `asciicast`. Blocks.

        Raises Unavailable, BadInput.
        """
        ...


@dataclass(frozen=True)
class GatewayParts:
    """`places` by gateway: `postgres`. `voucher`: None where no gateway can ask for a key; `recordings`: None where
    none can be read.
    """

    passes: Passes
    sessions: Sessions
    places: dict[str, Place] = field(default_factory=dict)
    voucher: Voucher | None = None
    recordings: Recordings | None = None

    def vouched(self, key: str, life: timedelta) -> Vouched:
        """Of no key: nothing. Raises BadInput."""
        return self.voucher.vouch(key, life) if key and self.voucher is not None else Vouched("", "")

    def place(self, gateway: str) -> Place:
        """Raises Unavailable."""
        if gateway not in self.places:
            raise Unavailable(f"No {gateway} gateway is set up here.")
        return self.places[gateway]
