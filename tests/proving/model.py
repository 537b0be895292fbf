"""A model of one grant's life, searched to its last state: `python -m tests.proving.model`, `--broken NAME`, `--list`.

The states and steps are those of `access.lifecycle`; around them the model has what can go wrong: a process that dies
between any two writes, answers that never come, requests that arrive at the provider late, a provider that says yes
and does nothing, and time. A variant that leaves out one rule must be found out: that is what shows that the search
looks in the right places.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum

from access.lifecycle import GRANT, GRANT_TERMINAL, GrantStep, NotAllowed, step
from access.model import GrantState
from tests.proving import model_ends as ends
from tests.proving.search import Verdict, search

G, S = GrantState, GrantStep


class Time(IntEnum):
    """What matters of the clock."""

    OPEN = 0
    EXPIRED = 1
    PAST_TTL = 2  # what the provider ends by itself has ended


@dataclass(frozen=True)
class World:
    """What is durable, what is at the provider, what one process has in memory, and what is on the wire."""

    grant: GrantState = G.ISSUING
    handle: bool = False  # recorded
    intent: bool = False  # recorded
    lease: bool = False  # recorded, and signed
    container: bool = False  # at the provider: inert, and whatever comes of it dies with it
    credential: bool = False  # usable at the provider
    held: bool = False  # the engineer has it
    secret: bool = False  # of the container, in the memory of the process
    fresh: bool = False  # a credential in the memory of the process, not yet recorded
    preparing: bool = False  # on the wire
    issuing: bool = False  # on the wire
    looked: int = 0  # times that a quarantine found nothing
    time: Time = Time.OPEN
    crashes: int = 0


@dataclass(frozen=True)
class Rules:
    """The design; each flag switches one of its rules off."""

    intent_first: bool = True
    compare_and_set: bool = True
    quarantine: bool = True
    proof_before_gone: bool = True
    recorded_before_release: bool = True
    dies_with_container: bool = True
    most_crashes: int = 3


BROKEN = {
    "issue-before-intent": Rules(intent_first=False),
    "no-compare-and-set": Rules(compare_and_set=False),
    "no-quarantine": Rules(quarantine=False, dies_with_container=False),
    # Why `prepare` has to make something inert: a late one would be usable after everything was proven gone.
    "credential-in-one-call": Rules(dies_with_container=False),
    "trust-the-answer": Rules(proof_before_gone=False),
    "release-before-record": Rules(recorded_before_release=False),
}

Move = tuple[str, World]
_PATIENCE = 3  # looks of a quarantine, after which nothing can still be on the wire


def moves(world: World, rules: Rules) -> Iterator[Move]:
    """Everything that can happen next, by whoever does it."""
    yield from _opening(world, rules)
    yield from _collecting(world, rules)
    yield from _ending(world, rules)
    yield from _wire(world, rules)
    yield from _nature(world, rules)


def _stepped(world: World, what: GrantStep, rules: Rules, **changes: object) -> Iterator[World]:
    """Guarded by the table; without compare and set, a step is taken on what was read a while ago."""
    try:
        yield replace(world, grant=step(GRANT, world.grant, what), **changes)  # type: ignore[arg-type]
    except NotAllowed:
        if not rules.compare_and_set and what is S.OPEN:
            yield replace(world, grant=G.ACTIVE, **changes)  # type: ignore[arg-type]


def _opening(world: World, rules: Rules) -> Iterator[Move]:
    if world.grant is G.ISSUING and not world.preparing and not world.secret:
        yield "the provider is asked to prepare", replace(world, preparing=True)
    if world.secret and not world.handle:
        for after in _stepped(world, S.OPEN, rules, handle=True):
            yield "the handle is recorded", after
        if world.grant is G.REVOKING:  # ended meanwhile: the revocation must know it
            yield "the handle is recorded late", replace(world, handle=True)


def _collecting(world: World, rules: Rules) -> Iterator[Move]:
    if world.grant is G.ACTIVE and world.time is Time.OPEN and not world.intent:
        yield "the intent is recorded", replace(world, intent=True)
    may_ask = world.intent or not rules.intent_first
    if world.grant is G.ACTIVE and world.secret and may_ask and not (world.issuing or world.fresh or world.lease):
        yield "the provider is asked for a credential", replace(world, issuing=True)
    if world.fresh and world.grant is G.ACTIVE and not world.lease:
        yield "the credential is recorded and signed", replace(world, lease=True)
    if world.fresh and not world.held and (world.lease or not rules.recorded_before_release):
        yield "the credential is handed over", replace(world, held=True)


def _ending(world: World, rules: Rules) -> Iterator[Move]:
    if world.grant in (G.ISSUING, G.ACTIVE):
        for after in _stepped(world, S.END, rules):
            yield "somebody ends it, or its time is over", after
    if world.grant is G.REVOKING:
        gone = replace(world, container=False, credential=False)
        for after in _stepped(gone, S.CONFIRM_GONE, rules):
            if not world.issuing:  # one lock for each grant; what a dead process has sent is looked for below
                yield "revoked, and proven gone", after
        if not rules.proof_before_gone:
            for after in _stepped(world, S.CONFIRM_GONE, rules):
                yield "the provider says yes and does nothing", after
    if world.grant is G.QUARANTINE:
        yield from _look(world, rules)
    if world.grant is G.ISSUING and not world.secret:
        after = replace(world, looked=0)
        if rules.quarantine:
            yield from (("its opening was lost track of", w) for w in _stepped(after, S.LOSE_TRACK, rules))
        elif not world.container and not world.credential:
            yield "nothing was found, so it failed", replace(world, grant=G.FAILED)


def _look(world: World, rules: Rules) -> Iterator[Move]:
    if world.container or world.credential:
        yield from (("something of it was found", after) for after in _stepped(world, S.END, rules))
    elif world.looked < _PATIENCE:
        # The last look comes later than any request can still be on its way.
        lost = {"preparing": False, "issuing": False} if world.looked == _PATIENCE - 1 else {}
        yield "nothing was found; it is looked at again", replace(world, looked=world.looked + 1, **lost)
    else:
        yield from (("nothing can come any more", after) for after in _stepped(world, S.GIVE_UP, rules))


def _wire(world: World, rules: Rules) -> Iterator[Move]:
    if world.preparing:
        yield "prepared, and answered", replace(world, preparing=False, container=True, secret=True)
        yield "prepared, and the answer is lost", replace(world, preparing=False, container=True)
        if not rules.dies_with_container:  # a provider that makes a usable credential in one call
            yield "made at once, and the answer is lost", replace(world, preparing=False, credential=True, intent=True)
        yield "refused", replace(world, preparing=False)
    if world.issuing:
        made = world.container  # under a container that is gone, nothing is made
        yield "issued, and answered", replace(world, issuing=False, credential=made, fresh=made)
        yield "issued, and the answer is lost", replace(world, issuing=False, credential=made)


def _nature(world: World, rules: Rules) -> Iterator[Move]:
    if world.crashes < rules.most_crashes:
        yield "the process dies", replace(world, secret=False, fresh=False, crashes=world.crashes + 1)
    if world.time is Time.OPEN:
        yield "the time is over", replace(world, time=Time.EXPIRED)
    if world.time is Time.EXPIRED:
        dead = {"container": False, "credential": False} if rules.dies_with_container else {}
        yield "the provider's own limit is over", replace(world, time=Time.PAST_TTL, **dead)  # type: ignore[arg-type]


# What must always hold


def _wrong(world: World) -> Iterator[str]:
    if world.credential and world.grant in GRANT_TERMINAL:
        yield "a credential is usable and nobody is responsible for it"
    if world.credential and not world.intent:
        yield "a credential is usable and no intent of it was written down"
    if world.held and not world.lease:
        yield "somebody holds a credential that is not in the audit log"


def check(rules: Rules) -> Verdict:
    """Every state that can be reached."""
    return search(World(), lambda world: moves(world, rules), _wrong, _is_over, _left_an_end)


def _left_an_end(before: World, after: World) -> bool:
    return before.grant in GRANT_TERMINAL and after.grant is not before.grant


def _is_over(world: World) -> bool:
    return world.grant in GRANT_TERMINAL and not world.credential


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.proving.model", description=__doc__)
    parser.add_argument("--broken", choices=[*BROKEN, *ends.BROKEN, "all"], help="leave out one rule of the design")
    chosen = parser.parse_args(arguments).broken
    designs = [("the design", check(Rules())), ("ends by several, and from memory", ends.check(ends.Rules()))]
    broken = [(name, verdict) for name, verdict in _left_out() if chosen in (name, "all")]
    for name, found in (*designs, *broken):
        _tell(name, found)
    holds = not any(found.is_broken for _, found in designs)
    return 0 if holds and all(found.is_broken for _, found in broken) else 1


def _left_out() -> Iterator[tuple[str, Verdict]]:
    yield from ((name, check(rules)) for name, rules in BROKEN.items())
    yield from ((name, ends.check(rules)) for name, rules in ends.BROKEN.items())


def _tell(name: str, verdict: Verdict) -> None:
    counts = f"{verdict.states} states, {len(verdict.violations)} violations, {verdict.hopeless} without a way out"
    sys.stdout.write(f"{name}: {counts}\n")
    for wrong, way in verdict.violations.items():
        sys.stdout.write(f"  {wrong}: {' · '.join(way)}\n")


if __name__ == "__main__":
    sys.exit(main())
