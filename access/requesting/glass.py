"""Breaking the glass: access without approval, for the people whom the policy names, when nobody answers.

1  who it is, also while Slack does not answer   2  nothing of theirs waits for its review   3  what the policy says
4  request, grant, review and entries: one transaction   5  opened as every grant (`access.granting.grants`)
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime

from access.errors import BadInput, Refused, Stale, TooLate, Unavailable
from access.events import GlassBroken, RequestApproved
from access.evidence.looked import lines
from access.evidence.pace import PERIOD, Pace
from access.evidence.recognising import SLACK, Known, is_in_the_file, who_now
from access.granting.custody import Custody
from access.granting.grants import Grants
from access.granting.reviews import UNREVIEWED, Held, held_up, opening, reviewers, reviewers_by
from access.lifecycle import REQUEST, RequestStep, step
from access.model import BREAK_GLASS, Ask, Device, Grant, Person, Request
from access.policy import NOTHING_KNOWN, Facts, Policy, Rule, Verdict
from access.ports import Change, Quota
from access.requesting.making import ask_refused, asked, new_grant, new_request

log = logging.getLogger(__name__)

BY_DEVICE = "device"  # why it was refused where the policy allows it, as `AskRefused.limit` has it
_RACES = 20
_NO_LIMIT = 1_000_000  # what waits undecided is why the glass is broken, so it does not count against it


@dataclass(frozen=True, slots=True)
class Judged:
    """What spoke, and what it knew."""

    policy: Policy
    rule: Rule
    facts: Facts
    identity: str


@dataclass(frozen=True)
class Glass:
    """`prodaccess break-glass`, and the same in Slack."""

    grants: Grants
    pace: Pace = field(default_factory=Pace, repr=False)

    @property
    def custody(self) -> Custody:
        return self.grants.custody

    async def read_names(self, by: Person, target: str, role: str) -> tuple[str, str]:
        """The typed words as the policy has them; what the file itself says is not looked up. Raises BadInput."""
        policy = self.custody.policies.current()
        person = policy.today(by)
        if policy.glass_offers(person):
            with suppress(BadInput):  # perhaps they may have it by a group that is looked up
                return read_names(policy, person, (target, role))
        facts = await self.custody.knowing.facts(policy.look_ups())
        return read_names(policy, person, (target, role), facts)

    async def held(self, person: Person) -> Held | None:
        """What keeps them from asking for anything, if something does."""
        return await held_up(self.custody.store, self.custody.policies, self.custody.knowing, person)

    async def who_is_told(self, by: Person, target: str, role: str) -> tuple[str, ...]:
        """The names of those who would be told, and of whom one reviews it, as far as that is known."""
        policy = self.custody.policies.current()
        rule, facts = policy.rule(target, role), await self.custody.knowing.facts(policy.look_ups(target, role))
        return reviewers_by(policy, rule, by, facts)

    async def take(self, ask: Ask, device: Device | None = None) -> Request:
        """Access at once, and its review. `device`: the terminal that it is asked from, if it is.

        Raises Refused (with `field`) after writing the refusal down, Unavailable, TooLate.
        """
        known = await self._who(ask.by, device)  # 1
        ask = replace(ask, by=known.person, glass=True, extends=None)
        for _ in range(_RACES):
            try:
                request, grant = await self._take(ask, known)
            except Stale:
                continue
            if grant is not None:
                await self.grants.open(grant.number)  # 5
            return request
        raise TooLate("Too much is happening at once. Look at what you have, then try again.")

    async def refuse(self, ask: Ask) -> Refused:
        """What speaks against it, written down: for whoever was not offered it. Gives nothing. Raises Unavailable."""
        known, policy = await self._who(ask.by, None), self.custody.policies.current()
        ask = replace(ask, by=known.person, glass=True, extends=None)
        facts = await self.custody.knowing.facts(policy.look_ups(ask.target, ask.role), fresh=True)
        verdict = judge(policy, ask, facts, known.identity)
        if verdict.allowed:  # who may has changed since: nothing is opened that was not confirmed
            raise Unavailable("Who may do this has just changed. Type the command once more.")
        return await self._refusal(ask, policy, verdict, facts)

    async def _who(self, person: Person, device: Device | None) -> Known:
        if device is None:
            return Known(await self.custody.people.check(person), SLACK)
        return await who_now(self.custody.people, self.custody.policies, device.person)

    async def _take(self, ask: Ask, known: Known) -> tuple[Request, Grant | None]:
        custody = self.custody
        policy, done = custody.policies.current(), await custody.store.request_by_key(ask.key)
        if done is not None and not policy.same_person(done.requester, ask.by):
            raise Refused("This arrived with the mark of somebody else's request. Try again.")
        if done is not None:
            return done, None
        if held := await self.held(ask.by):  # 2
            raise await self._refusal(ask, policy, Verdict(allowed=False, rule="", why=held.why), Facts(), UNREVIEWED)
        facts = await custody.knowing.facts(policy.look_ups(ask.target, ask.role), fresh=True)
        verdict = judge(policy, ask, facts, known.identity)  # 3
        rule = policy.rule_named(verdict.rule)
        if not verdict.allowed or rule is None:
            by_device = policy.judge_break_glass(ask, facts).allowed
            raise await self._refusal(ask, policy, verdict, facts, BY_DEVICE if by_device else "")
        return await self._write(ask, Judged(policy, rule, facts, known.identity))

    async def _write(self, ask: Ask, judged: Judged) -> tuple[Request, Grant]:
        custody, now = self.custody, judged.facts.now or self.custody.clock.now()
        made: list[tuple[Request, Grant]] = []

        def build(number: int) -> Change:
            request, grant, change = broken(ask, judged, (number, now))
            made.append((request, grant))
            return custody.knowing.with_members(change, judged.facts)

        # The store looks for what is unreviewed once more: two at the same moment must not both get through.
        quota = Quota(ask.by.id, _NO_LIMIT, _NO_LIMIT, now - PERIOD, reviewed=True)
        custody.knowing.note(await custody.store.create(build, quota))  # 4
        return made[-1]

    async def _refusal(self, ask: Ask, policy: Policy, verdict: Verdict, facts: Facts, limit: str = "") -> Refused:
        """Written down as often in an hour as somebody may ask."""
        now = self.custody.clock.now()
        if self.pace.refused(ask.by.id, now) < policy.most_per_hour:
            self.pace.note(ask.by.id, now)
            event = replace(ask_refused(ask, policy, verdict, now), limit=limit, looked=lines(facts))
            await self.custody.knowing.commit(self.custody.store, Change(events=(event,)), facts)
        else:
            log.warning("refused, and no longer written down", extra={"action": "break glass", "by": ask.by.id})
        return Refused(verdict.why, rule=verdict.rule, field=verdict.field)


# Its steps, as values


def judge(policy: Policy, ask: Ask, facts: Facts, identity: str) -> Verdict:
    """Without Slack's word on them the policy file itself must name the person: no group that is looked up will do."""
    verdict = policy.judge_break_glass(ask, facts)
    rule = policy.rule_named(verdict.rule)
    if not verdict.allowed or identity == SLACK or rule is None:
        return verdict
    if is_in_the_file(policy, ask.by, rule):
        return verdict
    why = "Slack does not answer, and the policy file does not name you itself for this break-glass."
    return Verdict(allowed=False, rule=rule.name, why=f"{why} Somebody whom it names can do it.", field="target")


def broken(ask: Ask, judged: Judged, numbered: tuple[int, datetime]) -> tuple[Request, Grant, Change]:
    """Request, grant and review with their entries: all of it stands in one transaction."""
    policy, rule, facts = judged.policy, judged.rule, judged.facts
    (_, now), looked = numbered, lines(facts)
    asking = new_request(ask, policy, rule, numbered)
    request = replace(asking, state=step(REQUEST, asking.state, RequestStep.APPROVE), decided_at=now, due_at=None)
    grant = new_grant(request, rule, now)
    told = reviewers(policy, request, facts)
    review, opened = opening(grant, BREAK_GLASS, now, policy, told)
    events = (
        replace(asked(asking, policy, rule, facts), looked=looked),
        GlassBroken(
            at=now, ref=request.ref, by=ask.by, policy_hash=policy.hash, rule=rule.name,
            told=policy.accounts_of(frozenset(told)), identity=judged.identity, looked=looked,
        ),
        RequestApproved(
            at=now, ref=request.ref, approvers=(), provider=rule.provider, expires_at=grant.expires_at,
            duration=grant.duration, policy_hash=policy.hash, rule=rule.name, looked=looked,
        ),
        opened,
    )  # fmt: skip
    return request, grant, Change(requests=(request,), grants=(grant,), reviews=(review,), events=events)


# What a person means by a name


def read_names(policy: Policy, person: Person, typed: tuple[str, str], facts: Facts = NOTHING_KNOWN) -> tuple[str, str]:
    """Target and role that the typed ones mean, among what is theirs. Raises BadInput, with the nearest name.

    Whoever has nothing of the kind gets back what they typed: the judge refuses it, and that is written down.
    """
    offers = policy.glass_offers(person, facts)
    if not offers:
        return typed[0], typed[1] or "any role"
    rule = meant(offers, *typed)
    return rule.target, rule.role


def meant(offers: Sequence[Rule], target: str, role: str) -> Rule:
    """The offer that the typed words mean. Raises BadInput, with the nearest name."""
    named = [rule for rule in offers if target.lower() in (name.lower() for name in (rule.target, *rule.aliases))]
    named = named or _only_start(offers, target.lower())
    if not named:
        raise BadInput(f"You cannot break the glass for “{target[:60]}”. {_hint(offers, target)}", field="target")
    found = [rule for rule in named if not role or rule.role == role]
    if len(found) == 1:
        return found[0]
    choices = " or ".join(f"{rule.target}/{rule.role}" for rule in named)
    raise BadInput(f"Say which role: {choices}.", field="role")


def _only_start(offers: Sequence[Rule], word: str) -> list[Rule]:
    starts = [rule for rule in offers if word and rule.target.lower().startswith(word)]
    return starts if len({rule.target for rule in starts}) == 1 else []


def _hint(offers: Sequence[Rule], word: str) -> str:
    names = sorted({rule.target for rule in offers})
    if near := difflib.get_close_matches(word.lower(), names, n=1):
        return f"Did you mean {near[0]}?"
    return f"You can for {', '.join(names[:10])}." if names else ""
