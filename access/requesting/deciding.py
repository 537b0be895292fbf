"""Deciding: approve, deny, take back. Each reads, judges on fresh facts and moves once; `Stale` starts it again."""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from access.duration import in_words
from access.errors import AccessError, BadInput, NotFound, Refused, TooLate
from access.events import (
    ActRefused,
    ApprovalGiven,
    Event,
    RequestApproved,
    RequestCancelled,
    RequestDenied,
)
from access.evidence.knowing import Knowing
from access.evidence.looked import lines
from access.evidence.pace import Pace
from access.evidence.ticketing import Said, Ticketing
from access.evidence.voters import still_here
from access.granting.reviews import held_up
from access.lifecycle import REQUEST, RequestStep, step
from access.model import Grant, Person, Request, RequestState, Vote
from access.policy import LONGEST_REASON, NOTHING_KNOWN, Facts, Policy, Rule, Standing
from access.ports import Change, Clock, People, PolicySource, Store
from access.requesting.calling import called_after
from access.requesting.extending import Outcome, close_extension, grant_of, is_over, judge_ask, outcome_of
from access.requesting.making import as_ask
from access.requesting.progress import stages
from access.tasks import meanwhile

log = logging.getLogger(__name__)

JUST_ASKED = timedelta(seconds=1)
_LEAST_DIGEST = 8  # digits: fewer could be guessed


@dataclass(frozen=True, slots=True)
class Yes:
    """What somebody presses: `digest` is what they were shown, `shorter` the most that they allow."""

    request_id: str
    digest: str
    shorter: timedelta | None = None


@dataclass(frozen=True)
class Deciding:
    """`access.broker.Broker`'s decisions, in their steps. A grant is returned where one has to be opened now."""

    store: Store
    people: People
    policies: PolicySource
    clock: Clock
    knowing: Knowing
    tickets: Ticketing
    refusals: Pace = field(default_factory=Pace, repr=False)

    # Yes

    async def let_in(self, asked: Request) -> tuple[Request, Grant | None]:
        """Nobody needs to decide; unless the policy has changed since, and then it waits like any other."""
        request, now = await self.store.request_by_id(asked.id) or asked, self.clock.now()
        if request.state is not RequestState.PENDING or request.lapses_at <= now:
            return request, None
        just_asked = now - request.created_at < JUST_ASKED  # and then the asking has asked for all of this
        if not just_asked:
            await self._may_still_ask(request)
        async with meanwhile(self._ticket_of(request, fresh=not just_asked)) as ticket:
            policy, facts = await self._known(request, fresh=True)
            said = await ticket
        prolongs = await grant_of(self.store, request.extends)
        if request.extends and is_over(prolongs, self.clock.now()):
            return await close_extension(self.store, request, self.clock.now()), None
        ask, rule = as_ask(request, request.requester), policy.rule_for(request, facts)
        wanted = judge_ask(policy, ask, facts, prolongs)
        if rule is None or not wanted.allowed:
            return request, None
        if not policy.standing(request, (), facts).met:
            return request, None
        said.must_do(rule, request.ticket)
        outcome = await outcome_of(self.store, request, (policy, rule), facts.now or self.clock.now())
        approved = replace(_approved(request, outcome, facts), policy_hash=policy.hash, rule=rule.name)
        moved = _decided(request, RequestStep.APPROVE, approved)
        events = (approved, *outcome.events)
        await self._commit(Change(requests=(moved,), grants=(outcome.grant,), events=events), facts)
        return moved, outcome.to_open

    async def _may_still_ask(self, request: Request) -> None:
        """The same ask, once more: whoever could ask then may have left since, or be held up. Raises Refused."""
        requester = await self.people.check(request.requester)
        if held := await held_up(self.store, self.policies, self.knowing, requester):
            raise Refused(held.why)

    async def vote(self, yes: Yes, by: Person) -> tuple[Request, Grant | None]:
        """Count a yes. Raises NotFound, TooLate, Refused, BadInput."""
        request = await self._pending(yes.request_id, by, "approve")
        if len(yes.digest) < _LEAST_DIGEST or not request.digest.startswith(yes.digest):
            altered = TooLate("This card no longer shows what was asked. Open the request again.")
            raise await self._no(request, by, "approve", altered)
        _must_be_shorter(yes.shorter, request)
        policy, by, facts, earlier, said = await self._who_counts(request, by)
        if any(policy.same_person(vote.by, by) for vote in request.votes):
            raise TooLate("You have already approved this; it waits for somebody else.")
        rule = _must(policy.rule_for(request, facts))
        snapshot = await self._ticket_does(request, by, rule, said)
        vote = Vote(request.id, by, facts.now or self.clock.now(), rule.name, yes.shorter)
        standing = policy.standing(request, (*earlier, vote), facts)
        if by not in standing.counted and not standing.met:
            raise TooLate("Enough of those whom you count among have approved; it waits for others.")
        given = replace(_given(request, vote, policy, standing), snapshot=snapshot, looked=lines(facts))
        voted = replace(request, votes=(*request.votes, vote))
        settle = self._open if standing.met else self._wait
        return await settle(voted, (policy, facts), standing, given)

    async def _wait(
        self, voted: Request, judge: tuple[Policy, Facts], standing: Standing, given: ApprovalGiven
    ) -> tuple[Request, None]:
        """One of several that are needed; those whose turn it is now are asked."""
        policy, facts = judge
        given = replace(given, stages=stages(policy, voted, standing, facts))
        called, events = called_after(voted, policy, standing, given.at)
        moved = replace(called, state=step(REQUEST, called.state, RequestStep.VOTE))
        await self._commit(Change(requests=(moved,), votes=voted.votes[-1:], events=(given, *events)), facts)
        return moved, None

    async def _open(
        self, voted: Request, judge: tuple[Policy, Facts], standing: Standing, given: ApprovalGiven
    ) -> tuple[Request, Grant | None]:
        """The one that was still missing."""
        policy, facts = judge
        outcome = await outcome_of(self.store, voted, (policy, _must(policy.rule_for(voted, facts))), given.at)
        counted = tuple(person.id for person in standing.counted)
        approved = replace(_approved(voted, outcome, facts), by=given.by, approvers=counted)
        moved = _decided(voted, RequestStep.APPROVE, approved)
        events = (given, approved, *outcome.events)
        change = Change(requests=(moved,), grants=(outcome.grant,), votes=voted.votes[-1:], events=events)
        await self._commit(change, facts)
        return moved, outcome.to_open

    async def _who_counts(self, request: Request, by: Person) -> tuple[Policy, Person, Facts, tuple[Vote, ...], Said]:
        """The policy, the approver and the world as they are now, the votes of those who may still act, the ticket."""
        async with (  # four questions, one wait
            meanwhile(self.people.check(request.requester)) as requester,
            meanwhile(still_here(self.people, request.votes)) as earlier,
            meanwhile(self._ticket_of(request)) as ticket,
        ):
            policy, by, _, facts = await self.entitled(request, by, "approve")
            await self._still_wanted(request, (policy, facts), by, requester)
            return policy, by, facts, await earlier, await ticket

    async def _ticket_of(self, request: Request, *, fresh: bool = True) -> Said:
        rules = self.policies.current().rules_of(request.target, request.role)
        return await self.tickets.look(rules, request.ticket, request.requester, fresh=fresh)

    async def _ticket_does(self, request: Request, by: Person, rule: Rule, said: Said) -> str:
        """The ticket's snapshot. Raises Refused, TicketSystemSilent."""
        try:
            return said.must_do(rule, request.ticket)
        except Refused as error:
            raise await self._no(request, by, "approve", error) from None

    # No

    async def deny(self, request_id: str, by: Person, reason: str) -> Request:
        """One entitled no is final. Raises NotFound, TooLate, Refused."""
        request = await self._pending(request_id, by, "deny")
        policy, person, rule, facts = await self.entitled(request, by, "deny")
        now = facts.now or self.clock.now()
        event = RequestDenied(
            at=now, ref=request.ref, by=person, reason=reason, rule=rule.name, policy_hash=policy.hash,
            looked=lines(facts),
        )  # fmt: skip
        denied = replace(_decided(request, RequestStep.DENY, event), note=reason)
        await self._commit(Change(requests=(denied,), events=(event,)), facts)
        return denied

    async def cancel(self, number: int, by: Person) -> Request:
        """The requester (or an admin) takes a pending request back. Raises NotFound, TooLate."""
        request = await self.store.request(number)
        if request is None or not (by.id == request.requester.id or self.policies.current().is_admin(by)):
            raise NotFound("There is no such request of yours.")
        _must_be_pending(request)
        event = RequestCancelled(at=self.clock.now(), ref=request.ref, by=by)
        cancelled = _decided(request, RequestStep.CANCEL, event)
        await self.store.commit(Change(requests=(cancelled,), events=(event,)))
        return cancelled

    # Steps they share

    async def _known(self, request: Request, *, fresh: bool = False) -> tuple[Policy, Facts]:
        policy = self.policies.current()
        return policy, await self.knowing.facts(policy.look_ups(request.target, request.role), fresh=fresh)

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

    async def entitled(self, request: Request, by: Person, act: str) -> tuple[Policy, Person, Rule, Facts]:
        """Whether they may decide it, now. Raises Refused, after writing it down."""
        person = await self.people.check(by)
        policy, facts = await self._known(request, fresh=True)
        verdict, rule = policy.judge_decision(request, person, facts), policy.rule_for(request, facts)
        if not verdict.allowed or rule is None:
            raise await self._no(request, person, act, Refused(verdict.why, rule=verdict.rule), (policy, facts))
        return policy, person, rule, facts

    async def _still_wanted(
        self, request: Request, judge: tuple[Policy, Facts], by: Person, checking: Awaitable[Person]
    ) -> None:
        requester, (policy, facts) = await checking, judge
        prolongs = await grant_of(self.store, request.extends)
        if request.extends and is_over(prolongs, self.clock.now()):
            raise TooLate((await close_extension(self.store, request, self.clock.now())).note)
        verdict = judge_ask(policy, as_ask(request, requester), facts, prolongs)
        if not verdict.allowed:
            why = f"{requester.name} may no longer have this: {verdict.why}"
            raise await self._no(request, by, "approve", Refused(why, rule=verdict.rule), (policy, facts))

    async def _no(
        self, request: Request, by: Person, act: str, error: AccessError, judge: tuple[Policy, Facts] | None = None
    ) -> AccessError:
        """`judge` where the policy is what says no, on these facts. Written down as often in an hour as one may ask."""
        policy, facts = judge or (None, NOTHING_KNOWN)
        now = facts.now or self.clock.now()
        if not self.refusals.counts(by.id, self.policies.current().most_per_hour, now):
            log.warning("refused, and no longer written down", extra={"action": act, "by": by.id})
            return error
        event = ActRefused(
            at=now, ref=request.ref, by=by, act=act, why=str(error),
            policy_hash=policy.hash if policy else "", rule=error.rule if isinstance(error, Refused) else "",
            looked=lines(facts),
        )  # fmt: skip
        await self._commit(Change(events=(event,)), facts)
        return error

    async def _commit(self, change: Change, facts: Facts) -> None:
        await self.knowing.commit(self.store, change, facts)


def must_be_a_reason(text: str, why: str, field: str = "reason") -> None:
    """Raises Refused: with `why` where there is none."""
    if not text.strip():
        raise Refused(why, field=field)
    if len(text) > LONGEST_REASON:
        raise Refused(f"Keep it under {LONGEST_REASON} characters.", field=field)


def _given(request: Request, vote: Vote, policy: Policy, standing: Standing) -> ApprovalGiven:
    return ApprovalGiven(
        at=vote.at, ref=request.ref, by=vote.by, policy_hash=policy.hash, rule=vote.rule, digest=request.digest,
        count=standing.count, needed=standing.needed, counted=tuple(person.id for person in standing.counted),
        own_request=policy.same_person(vote.by, request.requester), shorter=vote.shorter,
    )  # fmt: skip


def _approved(request: Request, outcome: Outcome, facts: Facts) -> RequestApproved:
    grant = outcome.grant
    return RequestApproved(
        at=outcome.at, ref=request.ref, approvers=(), provider=grant.provider, expires_at=grant.expires_at,
        duration=outcome.duration, first_use=grant.started_at is None, looked=lines(facts),
    )  # fmt: skip


def _decided(request: Request, what: RequestStep, event: Event) -> Request:
    state = step(REQUEST, request.state, what)
    return replace(request, state=state, decided_by=event.by, decided_at=event.at, due_at=None)


def _must_be_shorter(shorter: timedelta | None, request: Request) -> None:
    if shorter is not None and not timedelta(seconds=1) <= shorter < request.duration:
        asked = in_words(request.duration)
        raise BadInput(f"{asked} was asked for. Choose less than that, or approve all of it.", field="duration")


def _must_be_pending(request: Request) -> None:
    if request.state is RequestState.PENDING:
        return
    raise TooLate(already(request))


def already(request: Request) -> str:
    """What somebody is told who comes too late."""
    by = f" by {request.decided_by.name}" if request.decided_by else ""
    if request.state is RequestState.EXPIRED:
        return f"{request.ref} has lapsed: nobody decided in time."
    if request.state is RequestState.CANCELLED:
        return f"{request.ref} has been taken back{by}."
    return f"{request.ref} is already {request.state}{by}."


def _must_not_have_lapsed(request: Request, now: datetime) -> None:
    """The sweep may not have come by yet, after a standstill for instance."""
    if request.lapses_at <= now:
        raise TooLate(f"{request.ref} has lapsed: nobody decided in time.")


def _must(rule: Rule | None) -> Rule:
    assert rule is not None  # whoever was entitled was so by a rule
    return rule
