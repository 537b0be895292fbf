"""Those who make credentials and end them, and those who vouch for the log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from access.gate import Covered, Intent, Sealed
from access.model import Grant, Handle
from access.secret import Secret


@dataclass(frozen=True, slots=True)
class Guarantee:
    """What a provider can promise about ending access, in the terms shown to people."""

    early_end: Literal["confirmed", "eventual"]
    cuts_sessions: bool
    lag: timedelta  # how long after our revocation access may still work; zero when confirmed
    sentence: str


@dataclass(frozen=True, slots=True)
class Issued:
    """A fresh credential as its issuer gives it: public facts, and the secret behind the gate.

    `hints` are not secret (host, port, database).
    """

    public_id: str
    locator: str
    not_after: datetime
    secret: Sealed
    hints: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Released:
    """The same beyond the gate: recorded, signed, and on its way to the requester."""

    public_id: str
    locator: str
    not_after: datetime
    secret: Secret
    hints: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Collected:
    """What a collection yields: the credential, and the grant that it belongs to."""

    grant: Grant
    issued: Released


@dataclass(frozen=True, slots=True)
class Gone:
    """Gone, with what was checked; `effective_by` where the target only follows later.

    `tried`: every credential that was handed out was tried at the target and refused. Nothing less is called proven.
    """

    proof: tuple[str, ...]
    effective_by: datetime | None = None
    tried: bool = False


@dataclass(frozen=True, slots=True)
class NotYet:
    """Not proven gone; `why` is for people and holds no secret."""

    why: str


class Provider(Protocol):
    """An issuer. Every call may be repeated; `revoke` treats what is already gone as success.

    Calls for one grant are serialised by the caller: no `issue` runs beside a `revoke` of the same grant.
    """

    name: str
    guarantee: Guarantee
    at_once: int  # revocations that it takes at a time; more only make it slower

    def check(self, uses: Mapping[str, str]) -> tuple[str, ...]:
        """Faults in a rule's `uses`, as sentences. No I/O."""
        ...

    async def prepare(self, grant: Grant, attempt: int) -> Handle:
        """Create the inert container of everything to come. Raises ProviderRefused, ProviderSilent."""
        ...

    async def issue(self, grant: Grant, handle: Handle, intent: Intent) -> Issued:
        """A credential that dies with the handle. Raises ProviderRefused, ProviderSilent, HandleLost."""
        ...

    async def discard(self, grant: Grant, issued: Issued) -> None:
        """End this one credential at once, whose secret nobody was given; the others of the grant stay.

        One try: what it leaves ends with the grant. Raises ProviderRefused (also where the issuer cannot end a
        single one), ProviderSilent.
        """
        ...

    async def revoke(self, grant: Grant) -> Gone | NotYet:
        """End everything under all handles and leases of the grant, then look and probe. Does not raise."""
        ...

    async def find(self, grant: Grant) -> bool:
        """Whether anything of this grant exists at the provider. Raises ProviderSilent."""
        ...

    async def tidy(self) -> None:
        """Chores that may be skipped once: remove what has served. Raises ProviderError."""
        ...

    async def health(self) -> str:
        """Empty when well, else a sentence. Also what wakes its connections before somebody waits for them."""
        ...

    def close(self) -> None:
        """Let go of connections; ends no access."""
        ...


class Witness(Protocol):
    """Whoever signs the audit log, and so can say what has been signed."""

    async def cover(self, seq: int) -> Covered:
        """Returns once the entries up to and including `seq` are in a signed checkpoint. Raises Unavailable."""
        ...
