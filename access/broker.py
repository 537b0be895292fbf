"""The one flow, first half: ask, decide, say something. Enough yes opens a grant (`access.granting.grants`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from access.duration import in_words
from access.ending.endings import Endings
from access.errors import NotFound, Refused, Stale, TooLate
from access.events import CommentMade
from access.evidence.knowing import Knowing
from access.evidence.pace import Pace
from access.evidence.ticketing import Ticketing
from access.granting.grants import Grants
from access.granting.reviews import Reviews
from access.model import Ask, Grant, Person, Request, RequestState
from access.policy import Facts, Policy, Rule, Verdict
from access.ports import Change, Clock, People, PolicySource, Store
from access.requesting.asking import Asking
from access.requesting.calling import Calling
from access.requesting.deciding import Deciding, Yes, must_be_a_reason
from access.requesting.extending import More, ask_for_more
from access.requesting.glass import Glass

_RACES = 20  # a lost race is judged again on what the winner left behind; more than this is a fault
_MOST_COMMENTS = 30  # of one person within an hour, so that nobody can fill the audit log
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Broker:
    """Every face comes through here; nobody else moves a request."""

    store: Store
    people: People
    policies: PolicySource
    clock: Clock
    grants: Grants
    endings: Endings
    pace: Pace = field(default_factory=Pace, repr=False)
    talk: Pace = field(default_factory=Pace, repr=False)
    refusals: Pace = field(default_factory=Pace, repr=False)

    @property
    def glass(self) -> Glass:
        """Access without approval."""
        return Glass(self.grants, self.pace)

    @property
    def reviews(self) -> Reviews:
        """Looking back at what was done with access."""
        return Reviews(self.grants.custody, self.refusals)

    # Asking

    async def ask(self, ask: Ask) -> Request:
        """Create the request, once per `ask.key`; where nobody needs to decide, its grant is opened at once.

        Raises Refused (with `field`), after writing the refusal down.
        """
        asking = Asking(self.store, self.people, self.policies, self.clock, self.pace, self.knowing, self.tickets)
        request = await asking.ask(ask)
        if request.approvals_needed or request.state is not RequestState.PENDING:
            return request
        return await self._opened(lambda: self._deciding.let_in(request))

    async def extend(self, number: int, by: Person, more: More) -> Request:
        """Ask to prolong one's own grant: a request of its own. Raises NotFound, Refused (with `field`)."""
        return await self.ask(await ask_for_more(self.store, number, by, more))

    # Deciding

    async def approve(self, request_id: str, by: Person, digest: str, shorter: timedelta | None = None) -> Request:
        """Count a yes; the last one needed opens the grant. `digest` is what the approver was shown.

        `shorter`: the most that they allow, less than was asked for. Raises NotFound, TooLate, Refused, BadInput.
        """
        yes = Yes(request_id, digest, shorter)
        return await self._opened(lambda: self._deciding.vote(yes, by))

    async def deny(self, request_id: str, by: Person, reason: str) -> Request:
        """One entitled no is final. Raises NotFound, TooLate, Refused (a no needs its reason)."""
        must_be_a_reason(reason, "Say why, so that the requester knows what to do next.")
        return await self._settle(lambda: self._deciding.deny(request_id, by, reason))

    async def cancel(self, number: int, by: Person) -> Request:
        """The requester (or an admin) takes a pending request back. Raises NotFound, TooLate."""
        return await self._settle(lambda: self._deciding.cancel(number, by))

    async def end(self, number: int, by: Person) -> Request | Grant:
        """`end PA-7`: hand a grant back, or take a request back that is still waiting."""
        request = await self.store.request(number)
        if request is not None and request.state is RequestState.PENDING:
            return await self.cancel(number, by)
        return await self.endings.end(number, by)

    async def look(self, number: int) -> None:
        """Call people to a request that is due, or close it undecided. Harmless when it has moved on."""
        await Calling(self.store, self.people, self.policies, self.clock, self.knowing).look(number)

    async def _opened(self, act: Callable[[], Awaitable[tuple[Request, Grant | None]]]) -> Request:
        request, grant = await self._settle(act)
        if grant is not None:
            await self.grants.open(grant.number)
        return request

    async def _settle(self, act: Callable[[], Awaitable[_Result]]) -> _Result:
        for _ in range(_RACES):
            try:
                return await act()
            except Stale:
                continue
        raise TooLate("Too much is happening to this request at once. Look at it again.")

    # Saying and seeing

    async def comment(self, number: int, by: Person, text: str, key: str = "") -> Request:
        """Whoever may see a request may say something about it. Raises NotFound, Refused.

        That a `key` is not known yet is for the caller to see to.
        """
        must_be_a_reason(text, "Write what you want to say.", "text")
        request, _ = await self.see(number, by)
        now = self.clock.now()
        if self.talk.refused(by.id, now) >= _MOST_COMMENTS:
            raise Refused(f"You have commented {_MOST_COMMENTS} times within an hour. Wait a while.", field="text")
        self.talk.note(by.id, now)
        await self.store.commit(Change(events=(CommentMade(at=now, ref=request.ref, by=by, text=text, key=key),)))
        return request

    async def see(self, number: int, by: Person) -> tuple[Request, Grant | None]:
        """A request and its grant, for its requester, its approvers and admins. Raises NotFound."""
        request = await self.store.request(number)
        policy = self.policies.current()
        if request is None or not (
            by.id == request.requester.id or policy.is_admin(by) or (await self._judge(request, by)).allowed
        ):
            raise NotFound("There is no such request that you may see.")
        return request, await self.store.grant(number)

    async def facts(self, policy: Policy, target: str = "", role: str = "", *, fresh: bool = False) -> Facts:
        """What a judgment on this role, or on all of them, has to know. Only `fresh` ones give access."""
        return await self.knowing.facts(policy.look_ups(target, role), fresh=fresh)

    async def _judge(self, request: Request, by: Person) -> Verdict:
        policy = self.policies.current()
        return policy.judge_decision(request, by, await self.facts(policy, request.target, request.role))

    async def entitled(self, request: Request, by: Person, act: str) -> tuple[Policy, Person, Rule, Facts]:
        """Whoever may decide a request, now, and by what; `act` is what they want to do. Raises Refused, NotFound."""
        return await self._deciding.entitled(request, by, act)

    # What its parts share

    @property
    def knowing(self) -> Knowing:
        return self.grants.custody.knowing

    @property
    def tickets(self) -> Ticketing:
        return self.grants.custody.tickets

    @property
    def _deciding(self) -> Deciding:
        return Deciding(
            self.store, self.people, self.policies, self.clock, self.knowing, self.tickets, self.refusals
        )  # fmt: skip


def explain_offer(rule: Rule, deciders: tuple[str, ...]) -> str:
    """`needs 1 of 2 (ada, grace), up to 4 hours`: what will happen when this is asked for."""
    if not rule.approvals:
        return f"approved at once, up to {in_words(rule.maximum)}"
    who = ", ".join(deciders[:4]) + ("…" if len(deciders) > 4 else "")
    simple = len(rule.parts) == 1 and len(deciders) >= rule.approvals
    needs = f"{rule.approvals} of {len(deciders)} ({who})" if simple else rule.approval()
    return f"needs {needs}, up to {in_words(rule.maximum)}"
