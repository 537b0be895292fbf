"""Asking: judged by policy, held to the limits, created once per key."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime

from access.errors import OverQuota, Refused, Stale
from access.knowing import Knowing
from access.making import ask_refused, asked, new_request
from access.model import Ask, Person, Request
from access.pace import PERIOD, Pace
from access.policy import Facts, Policy, Rule, Verdict
from access.ports import Change, Clock, Memberships, People, PolicySource, Quota, Store

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Asking:
    """`access.broker.Broker.ask`, in its steps."""

    store: Store
    people: People
    policies: PolicySource
    clock: Clock
    pace: Pace
    memberships: Memberships | None = None

    async def ask(self, ask: Ask) -> Request:
        """Create the request, once per `ask.key`. Raises Refused (with `field`), after writing the refusal down."""
        known = await self._known(ask)
        if known is not None:
            return known
        person = await self.people.check(ask.by)
        ask = replace(ask, by=person)
        policy = self.policies.current()
        facts = await Knowing(self.clock, self.memberships).facts(policy.look_ups(ask.target, ask.role))
        verdict = policy.judge_ask(ask, facts)
        rule = policy.rule_named(verdict.rule)
        if not verdict.allowed or rule is None:
            raise await self._refusal(ask, policy, verdict)
        try:
            return await self._create(ask, policy, rule, facts)
        except OverQuota as over:
            verdict = Verdict(allowed=False, rule=rule.name, why=_too_much(policy, over))
            raise await self._refusal(ask, policy, verdict, over) from None

    async def _known(self, ask: Ask) -> Request | None:
        """What this very ask has made already."""
        known = await self.store.request_by_key(ask.key)
        if known is not None and not self.policies.current().same_person(known.requester, ask.by):
            raise Refused("This arrived with the mark of somebody else's request. Ask again.")
        return known

    async def _create(self, ask: Ask, policy: Policy, rule: Rule, facts: Facts) -> Request:
        now = facts.now or self.clock.now()
        made: list[Request] = []

        def build(number: int) -> Change:
            request = new_request(ask, policy, rule, (number, now))
            made.append(request)
            return Change(requests=(request,), events=(asked(request, policy, rule, facts),))

        try:
            await self.store.create(build, self._quota(ask.by, policy, now))
        except (Stale, OverQuota):  # perhaps the same ask arrived twice at once, and the other one was written
            known = await self._known(ask)
            if known is None:
                raise
            return known
        return made[-1]

    def _quota(self, person: Person, policy: Policy, now: datetime) -> Quota:
        left = policy.most_per_hour - self.pace.refused(person.id, now)
        return Quota(person.id, policy.most_pending, left, now - PERIOD)

    async def _refusal(self, ask: Ask, policy: Policy, verdict: Verdict, over: OverQuota | None = None) -> Refused:
        """Written down as often in an hour as somebody may ask, so that nobody can fill the audit log."""
        now = self.clock.now()
        refused = self.pace.refused(ask.by.id, now)
        if refused < policy.most_per_hour:
            self.pace.note(ask.by.id, now)
            event = ask_refused(ask, policy, verdict, now)
            if over is not None:
                limit = "per_hour" if over.too_often else "pending"
                event = replace(event, limit=limit, waiting=over.waiting, lately=over.recent + refused)
            await self.store.commit(Change(events=(event,)))
        else:
            log.warning("refused, and no longer written down", extra={"action": "ask", "by": ask.by.id})
        return Refused(verdict.why, rule=verdict.rule, field=verdict.field)


def _too_much(policy: Policy, over: OverQuota) -> str:
    if over.too_often:
        return f"You have asked {policy.most_per_hour} times within an hour. Wait a while, then ask again."
    return f"You have {policy.most_pending} requests waiting. Take one back, or wait until somebody has decided one."
