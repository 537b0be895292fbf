"""What a gateway is about, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from access.model import Person, ref

POSTGRES, SSH = "postgres", "ssh"


@dataclass(frozen=True, slots=True)
class Pass:
    """What lets somebody's tools through a gateway, any number of times while the grant lasts.

    `name` is the user name that a client gives: `PA-7.k3f9q`. `proof` is what it has to prove that it holds: for
    `postgres` a SCRAM-SHA-256 verifier as PostgreSQL writes it, for `ssh` a public key; neither lets anybody in.
    """

    name: str
    grant: int
    gateway: str
    proof: str = field(repr=False)
    device: str  # id of the terminal that it was given to
    created_at: datetime
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Session:
    """One recorded connection. `id` is `PA-7-2`: the second of that grant.

    `process` is the gateway that holds it, and `seed` what its recording's key is derived from. `acts`, `size` and
    `recording` (the running hash, in hex) are what the log knows of the recording so far.
    """

    grant: int
    n: int
    gateway: str
    pass_name: str
    requester: Person
    target: str
    host: str  # where the target is
    address: str  # where the person connected from
    client: str  # what their tool calls itself
    process: str
    seed: str = field(repr=False)
    opened_at: datetime
    closed_at: datetime | None = None
    why: str = ""
    acts: int = 0
    size: int = 0
    recording: str = ""
    version: int = 0

    @property
    def ref(self) -> str:
        return ref(self.grant)

    @property
    def id(self) -> str:
        return f"{self.ref}-{self.n}"


@dataclass(frozen=True, slots=True)
class Cut:
    """That somebody wants a session ended; whichever gateway holds it looks for these."""

    session: str
    by: Person
    at: datetime
