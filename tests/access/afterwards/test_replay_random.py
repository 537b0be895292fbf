"""Whatever happens, in whatever order, while time runs on and groups change: the log alone gives the same decisions."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from access.afterwards.replay import replay
from access.errors import AccessError
from access.model import Person
from access.requesting.extending import More
from tests.access.evidence.test_looked import ON_CALL, SRE, Kept
from tests.people import ADA, GRACE, LINUS, MARGARET, ManualClock
from tests.tickets.desk import Desk
from tests.world import World

PEOPLE = (ADA, GRACE, LINUS, MARGARET)
GROUPS = ("U0ADA", "U0ADA2", "U0GRACE", "U0LINUS", "U0MARGARET", "U0NOBODY")
TEXT = """
version: 1
people: {ada: [U0ADA, U0ADA2], grace: U0GRACE, linus: U0LINUS, margaret: {slack: U0MARGARET, pagerduty: PMARGARET}}
groups: {engineers: [ada, grace, linus], sre: {slack: S0SRE}, both: [sre, grace]}
on_call: {orders: {pagerduty: PI7DH85}}
hours:
  early: {days: [mon-sun], from: "14:00", to: "14:20", zone: UTC}
  late: {days: [mon-sun], from: "14:30", to: "14:50", zone: UTC}
freezes:
  - name: sale
    from: "2026-11-23T14:55:00+00:00"
    to: "2026-11-23T15:10:00+00:00"
    targets: all
    except: [on_call.orders]
    why: The sale.
deny:
  - {who: [sre], targets: [orders-db], roles: [shell], hours: late, why: Not now.}
pending_for: 30m
limits: {pending: 3, per_hour: 30}
targets:
  orders-db:
    roles:
      shell: {provider: memory, who: [both], max: 1h, approve: {by: both}, ticket: {required: no}}
      two:
        provider: memory
        who: [engineers]
        max: 1h
        total: 2h
        approve: {any: [{by: sre, count: 2}, {stages: [{by: ada}, {by: on_call.orders}]}]}
        ticket: {system: jira, projects: [OPS]}
      late:
        provider: memory
        who: [engineers]
        max: 1h
        clock: first_use
        use_within: 20m
        approve: {stages: [{by: sre}, {by: on_call.orders, after: 5m}]}
        ticket: {required: no}
      quick:
        provider: memory
        rules:
          - {who: [sre], max: 30m, total: 1h, approve: nobody, hours: early, ticket: {required: no, system: jira}}
          - {who: [sre, engineers], max: 2h, approve: {by: on_call.orders}, ticket: {required: no}}
"""


class RunningClock(ManualClock):
    """Each look at it costs a moment, so that what is judged at one time and written at another shows."""

    def now(self) -> datetime:
        self.time += timedelta(milliseconds=400)
        return self.time


class Place(World):
    """A world with everything that a decision can rest on."""

    groups: Kept
    desk: Desk

    def _build(self) -> None:
        if not isinstance(self.clock, RunningClock):
            self.clock = self.groups.clock = self.desk.clock = RunningClock()
        super()._build()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    Place.groups, Place.desk = Kept(), Desk()
    Place.tickets = {"jira": Place.desk}
    made = Place(tmp_path, TEXT)
    yield made
    made.close()


class Play:
    """Acts drawn at random."""

    def __init__(self, place: Place, seed: int) -> None:
        self.place, self.draw = place, random.Random(seed)
        self.numbers = 0

    async def act(self) -> None:
        deeds = {
            self.ask: 4, self.approve: 10, self.deny: 1, self.collect: 6, self.extend: 4, self.regroup: 2,
            self.hush: 1, self.close_ticket: 1, self.wait: 3, self.sweep: 2,
        }  # fmt: skip
        (deed,) = self.draw.choices(list(deeds), list(deeds.values()))
        with suppress(AccessError):
            await deed()

    def person(self) -> Person:
        return self.draw.choice(PEOPLE)

    def number(self) -> int:
        return self.draw.randint(max(1, self.numbers - 3), max(1, self.numbers))

    async def ask(self) -> None:
        role = self.draw.choice(("shell", "two", "late", "quick"))
        minutes = self.draw.choice((20, 30, 60, 90))
        ticket = self.draw.choice(("OPS-412", "OPS-7", "https://acme.atlassian.net/browse/OPS-412", ""))
        request = await self.place.asked(
            self.person(), role=role, ticket=ticket, duration=timedelta(minutes=minutes), key=f"k{self.draw.random()}"
        )
        self.numbers = max(self.numbers, request.number)

    async def approve(self) -> None:
        request = await self.place.store.request(self.number())
        shorter = self.draw.choice((None, None, timedelta(minutes=10)))
        if request is not None:
            await self.place.broker.approve(request.id, self.person(), request.digest, shorter)

    async def deny(self) -> None:
        request = await self.place.store.request(self.number())
        if request is not None and self.draw.random() < 0.3:
            await self.place.broker.deny(request.id, self.person(), "not today")

    async def collect(self) -> None:
        grant = await self.place.store.grant(self.number())
        if grant is not None:
            await self.place.grants.collect(grant.number, await self.place.device(grant.requester))

    async def extend(self) -> None:
        grant = await self.place.store.grant(self.number())
        if grant is not None:
            more = More(timedelta(minutes=self.draw.choice((5, 20, 60))), "it still runs", f"k{self.draw.random()}")
            request = await self.place.broker.extend(grant.number, grant.requester, more)
            self.numbers = max(self.numbers, request.number)

    async def regroup(self) -> None:
        group = self.draw.choice((SRE, ON_CALL))
        self.place.groups.of[group] = set(self.draw.sample(GROUPS, self.draw.randint(2, 6)))

    async def hush(self) -> None:
        self.place.groups.silent = self.draw.random() < 0.2
        self.place.desk.silent = self.draw.random() < 0.2
        for people in (self.place.people.gone, self.place.people.silent):
            people.clear()
            if self.draw.random() < 0.1:
                people.add(self.person().id)

    async def close_ticket(self) -> None:
        self.place.desk.states["OPS-412"] = self.draw.choice(("open", "open", "closed"))

    async def wait(self) -> None:
        self.place.clock.pass_by(seconds=self.draw.choice((1, 30, 120)))

    async def sweep(self) -> None:
        await self.place.sweep()
        await self.place.rights.check_all()


@pytest.mark.parametrize("seed", range(8))
async def test_what_happened_at_random_is_judged_the_same_again(place: Place, seed: int) -> None:
    play = Play(place, seed)
    for _ in range(250):
        await play.act()
    await place.tasks.drain(timeout=10)
    policy = place.policies.policy
    report = replay(await place.store.log.entries(-1, 10_000), {policy.hash: policy})
    assert [str(each) for each in report.differences] == []
    assert report.skipped == ()
    assert report.checked > 50
