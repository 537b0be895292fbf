"""The one flow, first half: ask, decide, cancel. A yes that is enough opens a grant (`access.grants`)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from access.asking import Asking
from access.duration import in_words
from access.endings import Endings
from access.errors import AccessError, NotFound, Refused, Stale, TooLate
from access.events import (
    ActRefused,
    ApprovalGiven,
    Event,
    RequestApproved,
    RequestCancelled,
    RequestDenied,
    RequestExpired,
)
from access.grants import Grants
from access.knowing import Knowing
from access.lifecycle import REQUEST, RequestStep, step
from access.making import as_ask, new_grant
from access.model import Ask, Grant, Person, Request, RequestState, Vote
from access.pace import Pace
from access.policy import LONGEST_REASON, Facts, Policy, Rule, Standing, Verdict
from access.ports import Change, Clock, Memberships, People, PolicySource, Store
from access.tasks import meanwhile

_RACES = 20  # a lost race is judged again on what the winner left behind; more than this is a fault
_LEAST_DIGEST = 8  # digits: fewer could be guessed
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
    memberships: Memberships | None = None

    # Asking

    async def ask(self, ask: Ask) -> Request:
        """Create the request, once per `ask.key`; where nobody needs to decide, its grant is opened at once.

        Raises Refused (with `field`), after writing the refusal down.
        """
        asking = Asking(self.store, self.people, self.policies, self.clock, self.pace, self.memberships)
        request = await asking.ask(ask)
        if request.approvals_needed or request.state is not RequestState.PENDING:
            return request
        request, grant = await self._settle(lambda: self._let_in(request))
        if grant is not None:
            await self.grants.open(grant.number)
        return request

    async def _let_in(self, asked: Request) -> tuple[Request, Grant | None]:
        """Nobody needs to decide; unless the policy has changed since, and then it waits like any other."""
        request = await self.store.request_by_id(asked.id) or asked
        policy = self.policies.current()
        facts = await self._facts(policy, request)
        rule, wanted = policy.rule_for(request, facts), policy.judge_ask(as_ask(request, request.requester), facts)
        if request.state is not RequestState.PENDING or rule is None or not wanted.allowed:
            return request, None
        if not policy.standing(request, (), facts).met:
            return request, None
        now = facts.now or self.clock.now()
        moved = replace(request, state=step(REQUEST, request.state, RequestStep.APPROVE), decided_at=now, due_at=None)
        grant = new_grant(request, rule, now)
        approved = RequestApproved(
            at=now, ref=request.ref, approvers=(), provider=rule.provider, expires_at=grant.expires_at
        )
        await self.store.commit(Change(requests=(moved,), grants=(grant,), events=(approved,)))
        return moved, grant

    # Deciding

    async def approve(self, request_id: str, by: Person, digest: str) -> Request:
        """Count a yes; the last one needed opens the grant. `digest` is what the approver was shown.

        Raises NotFound, TooLate, Refused.
        """
        request, grant = await self._settle(lambda: self._vote(request_id, by, digest))
        if grant is not None:
            await self.grants.open(grant.number)
        return request

    async def _vote(self, request_id: str, by: Person, digest: str) -> tuple[Request, Grant | None]:
        request = await self._pending(request_id, by, "approve")
        if len(digest) < _LEAST_DIGEST or not request.digest.startswith(digest):
            raise await self._no(
                request,
                by,
                "approve",
                TooLate("This card no longer shows what was asked. Open the request again."),
            )
        policy, by, facts, earlier = await self._who_counts(request, by)
        if any(policy.same_person(vote.by, by) for vote in request.votes):
            raise TooLate("You have already approved this; it waits for somebody else.")
        rule = _must(policy.rule_for(request, facts))
        vote = Vote(request.id, by, facts.now or self.clock.now(), rule.name)
        standing = policy.standing(request, (*earlier, vote), facts)
        if by not in standing.counted and not standing.met:
            raise TooLate("Enough of those whom you count among have approved; it waits for others.")
        given = ApprovalGiven(
            at=vote.at, ref=request.ref, by=by, policy_hash=policy.hash, rule=rule.name, digest=request.digest,
            count=standing.count, needed=standing.needed, counted=tuple(person.id for person in standing.counted),
            own_request=policy.same_person(by, request.requester),
        )  # fmt: skip
        voted = replace(request, votes=(*request.votes, vote))
        if not standing.met:
            moved = replace(voted, state=step(REQUEST, request.state, RequestStep.VOTE))
            await self.store.commit(Change(requests=(moved,), votes=(vote,), events=(given,)))
            return moved, None
        return await self._open(voted, rule, standing, given)

    async def _who_counts(self, request: Request, by: Person) -> tuple[Policy, Person, Facts, tuple[Vote, ...]]:
        """The policy, the approver and the world as they are now, and the votes of those who may still act."""
        async with (  # three questions, one wait
            meanwhile(self.people.check(request.requester)) as requester,
            meanwhile(self._still_here(request.votes)) as earlier,
        ):
            policy, by, _, facts = await self._entitled(request, by, "approve")
            await self._still_wanted(request, (policy, facts), by, requester)
            return policy, by, facts, await earlier

    async def _still_here(self, votes: tuple[Vote, ...]) -> tuple[Vote, ...]:
        """Those whose voter may act at all today, each with its voter as they are now. Raises Unavailable."""

        async def today(vote: Vote) -> Vote | None:
            try:
                return replace(vote, by=await self.people.check(vote.by))
            except Refused:
                return None

        return tuple(vote for vote in await asyncio.gather(*map(today, votes)) if vote is not None)

    async def _open(
        self, voted: Request, rule: Rule, standing: Standing, given: ApprovalGiven
    ) -> tuple[Request, Grant]:
        vote = voted.votes[-1]
        moved = replace(
            voted,
            state=step(REQUEST, voted.state, RequestStep.APPROVE),
            decided_by=vote.by,
            decided_at=vote.at,
            due_at=None,
        )
        grant = new_grant(voted, rule, vote.at)
        approved = RequestApproved(
            at=vote.at, ref=voted.ref, by=vote.by, approvers=tuple(person.id for person in standing.counted),
            provider=rule.provider, expires_at=grant.expires_at,
        )  # fmt: skip
        await self.store.commit(Change(requests=(moved,), grants=(grant,), votes=(vote,), events=(given, approved)))
        return moved, grant

    async def deny(self, request_id: str, by: Person, reason: str) -> Request:
        """One entitled no is final. Raises NotFound, TooLate, Refused (a no needs its reason)."""
        if not reason.strip():
            raise Refused("Say why, so that the requester knows what to do next.", field="reason")
        if len(reason) > LONGEST_REASON:
            raise Refused(f"Keep the reason under {LONGEST_REASON} characters.", field="reason")

        async def deny() -> Request:
            request = await self._pending(request_id, by, "deny")
            policy, person, rule, facts = await self._entitled(request, by, "deny")
            now = facts.now or self.clock.now()
            event = RequestDenied(
                at=now, ref=request.ref, by=person, reason=reason, rule=rule.name, policy_hash=policy.hash
            )
            return await self._close(request, RequestStep.DENY, event, reason)

        return await self._settle(deny)

    async def cancel(self, number: int, by: Person) -> Request:
        """The requester (or an admin) takes a pending request back."""

        async def cancel() -> Request:
            request = await self.store.request(number)
            if request is None or not (by.id == request.requester.id or self.policies.current().is_admin(by)):
                raise NotFound("There is no such request of yours.")
            _must_be_pending(request)
            event = RequestCancelled(at=self.clock.now(), ref=request.ref, by=by)
            return await self._close(request, RequestStep.CANCEL, event)

        return await self._settle(cancel)

    async def end(self, number: int, by: Person) -> Request | Grant:
        """`end PA-7`: hand a grant back, or take a request back that is still waiting."""
        request = await self.store.request(number)
        if request is not None and request.state is RequestState.PENDING:
            return await self.cancel(number, by)
        return await self.endings.end(number, by)

    async def lapse(self, number: int) -> None:
        """Close a request that nobody decided in time. Harmless when it has moved on."""
        request = await self.store.request(number)
        now = self.clock.now()
        if request is None or request.due_at is None or request.due_at > now:
            return
        try:
            await self._close(request, RequestStep.TIME_OUT, RequestExpired(at=now, ref=request.ref))
        except Stale:
            return

    # Seeing

    async def see(self, number: int, by: Person) -> tuple[Request, Grant | None]:
        """A request and its grant, for its requester, its approvers and admins. Raises NotFound."""
        request = await self.store.request(number)
        policy = self.policies.current()
        if request is None or not (
            by.id == request.requester.id or policy.is_admin(by) or (await self._judge(request, by)).allowed
        ):
            raise NotFound("There is no such request that you may see.")
        return request, await self.store.grant(number)

    # Steps they share

    async def _settle(self, act: Callable[[], Awaitable[_Result]]) -> _Result:
        for _ in range(_RACES):
            try:
                return await act()
            except Stale:
                continue
        raise TooLate("Too much is happening to this request at once. Look at it again.")

    async def _pending(self, request_id: str, by: Person, act: str) -> Request:
        request = await self.store.request_by_id(request_id)
        if request is None:
            raise NotFound("This request does not exist here.")
        try:
            _must_be_pending(request)
            _must_not_have_lapsed(request, self.clock.now())
        except TooLate as error:
            raise await self._no(request, by, act, error) from None
        return request

    async def _facts(self, policy: Policy, request: Request, *, fresh: bool = False) -> Facts:
        look_ups = policy.look_ups(request.target, request.role)
        return await Knowing(self.clock, self.memberships).facts(look_ups, fresh=fresh)

    async def _judge(self, request: Request, by: Person) -> Verdict:
        policy = self.policies.current()
        return policy.judge_decision(request, by, await self._facts(policy, request))

    async def _entitled(self, request: Request, by: Person, act: str) -> tuple[Policy, Person, Rule, Facts]:
        person = await self.people.check(by)
        policy = self.policies.current()
        facts = await self._facts(policy, request, fresh=True)
        verdict, rule = policy.judge_decision(request, person, facts), policy.rule_for(request, facts)
        if not verdict.allowed or rule is None:
            raise await self._no(request, person, act, Refused(verdict.why, rule=verdict.rule), policy)
        return policy, person, rule, facts

    async def _still_wanted(
        self, request: Request, judge: tuple[Policy, Facts], by: Person, checking: Awaitable[Person]
    ) -> None:
        requester, (policy, facts) = await checking, judge
        verdict = policy.judge_ask(as_ask(request, requester), facts)
        if not verdict.allowed:
            why = f"{requester.name} may no longer have this: {verdict.why}"
            raise await self._no(request, by, "approve", Refused(why, rule=verdict.rule), policy)

    async def _close(self, request: Request, what: RequestStep, event: Event, note: str = "") -> Request:
        moved = replace(
            request,
            state=step(REQUEST, request.state, what),
            decided_by=event.by,
            decided_at=event.at,
            due_at=None,
            note=note,
        )
        await self.store.commit(Change(requests=(moved,), events=(event,)))
        return moved

    async def _no(
        self, request: Request, by: Person, act: str, error: AccessError, policy: Policy | None = None
    ) -> AccessError:
        """`policy` where it is what says no."""
        event = ActRefused(
            at=self.clock.now(), ref=request.ref, by=by, act=act, why=str(error),
            policy_hash=policy.hash if policy else "", rule=error.rule if isinstance(error, Refused) else "",
        )  # fmt: skip
        await self._write_down(event)
        return error

    async def _write_down(self, event: Event) -> None:
        await self.store.commit(Change(events=(event,)))


def _must_be_pending(request: Request) -> None:
    if request.state is RequestState.PENDING:
        return
    by = f" by {request.decided_by.name}" if request.decided_by else ""
    raise TooLate(f"{request.ref} is already {request.state}{by}.")


def _must_not_have_lapsed(request: Request, now: datetime) -> None:
    """The sweep may not have come by yet, after a standstill for instance."""
    if request.due_at is not None and request.due_at <= now:
        raise TooLate(f"{request.ref} has lapsed: nobody decided in time.")


def _must(rule: Rule | None) -> Rule:
    assert rule is not None  # whoever was entitled was so by a rule
    return rule


def explain_offer(rule: Rule, deciders: tuple[str, ...]) -> str:
    """`needs 1 of 2 (ada, grace), up to 4 hours`: what will happen when this is asked for."""
    who = ", ".join(deciders[:4]) + ("…" if len(deciders) > 4 else "")
    simple = len(rule.parts) == 1 and len(deciders) >= rule.approvals
    needs = f"{rule.approvals} of {len(deciders)} ({who})" if simple else rule.approval()
    return f"needs {needs}, up to {in_words(rule.maximum)}"
