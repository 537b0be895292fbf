"""What stands at the issuers, and what should: looked at, told when it changes, and ended where an operator says so."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from access.ending.reconciling import Compared, Kind, Known, Stray, Surveyor, compare, expected, surveyor_of
from access.errors import AccessError, OtherIssuer, ProviderError
from access.events import StrayEnded, StrayEnding
from access.model import Grant, ref
from access.ports import Change, Clock, PolicySource, Provider
from store import SqlStore

log = logging.getLogger(__name__)

BATCH = 500
PATIENCE = 60.0  # seconds for one issuer
MOST_DIED = 200  # credentials that are asked about one by one in one look
_ENDED = (Kind.TOKEN, Kind.LEASE)  # what `act` ends, where it is ours


@dataclass(frozen=True, slots=True)
class Died:
    """A credential that should live and does not, and how that was seen."""

    number: int
    n: int
    public_id: str
    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """One issuer, or several that stand at one place. `stuck`: what cannot be ended there, as sentences.

    `silent`: why it could not be looked at.
    """

    provider: str
    strays: tuple[Stray, ...] = ()
    died: tuple[Died, ...] = ()
    stuck: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    silent: str = ""

    @property
    def is_clean(self) -> bool:
        return not (self.strays or self.died or self.stuck or self.silent)


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of having a stray ended: the proof, or why not."""

    stray: Stray
    proof: tuple[str, ...]
    why: str = ""


@dataclass
class _Place:
    """Issuers that see the same pieces, and what the open grants of all of them account for."""

    surveyor: Surveyor
    known: Known
    names: list[str] = field(default_factory=list)
    uses: set[tuple[tuple[str, str], ...]] = field(default_factory=set)


@dataclass(frozen=True)
class Reconciling:
    """Reads grants, asks issuers, changes nothing but by `act`."""

    store: SqlStore
    providers: Mapping[str, Provider]
    policies: PolicySource
    clock: Clock

    @property
    def names(self) -> tuple[str, ...]:
        """Of all that can be looked at, as `Found.provider` has them."""
        places = dict[str, list[str]]()
        for name, provider in self.providers.items():
            if (surveyor := surveyor_of(provider)) is not None:
                places.setdefault(surveyor.place, []).append(name)
        return tuple(map(", ".join, places.values()))

    async def look(self) -> tuple[Found, ...]:
        """Every issuer that can say what stands there. Raises Unavailable: without the grants nothing is known."""
        places = await self._places()
        return tuple(await asyncio.gather(*(self._look_at(place) for place in places)))

    async def _places(self) -> Sequence[_Place]:
        """Each with what the grants account for that are open right now."""
        at, by_name, places = self.clock.now(), dict[str, _Place](), dict[str, _Place]()
        for name, provider in self.providers.items():
            if (surveyor := surveyor_of(provider)) is not None:
                by_name[name] = places.setdefault(surveyor.place, _Place(surveyor, Known(at)))
                by_name[name].names.append(name)
        for rule in self.policies.current().rules:
            if rule.provider in by_name:
                by_name[rule.provider].uses.add(tuple(sorted(rule.uses.items())))
        async for grant in self._open():
            if place := by_name.get(grant.provider):
                place.known.add(grant, place.surveyor)
                place.uses.add(tuple(sorted(grant.uses.items())))
        return tuple(places.values())

    async def _open(self) -> AsyncIterator[Grant]:
        numbers = await self.store.open_grants()
        for i in range(0, len(numbers), BATCH):
            for grant in (await self.store.grants_by_number(numbers[i : i + BATCH])).values():
                if grant.due_at is not None:
                    yield grant

    async def _look_at(self, place: _Place) -> Found:
        name = ", ".join(place.names)
        try:
            async with asyncio.timeout(PATIENCE):
                uses = [dict(each) for each in sorted(place.uses)]
                survey = await place.surveyor.survey(place.known.owners.keys(), uses)
                compared = compare(survey, place.known)
                strays = await self._owned(await self._still(compared, place))
                died, elsewhere = await self._died(compared.missing, place)
                return Found(name, strays, died, (*survey.stuck, *elsewhere), survey.unseen)
        except TimeoutError:
            return Found(name, silent=f"it did not answer within {PATIENCE:g} s")
        except (ProviderError, AccessError) as error:
            return Found(name, silent=str(error))
        except Exception as error:  # one issuer must not hide the others
            log.exception("an issuer could not be looked at", extra={"action": "reconcile", "provider": name})
            return Found(name, silent=f"it failed unexpectedly ({type(error).__name__})")

    async def _still(self, compared: Compared, place: _Place) -> Sequence[Stray]:
        """What bears no time may have been made since the grants were read, so these are read again."""
        if all(stray.piece.since or stray.piece.until for stray in compared.strays):
            return compared.strays
        again = Known(self.clock.now())
        async for grant in self._open():
            if grant.provider in place.names:
                again.add(grant, place.surveyor)
        return [s for s in compared.strays if s.piece.since or s.piece.until or s.piece.locator not in again.owners]

    async def _owned(self, strays: Sequence[Stray]) -> tuple[Stray, ...]:
        """What one of our grants has on record is ours, also when that grant has ended."""
        unproven = [stray.piece.locator for stray in strays if not stray.piece.is_ours]
        owners = await self.store.owners(unproven) if unproven else {}
        return tuple(_owned(stray, owners) for stray in strays)

    async def _died(
        self, missing: Sequence[tuple[int, int]], place: _Place
    ) -> tuple[tuple[Died, ...], tuple[str, ...]]:
        """Asked about once more, on the grants as they are now: a grant that ended meanwhile is none of these.

        And a sentence for each reason why some could not be asked about here.
        """
        grants = await self.store.grants_by_number([number for number, _ in missing[:MOST_DIED]])
        found, elsewhere = list[Died](), dict[str, str]()
        for number, n in missing[:MOST_DIED]:
            lease = next((each for each in expected(grants[number], self.clock.now()) if each.n == n), None)
            try:
                if lease is not None and (why := await place.surveyor.has_died(grants[number], lease)):
                    found.append(Died(number, n, lease.public_id, why))
            except OtherIssuer as error:
                elsewhere.setdefault(str(error), ref(number))
        return tuple(found), tuple(f"{one} cannot be ended here: {why}." for why, one in elsewhere.items())

    # Acting

    async def act(self, found: Found, operator: str) -> AsyncIterator[Ending]:
        """End what is ours and no open grant accounts for. Raises Unavailable where it cannot be written down first."""
        surveyor = surveyor_of(self.providers[found.provider.partition(", ")[0]])
        assert surveyor is not None
        for stray in found.strays:
            if may_end(stray) and not await self._is_accounted_for(stray, surveyor):
                yield await self._end(stray, surveyor, operator)

    async def _is_accounted_for(self, stray: Stray, surveyor: Surveyor) -> bool:
        number = (await self.store.owners([stray.piece.locator])).get(stray.piece.locator)
        grant = await self.store.grant(number) if number is not None else None
        return grant is not None and grant.due_at is not None and stray.piece.locator in surveyor.accounts_for(grant)

    async def _end(self, stray: Stray, surveyor: Surveyor, operator: str) -> Ending:
        provider, what = surveyor.name, in_words(stray)
        await self._write(StrayEnding(at=self.clock.now(), provider=provider, stray=what, operator=operator))
        proof, why = tuple[str, ...](), ""
        try:
            proof = await surveyor.remove(stray.piece)
        except ProviderError as error:
            why = str(error)
        await self._write(StrayEnded(at=self.clock.now(), provider=provider, stray=what, proof=proof, why=why))
        return Ending(stray, proof, why)

    async def _write(self, event: Any) -> None:
        await self.store.commit(Change(events=(event,)))


def may_end(stray: Stray) -> bool:
    """Whether `act` would end it: access that this prodaccess gave, and that nothing accounts for."""
    return stray.piece.is_ours and stray.piece.kind in _ENDED


def in_words(stray: Stray) -> str:
    """One line, without what could end it."""
    piece = stray.piece
    since = f", since {_time(piece.since)}" if piece.since else ""
    until = f", until {_time(piece.until)}" if piece.until else ""
    return f"{piece.kind} {piece.name}{since}{until}: {stray.why}"


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _owned(stray: Stray, owners: Mapping[str, int]) -> Stray:
    number = owners.get(stray.piece.locator)
    if number is None:
        return stray
    piece = replace(stray.piece, bears=number, is_ours=True)
    return Stray(piece, f"{ref(number)} had it, and has ended")
