"""What a gateway is about, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from access.model import Person, ref

POSTGRES, SSH = "postgres", "ssh"
GATEWAYS = (POSTGRES, SSH)


@dataclass(frozen=True, slots=True)
class Pass:
    """What lets somebody's tools through a gateway, any number of times while the grant lasts.

    `name` is the user name that a client gives: `PA-7.k3f9q`. `proof` is what it has to prove that it holds: for
    `postgres` a SCRAM-SHA-256 verifier as PostgreSQL writes it, for `ssh` a public key; neither lets anybody in.
    `bound`: the terminal's key that each connection has to be made with, too (SHA-256 of its public half, in hex).
    """

    name: str
    grant: int
    gateway: str
    proof: str = field(repr=False)
    device: str  # id of the terminal that it was given to
    created_at: datetime
    ended_at: datetime | None = None
    bound: str = ""

    @property
    def ref(self) -> str:
        return ref(self.grant)


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
    raw: bool = True  # its recording keeps secrets that were in what was said
    stored: str = ""  # where its recording is besides its gateway's disk
    stored_at: datetime | None = None
    removed_at: datetime | None = None  # from its gateway's disk
    stop: str = ""  # what somebody who wants its statement stopped shows it by; empty: nobody can

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


@dataclass(frozen=True, slots=True)
class Stop:
    """That a client wants the statement stopped that runs in a session. `pid` is what it names the backend by."""

    session: str
    pid: int
    at: datetime


@dataclass(frozen=True, slots=True, order=True)
class Seen:
    """That a person has touched something, under whatever grant. `thing` is `table:orders` or `path:/etc`."""

    person: str  # their id
    target: str
    thing: str


class HeldState(StrEnum):
    """Stored; only ever joined by others."""

    WAITING = "waiting"
    ALLOWED = "allowed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Held:
    """One statement or command that waits until somebody lets it run. `id` is `PA-7-2.3`: the third of its session.

    What it says stands in the audit log alone. It moves once, away from waiting: that somebody has let it run (`by`)
    counts from when the gateway that holds it takes that up, and until then it can still be refused by itself.
    """

    grant: int
    session: int
    n: int
    asked_at: datetime
    lapses_at: datetime
    state: HeldState = HeldState.WAITING
    by: Person | None = None  # who decided it; nobody, where it was refused by itself
    at: datetime | None = None
    version: int = 0

    @property
    def ref(self) -> str:
        return ref(self.grant)

    @property
    def standing(self) -> HeldState:
        """As people are told."""
        is_let = self.state is HeldState.WAITING and self.by is not None
        return HeldState.ALLOWED if is_let else self.state

    @property
    def session_id(self) -> str:
        return f"{self.ref}-{self.session}"

    @property
    def id(self) -> str:
        return f"{self.session_id}.{self.n}"
