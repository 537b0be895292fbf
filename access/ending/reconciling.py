"""What stands at an issuer, held against the grants that account for it. Pure.

The grants are read first, the issuer is looked at second. What was issued before the grants were read was recorded by
then or never will be, up to `GRACE`; what the grants had on record then, the issuer must still have.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol, cast

from access.model import Grant, GrantState, Lease, ref

GRACE = timedelta(seconds=90)  # longer than an issuing, its recording, and two clocks apart
SOON = timedelta(seconds=10)  # what ends this soon by itself is not looked for
LAST = timedelta(seconds=60)  # of a token whose grant ended at its deadline: it waits for its end, which is near
_GIVING = (GrantState.ISSUING, GrantState.QUARANTINE, GrantState.ACTIVE)


class Kind(StrEnum):
    """What a piece is. The first ones give access, the last ones take it."""

    #: what credentials are made under: Vault's token of a grant
    TOKEN = "token"  # noqa: S105 (a word)
    #: a credential
    LEASE = "lease"
    #: a person's assignment to a permission set
    ASSIGNMENT = "assignment"
    #: a Deny that stands in a role's policy
    DENY = "deny"
    #: an entry of a revocation list
    REVOCATION = "revocation"


_TAKING = (Kind.DENY, Kind.REVOCATION)


@dataclass(frozen=True, slots=True)
class Piece:
    """One thing that stands at an issuer. `name` is for people; `locator` may be a capability: never shown."""

    kind: Kind
    name: str
    locator: str = field(repr=False)
    bears: int | None = None  # the number of the grant that it says it belongs to
    since: datetime | None = None  # where the issuer knows it
    until: datetime | None = None  # when it ends by itself, or is no longer needed
    is_ours: bool = False  # the issuer itself proves that this prodaccess made it


@dataclass(frozen=True, slots=True)
class Survey:
    """One look at an issuer."""

    pieces: tuple[Piece, ...]  # at least all that nothing accounts for
    lives: frozenset[str] | None = None  # locators of all credentials that live; None where it cannot say
    stuck: tuple[str, ...] = ()  # what the issuer has given up on, a sentence each
    unseen: tuple[str, ...] = ()  # what was not looked at and why, a sentence each


class Surveyor(Protocol):
    """An issuer that can say what stands there."""

    name: str

    @property
    def place(self) -> str:
        """Two issuers with the same place see the same pieces."""
        ...

    def accounts_for(self, grant: Grant) -> frozenset[str]:
        """Locators of the pieces that an open grant of this issuer accounts for."""
        ...

    def stands_as(self, grant: Grant, lease: Lease) -> str:
        """The locator that this credential has in a survey; empty where a survey does not show it."""
        ...

    async def survey(self, accounted: Collection[str], uses: Sequence[Mapping[str, str]]) -> Survey:
        """What stands there; what is accounted for may be left out. Bounded. Raises ProviderError.

        `uses`: of all rules and open grants of this issuer, where it has to be told where to look.
        """
        ...

    async def has_died(self, grant: Grant, lease: Lease) -> str:
        """A sentence where this credential is gone, empty where it lives. Raises ProviderError."""
        ...

    async def remove(self, piece: Piece) -> tuple[str, ...]:
        """End it, and look: the proof. Raises ProviderError."""
        ...


_ASKED = ("name", "place", "accounts_for", "stands_as", "survey", "has_died", "remove")


def surveyor_of(issuer: object) -> Surveyor | None:
    """It, where it is one. From Python 3.12 on `isinstance` does not see what a wrapper passes on."""
    return cast("Surveyor", issuer) if all(hasattr(issuer, name) for name in _ASKED) else None


@dataclass
class Known:
    """What the open grants of one place account for, gathered grant by grant."""

    at: datetime  # when the first of them was read
    owners: dict[str, int] = field(default_factory=dict)  # locator to grant
    open: dict[int, bool] = field(default_factory=dict)  # number to whether it gives access, or is being ended
    living: dict[str, tuple[int, int]] = field(default_factory=dict)  # locator to grant and `n`: it must live

    def add(self, grant: Grant, surveyor: Surveyor) -> None:
        """An open grant of this issuer."""
        self.open[grant.number] = grant.state in _GIVING
        self.owners |= dict.fromkeys(surveyor.accounts_for(grant), grant.number)
        for lease in expected(grant, self.at):
            if locator := surveyor.stands_as(grant, lease):
                self.living[locator] = (grant.number, lease.n)


def expected(grant: Grant, now: datetime) -> Iterator[Lease]:
    """The credentials that must live: handed out, not given up, and not about to end by themselves."""
    if grant.state is not GrantState.ACTIVE:
        return
    for lease in grant.live_leases():
        if lease.public_id and lease.aborted_at is None and lease.not_after > now + SOON:
            yield lease


@dataclass(frozen=True, slots=True)
class Stray:
    """A piece that should not stand there, and why."""

    piece: Piece
    why: str


@dataclass(frozen=True, slots=True)
class Compared:
    """`missing`: grant and `n` of credentials that should live and do not."""

    strays: tuple[Stray, ...]
    missing: tuple[tuple[int, int], ...]


def compare(survey: Survey, known: Known) -> Compared:
    """Both ways at once."""
    strays = [Stray(piece, why) for piece in survey.pieces if (why := _fault(piece, known))]
    lives = survey.lives
    missing = () if lives is None else sorted({owner for at, owner in known.living.items() if at not in lives})
    return Compared(tuple(strays), tuple(missing))


def _fault(piece: Piece, known: Known) -> str:
    return _needless(piece, known) if piece.kind in _TAKING else _unowned(piece, known)


def _unowned(piece: Piece, known: Known) -> str:
    is_new = piece.since is not None and piece.since > known.at - GRACE
    if is_new or piece.locator in known.owners or _is_in_its_last_minute(piece, known):
        return ""
    if piece.bears is None:
        return "no open grant accounts for it"
    if piece.bears in known.open:
        return f"{ref(piece.bears)} is open and has nothing like it on record"
    return f"{ref(piece.bears)} has ended, or is not known here"


def _is_in_its_last_minute(piece: Piece, known: Known) -> bool:
    return piece.kind is Kind.TOKEN and piece.until is not None and piece.until <= known.at + LAST


def _needless(piece: Piece, known: Known) -> str:
    if piece.bears is not None and known.open.get(piece.bears):
        return f"{ref(piece.bears)} is open, and this shuts it out"
    if piece.until is not None and piece.until <= known.at:
        return "everything that it shuts out has ended by itself"
    return ""
