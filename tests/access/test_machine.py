"""Random people, random faults, random crashes; the invariants hold after every step.

S1 every live credential belongs to a grant that is not ended. S2 none outlives its deadline by more than a minute.
S3 no grant without an approved request, no approver is the requester. S4 terminal states are never left.
S5 every state change has its audit entry, without gaps. S6 `due_at` is NULL exactly when terminal.
S7 no deadline beyond what the rule gives in all, counted from the first start.
L1 with time and an answering provider, everything ends.
R1 judged again out of the log, every decision is the same. R2 every intended credential was issued or aborted.

`SOAK=1` takes its time.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from access.afterwards.replay import replay
from access.errors import AccessError, Unavailable
from access.events import CredentialAborted, CredentialIntended, CredentialIssued, PolicyLoaded
from access.lifecycle import GRANT_TERMINAL, REQUEST_TERMINAL
from access.model import GrantState, Person, Request, RequestState
from access.ports import Change
from access.requesting.extending import More
from tests.people import ADA, GRACE, LINUS, MARGARET, POLICY, STRANGER
from tests.world import World, all_at_once

_Result = TypeVar("_Result")
POLICY_HERE = POLICY.replace(
    "        max: 1h\n", "        max: 1h\n        total: 2h\n        clock: first_use\n        use_within: 30m\n"
)
TOTAL = {"read": timedelta(hours=4), "write": timedelta(hours=2)}
PEOPLE = st.sampled_from([ADA, GRACE, LINUS, MARGARET, STRANGER])
NUMBERS = st.integers(1, 4)
EXAMPLES, STEPS = (2000, 60) if os.environ.get("SOAK") else (25, 25)


class Crash(BaseException):
    """The process is gone, in the middle of what it did."""


class Mortal(dict[str, Any]):
    """Rows of the far side. When told to, the process dies just before the next change of them, or just after it."""

    dies, died = "", False

    def __setitem__(self, key: str, value: Any) -> None:
        self._dies("before")
        super().__setitem__(key, value)
        self._dies("after")

    def __delitem__(self, key: str) -> None:
        self._dies("before")
        super().__delitem__(key)
        self._dies("after")

    def _dies(self, when: str) -> None:
        if self.dies == when:
            self.dies, self.died = "", True
            raise Crash


class Life(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.directory = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.world = World(self.directory, POLICY_HERE)
        self.world.far_side.accounts, self.world.far_side.containers = self.rows = Mortal(), Mortal()
        self.ended: dict[str, str] = {}
        loaded = PolicyLoaded(at=self.world.clock.now(), policy_hash=self.world.policies.policy.hash, rules=2)
        self.run(self.world.store.commit(Change(events=(loaded,))))

    def teardown(self) -> None:
        try:
            self.let_everything_end()
        finally:
            self.world.close()
            self.loop.close()
            shutil.rmtree(self.directory)

    def run(self, work: Awaitable[_Result]) -> _Result | None:
        async def tolerant() -> _Result | None:
            try:
                return await work
            except (AccessError, Crash):
                return None

        result = self.loop.run_until_complete(tolerant())
        if any(rows.died for rows in self.rows):
            for rows in self.rows:
                rows.died = False
            self.world.restart()
        return result

    def surely(self, look: Callable[[], Awaitable[_Result]]) -> _Result:
        """What the database says, however busy this machine is."""

        async def patient() -> _Result:
            while True:
                with suppress(Unavailable):
                    return await look()

        return self.loop.run_until_complete(patient())

    def a_request(self, number: int) -> Request | None:
        return self.surely(lambda: self.world.store.request(number))

    @rule(by=PEOPLE, role=st.sampled_from(["read", "write"]), minutes=st.sampled_from([5, 60, 300]))
    def asks(self, by: Person, role: str, minutes: int) -> None:
        self.run(self.world.asked(by, role=role, duration=timedelta(minutes=minutes)))

    @rule(number=NUMBERS, by=PEOPLE)
    def approves(self, number: int, by: Person) -> None:
        if request := self.a_request(number):
            self.run(self.world.broker.approve(request.id, by, request.digest))

    @rule(number=NUMBERS, by=PEOPLE, minutes=st.sampled_from([5, 60, 300]), key=st.uuids())
    def asks_for_more(self, number: int, by: Person, minutes: int, key: UUID) -> None:
        more = More(timedelta(minutes=minutes), "the import still runs", str(key))
        self.run(self.world.broker.extend(number, by, more))

    @rule(number=NUMBERS, by=PEOPLE)
    def denies(self, number: int, by: Person) -> None:
        if request := self.a_request(number):
            self.run(self.world.broker.deny(request.id, by, "no"))

    @rule(number=NUMBERS, by=PEOPLE)
    def takes_back(self, number: int, by: Person) -> None:
        self.run(self.world.broker.cancel(number, by))

    @rule(number=NUMBERS, one=PEOPLE, other=PEOPLE)
    def click_at_once(self, number: int, one: Person, other: Person) -> None:
        """Twice each, as impatient people do."""
        request, broker = self.a_request(number), self.world.broker
        if request is not None:
            approve, deny = broker.approve, broker.deny
            twice = [(approve(request.id, one, request.digest), deny(request.id, other, "no")) for _ in range(2)]
            taken_back = broker.cancel(number, request.requester)
            self.run(all_at_once(*(click for pair in twice for click in pair), taken_back))

    @rule(number=NUMBERS, by=PEOPLE)
    def ends(self, number: int, by: Person) -> None:
        self.run(self.world.broker.end(number, by))

    @rule(number=NUMBERS, by=PEOPLE)
    def collects(self, number: int, by: Person) -> None:
        device = self.run(self.world.device(by))
        if device is not None:
            self.run(self.world.grants.collect(number, device))

    @rule(person=PEOPLE)
    def leaves_or_returns(self, person: Person) -> None:
        self.world.people.gone ^= {person.id}

    @rule(fault=st.sampled_from(["silent_before", "silent_after", "stuck"]))
    def something_breaks(self, fault: str) -> None:
        setattr(self.world.provider.faults, fault, 1)

    @rule(rows=st.sampled_from([0, 1]), when=st.sampled_from(["before", "after"]))
    def will_be_killed_at_the_provider(self, rows: int, when: str) -> None:
        self.rows[rows].dies = when

    @rule()
    def is_killed_and_started_again(self) -> None:
        self.world.restart()

    @rule(seconds=st.sampled_from([1, 40, 1800, 4000]))
    def time_passes(self, seconds: int) -> None:
        self.world.clock.pass_by(seconds=seconds)
        self.run(self.world.sweep())

    @invariant()
    def everything_holds(self) -> None:
        store = self.world.store
        requests = {r.number: r for r in self.surely(lambda: store.requests_of(None))}
        grants = self.surely(lambda: store.grants_by_number(list(requests)))
        for number, grant in grants.items():
            request = requests[number]
            assert request.state is RequestState.APPROVED  # S3
            assert all(vote.by.id != request.requester.id for vote in request.votes)
            assert len({vote.by.id for vote in request.votes}) >= request.approvals_needed
            assert (grant.due_at is None) == (grant.state in GRANT_TERMINAL)  # S6
            waits = timedelta(minutes=30) if grant.started_at is None else TOTAL[grant.role]  # S7
            assert grant.expires_at - (grant.started_at or grant.created_at) <= waits
            assert grant.due_at is None or grant.state is not GrantState.ACTIVE or grant.due_at <= grant.expires_at
            self.never_left(f"grant {number}", grant.state, grant.state in GRANT_TERMINAL)
        for number, request in requests.items():
            assert (request.due_at is None) == (request.state in REQUEST_TERMINAL)
            self.never_left(f"request {number}", request.state, request.state in REQUEST_TERMINAL)
        for number in self.world.provider.live().values():  # S1, S2
            assert grants[number].state not in GRANT_TERMINAL
            assert self.world.clock.now() <= grants[number].expires_at + timedelta(seconds=60)
        self.the_log_is_whole(requests, len(grants))

    def never_left(self, what: str, state: str, terminal: bool) -> None:
        if what in self.ended:
            assert self.ended[what] == state  # S4
        elif terminal:
            self.ended[what] = state

    def the_log_is_whole(self, requests: dict[int, Request], grants: int) -> None:
        entries = self.surely(lambda: self.world.store.log.entries(-1, 100_000))
        assert [entry.seq for entry in entries] == list(range(len(entries)))
        tags = [(entry.event.ref, entry.event.TAG) for entry in entries]
        for request in requests.values():
            wanted = {"denied", "cancelled", "expired", "approved"} & {request.state.value}
            assert all((request.ref, f"request.{state}") in tags for state in wanted)
        prolonging = sum(r.extends is not None and r.state is RequestState.APPROVED for r in requests.values())
        assert sum(tag == "request.approved" for _, tag in tags) == grants + prolonging
        assert sum(tag == "grant.extended" for _, tag in tags) == prolonging
        assert sum(tag == "grant.ended" for _, tag in tags) == sum(s == "revoked" for s in self.ended.values())

    def let_everything_end(self) -> None:  # L1
        self.world.provider.faults.silent_before = self.world.provider.faults.silent_after = 0
        self.world.provider.faults.stuck = 0
        for rows in self.rows:
            rows.dies = ""
        for _ in range(8 * 5):  # a busy machine does not get everything done at each
            self.world.clock.pass_by(hours=2)
            self.surely(self.world.sweep)
            counts = self.surely(self.world.store.grants_by_state)
            if self.surely(self.world.store.next_due) is None:
                break
        assert all(counts[state] == 0 for state in GrantState if state not in GRANT_TERMINAL)
        assert not self.world.provider.live()
        assert self.surely(self.world.store.next_due) is None
        self.surely(self.world.reaper.reap)
        entries = self.surely(lambda: self.world.store.log.entries(-1, 100_000))
        assert not replay(entries, {self.world.policies.policy.hash: self.world.policies.policy}).differences  # R1
        ends = {(e.ref, e.n) for e in (x.event for x in entries) if isinstance(e, CredentialIssued | CredentialAborted)}
        assert ends >= {(x.event.ref, x.event.n) for x in entries if isinstance(x.event, CredentialIntended)}  # R2


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=EXAMPLES, stateful_step_count=STEPS, deadline=None, suppress_health_check=list(HealthCheck)
)
