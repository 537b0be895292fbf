"""Asking: judged by policy, held to the limits, created once per key."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from access.errors import OverQuota, Refused, Stale
from access.evidence.knowing import Knowing
from access.evidence.looked import lines
from access.evidence.pace import PERIOD, Pace
from access.evidence.ticketing import Ticketing
from access.granting.reviews import UNREVIEWED, Held, held_up
from access.model import Ask, Grant, Person, Request
from access.policy import Facts, Policy, Rule, Verdict
from access.ports import Change, Clock, People, PolicySource, Quota, Store, TicketSystemSilent
from access.requesting.calling import called_first
from access.requesting.extending import grant_of, judge_ask, within
from access.requesting.making import ask_refused, asked, new_request

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Judging:
    """An ask, and by what it is judged."""

    ask: Ask
    policy: Policy
    facts: Facts
    grant: Grant | None = None  # the one that it is to prolong

    @property
    def verdict(self) -> Verdict:
        return judge_ask(self.policy, self.ask, self.facts, self.grant)

    @property
    def now(self) -> datetime | None:
        return self.facts.now


@dataclass(frozen=True)
class Asking:
    """`access.broker.Broker.ask`, in its steps."""

    store: Store
    people: People
    policies: PolicySource
    clock: Clock
    pace: Pace
    knowing: Knowing
    tickets: Ticketing

    async def ask(self, ask: Ask) -> Request:
        """Create the request, once per `ask.key`. Raises Refused (with `field`), after writing the refusal down."""
        known = await self._known(ask)
        if known is not None:
            return known
        person, policy = await self.people.check(ask.by), self.policies.current()
        facts = await self.knowing.facts(policy.look_ups(ask.target, ask.role))
        key = self.tickets.key(policy.rules_of(ask.target, ask.role), ask.ticket)
        grant = await grant_of(self.store, ask.extends)
        judging = _Judging(replace(ask, by=person, ticket=key), policy, facts, grant)
        if held := await held_up(self.store, self.policies, self.knowing, person):
            raise await self._refusal(judging, Verdict(allowed=False, rule="", why=held.why), held)
        verdict = judging.verdict
        rule = policy.rule_named(verdict.rule)
        if not verdict.allowed or rule is None:
            raise await self._refusal(judging, verdict)
        judging, snapshot = await self._with_ticket(judging, rule)
        try:
            return await self._create(judging, rule, snapshot)
        except OverQuota as over:
            verdict = Verdict(allowed=False, rule=rule.name, why=_too_much(policy, over))
            raise await self._refusal(judging, verdict, over) from None

    async def _with_ticket(self, judging: _Judging, rule: Rule) -> tuple[_Judging, str]:
        """With the ticket as its system calls it today, and its snapshot. Raises Refused."""
        ask, policy = judging.ask, judging.policy
        refused = self.pace.refused(ask.by.id, judging.now or self.clock.now())
        if refused >= policy.most_per_hour:  # so that nobody can make us ask a ticket system without end
            over = OverQuota(too_often=True, waiting=0, recent=0)
            verdict = Verdict(allowed=False, rule=rule.name, why=_too_much(policy, over))
            raise await self._refusal(judging, verdict, over)
        said = await self.tickets.look((rule,), ask.ticket, ask.by, fresh=not rule.approvals)
        try:
            snapshot = said.must_do(rule, ask.ticket)
        except (Refused, TicketSystemSilent) as error:
            verdict = Verdict(allowed=False, rule=rule.name, why=str(error), field="ticket")
            raise await self._refusal(judging, verdict) from None
        ticket = said.ticket(rule)
        moved = replace(judging, ask=replace(ask, ticket=ticket.key)) if ticket else judging
        if moved.ask != ask and moved.verdict.rule != rule.name:  # by its new key another rule speaks
            why = f"{ask.ticket} is {moved.ask.ticket} now. Ask with that."
            raise await self._refusal(judging, Verdict(allowed=False, rule=rule.name, why=why, field="ticket"))
        return moved, snapshot

    async def _known(self, ask: Ask) -> Request | None:
        """What this very ask has made already."""
        known = await self.store.request_by_key(ask.key)
        if known is not None and not self.policies.current().same_person(known.requester, ask.by):
            raise Refused("This arrived with the mark of somebody else's request. Ask again.")
        return known

    async def _create(self, judging: _Judging, rule: Rule, snapshot: str) -> Request:
        ask, policy, facts = judging.ask, judging.policy, judging.facts
        now = judging.now or self.clock.now()
        made: list[Request] = []

        def build(number: int) -> Change:
            request = called_first(within(new_request(ask, policy, rule, (number, now)), judging.grant), policy, facts)
            made.append(request)
            event = replace(asked(request, policy, rule, facts), snapshot=snapshot, looked=lines(facts))
            return self.knowing.with_members(Change(requests=(request,), events=(event,)), facts)

        try:
            self.knowing.note(await self.store.create(build, self._quota(ask.by, policy, now)))
        except (Stale, OverQuota):  # perhaps the same ask arrived twice at once, and the other one was written
            known = await self._known(ask)
            if known is None:
                raise
            return known
        return made[-1]

    def _quota(self, person: Person, policy: Policy, now: datetime) -> Quota:
        left = policy.most_per_hour - self.pace.refused(person.id, now)
        return Quota(person.id, policy.most_pending, left, now - PERIOD)

    async def _refusal(self, judging: _Judging, verdict: Verdict, over: OverQuota | Held | None = None) -> Refused:
        """Written down as often in an hour as somebody may ask, so that nobody can fill the audit log."""
        ask, policy, now = judging.ask, judging.policy, judging.now or self.clock.now()
        refused = self.pace.refused(ask.by.id, now)
        if refused < policy.most_per_hour:
            self.pace.note(ask.by.id, now)
            event = replace(ask_refused(ask, policy, verdict, now), looked=lines(judging.facts))
            if isinstance(over, Held):
                event = replace(event, limit=UNREVIEWED)
            elif over is not None:
                limit = "per_hour" if over.too_often else "pending"
                event = replace(event, limit=limit, waiting=over.waiting, lately=over.recent + refused)
            await self.knowing.commit(self.store, Change(events=(event,)), judging.facts)
        else:
            log.warning("refused, and no longer written down", extra={"action": "ask", "by": ask.by.id})
        return Refused(verdict.why, rule=verdict.rule, field=verdict.field)


def _too_much(policy: Policy, over: OverQuota) -> str:
    if over.too_often:
        return f"You have asked {policy.most_per_hour} times within an hour. Wait a while, then ask again."
    return f"You have {policy.most_pending} requests waiting. Take one back, or wait until somebody has decided one."
