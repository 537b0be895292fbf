"""Where the gateways are, for whoever is to connect, and what the faces reach of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from access.errors import Unavailable
from access.sessions.looking import Sessions
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


@dataclass(frozen=True)
class GatewayParts:
    """`places` by gateway: `postgres`."""

    passes: Passes
    sessions: Sessions
    places: dict[str, Place] = field(default_factory=dict)

    def place(self, gateway: str) -> Place:
        """Raises Unavailable."""
        if gateway not in self.places:
            raise Unavailable(f"No {gateway} gateway is set up here.")
        return self.places[gateway]
