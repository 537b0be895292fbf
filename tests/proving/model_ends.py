"""A model of one grant's end by two processes on one database that goes away: claims, memory, late writing.

A process ends what it knew of when it read the row, and nothing else: a credential that was collected since is not
touched by it. Versions count what a row's writing changes: a collection, a prolongation, a beginning. One of the two
also ends from memory; a second one that did would only be more states.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from access.model import GrantState
from tests.proving.search import Move, Verdict, search

G = GrantState
NOBODY, GONE = -1, -2  # whose claim it is: nobody's, or that of a process that has died
_LATEST = 2  # ends that the grant can have: its own, and a later one


@dataclass(frozen=True)
class Read:
    """The row as somebody has read it."""

    version: int
    until: int
    state: GrantState


@dataclass(frozen=True)
class Process:
    read: Read | None = None  # about to begin or to claim
    trying: Read | None = None  # the end is its own; the call is made, or has proven something
    proved: bool = False
    memory: Read | None = None  # what it heard last, to end the grant without the database
    outcome: Read | None = None  # ended from memory, and kept on its disk


@dataclass(frozen=True)
class World:
    row: Read = Read(0, 1, G.ACTIVE)
    begun_from: int = NOBODY  # the version that the end began from
    claim: int = NOBODY
    usable: frozenset[int] = frozenset({0})  # credentials, by the version at which each was recorded
    processes: tuple[Process, Process] = (Process(), Process())
    time: int = 0  # deadlines that have passed
    is_away: bool = False  # the database
    outages: int = 0
    deaths: int = 0


@dataclass(frozen=True)
class Rules:
    """The design; each flag switches one of its rules off."""

    compare_and_set: bool = True  # whoever has read another row than the one that stands writes nothing
    proof_before_gone: bool = True
    claims_end_with_their_process: bool = True
    written_down_as_known: bool = True  # an end from memory is written on the row that it was made for alone
    prolonged_goes_on: bool = True
    most_deaths: int = 1
    most_outages: int = 1


BROKEN = {
    "no-version-of-an-end": Rules(compare_and_set=False),
    "end-without-proof": Rules(proof_before_gone=False),
    "claims-for-ever": Rules(claims_end_with_their_process=False, most_outages=0),
    "written-down-blindly": Rules(written_down_as_known=False),
    "memory-over-prolongation": Rules(prolonged_goes_on=False),
}


def check(rules: Rules) -> Verdict:
    return search(World(), lambda world: moves(world, rules), _wrong, _is_over, _left_an_end)


def moves(world: World, rules: Rules) -> Iterator[Move[World]]:
    yield from _people(world)
    yield from _nature(world, rules)
    for n in range(len(world.processes)):
        if not world.is_away:
            yield from _by_the_database(world, n, rules)
            yield from _written_down(world, n, rules)
        yield from _at_the_provider(world, n, rules)
        yield from _from_memory(world, n)


def _of(world: World, n: int, **changes: object) -> World:
    """With this changed of that process."""
    processes = list(world.processes)
    processes[n] = replace(processes[n], **changes)  # type: ignore[arg-type]
    return replace(world, processes=tuple(processes))


def _people(world: World) -> Iterator[Move[World]]:
    row = world.row
    if world.is_away or row.state is not G.ACTIVE or world.time >= row.until:
        return
    if len(world.usable) < 2 and row.version < 2:
        usable = world.usable | {row.version + 1}
        yield "a credential is collected", replace(world, row=replace(row, version=row.version + 1), usable=usable)
    if row.until < _LATEST:
        yield "it is prolonged", replace(world, row=replace(row, version=row.version + 1, until=row.until + 1))


def _nature(world: World, rules: Rules) -> Iterator[Move[World]]:
    if world.time < _LATEST:
        yield "a deadline passes", replace(world, time=world.time + 1)
    if world.is_away:
        yield "the database answers again", replace(world, is_away=False)
    elif world.outages < rules.most_outages:
        yield "the database falls silent", replace(world, is_away=True, outages=world.outages + 1)
    if world.deaths < rules.most_deaths:
        for n, process in enumerate(world.processes):
            claim = GONE if world.claim == n else world.claim
            dead = replace(world, deaths=world.deaths + 1, claim=claim)
            yield (
                f"process {n} dies, and starts again",
                _of(dead, n, read=None, trying=None, proved=False, memory=None, outcome=process.outcome),
            )


def _by_the_database(world: World, n: int, rules: Rules) -> Iterator[Move[World]]:
    process, row = world.processes[n], world.row
    free = (NOBODY, GONE) if rules.claims_end_with_their_process else (NOBODY,)
    is_ahead = row.state is G.ACTIVE  # rows are read before they are due
    is_left = row.state is G.REVOKING and world.claim in free
    if n == 0 and process.memory != row:
        yield f"process {n} hears of the row", _of(world, n, memory=row)
    if process.outcome is None and process.trying is None and process.read != row and (is_ahead or is_left):
        yield f"process {n} reads when it is due", _of(world, n, read=row)
    if process.read is not None and (process.read.state is G.REVOKING or world.time >= process.read.until):
        yield from _begun(_of(world, n, read=None), n, process.read, rules)
    if process.trying is not None and process.proved:
        idle = _of(world, n, trying=None, proved=False)
        stands = row.state is G.REVOKING and world.claim == n and row.version == process.trying.version
        if stands or (not rules.compare_and_set and row.state is G.REVOKING):
            yield (
                f"process {n} writes down that it is over",
                replace(idle, row=replace(row, state=G.REVOKED), claim=NOBODY),
            )
        else:
            yield f"process {n} sees that somebody else has it", idle


def _begun(world: World, n: int, read: Read, rules: Rules) -> Iterator[Move[World]]:
    row = world.row
    if row.state is G.REVOKED or (row != read and rules.compare_and_set):
        yield f"process {n} sees that it has moved on", world
    elif row.state is G.REVOKING:
        if world.claim in (NOBODY, GONE):
            yield f"process {n} claims it", _of(replace(world, claim=n), n, trying=row)
    else:
        moved = replace(row, state=G.REVOKING, version=row.version + 1)
        known = replace(moved, version=read.version + 1)  # what it ends is what it had read
        yield (
            f"process {n} begins its end",
            _of(replace(world, row=moved, begun_from=row.version, claim=n), n, trying=known),
        )


def _at_the_provider(world: World, n: int, rules: Rules) -> Iterator[Move[World]]:
    trying = world.processes[n].trying
    if trying is None or world.processes[n].proved:
        return
    ended = _of(replace(world, usable=_without(world, trying)), n, proved=True)
    yield f"process {n} ends all that it knows of, and it is proven", ended
    if not rules.proof_before_gone:
        yield f"process {n} is told yes, and nothing happens", _of(world, n, proved=True)
    if not world.is_away and world.claim == n:
        given_up = _of(world, n, trying=None)
        yield f"process {n} fails, and writes that down", replace(given_up, claim=NOBODY)


def _without(world: World, known: Read) -> frozenset[int]:
    return frozenset(made for made in world.usable if made > known.version)


def _from_memory(world: World, n: int) -> Iterator[Move[World]]:
    """Also just after the database came back, as long as the process does not know it."""
    known = world.processes[n].memory
    if known is None or not world.outages or known.state is G.REVOKED or world.time < known.until:
        return
    if world.processes[n].outcome is None:
        yield f"process {n} ends it from memory", _of(replace(world, usable=_without(world, known)), n, outcome=known)


def _written_down(world: World, n: int, rules: Rules) -> Iterator[Move[World]]:
    """As `access.revoking.outcome.written_down` has it."""
    outcome, row = world.processes[n].outcome, world.row
    if outcome is None:
        return
    idle = _of(world, n, outcome=None, memory=None)
    over = replace(idle, row=replace(row, state=G.REVOKED), claim=NOBODY)
    only_begun = row.version == outcome.version + 1 and world.begun_from == outcome.version
    as_known = row.version == outcome.version or not rules.written_down_as_known
    if row.state is G.REVOKING and (as_known or only_begun):
        yield f"process {n} writes down the end from memory", over
    elif row.state is not G.ACTIVE or (row.until > outcome.until and rules.prolonged_goes_on):
        yield f"process {n} has nothing to write down", idle
    elif as_known or (not rules.prolonged_goes_on and row.until > outcome.until):
        yield f"process {n} writes down the end from memory", over
    else:
        begun = replace(row, state=G.REVOKING, version=row.version + 1)
        yield f"process {n} writes down its beginning", replace(idle, row=begun, begun_from=row.version, claim=NOBODY)


def _wrong(world: World) -> Iterator[str]:
    if world.row.state is G.REVOKED and world.usable:
        yield "it is over, and a credential is usable"
    if world.row.state is G.REVOKED and world.time < world.row.until:
        yield "it is over before the end that it has"


def _left_an_end(before: World, after: World) -> bool:
    return before.row.state is G.REVOKED and after.row.state is not G.REVOKED


def _is_over(world: World) -> bool:
    return world.row.state is G.REVOKED and not world.usable
