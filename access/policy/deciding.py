"""Who may decide a request, now."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from access.model import Ask, Person, Request
from access.policy.facts import Facts
from access.policy.model import Part, Rule, Verdict

if TYPE_CHECKING:
    from access.policy.policy import Policy

MOST_NAMED = 20  # people in a sentence, which an audit entry has to hold too


def rule_for(policy: Policy, request: Request, facts: Facts) -> Rule | None:
    """The rule that would let it be asked for now; else that of its asking, by which it can at least be denied."""
    rules = policy.rules_of(request.target, request.role)
    if len(rules) <= 1:
        return next(iter(rules), None)
    requester = policy.today(request.requester)
    ask = Ask(requester, request.target, request.role, request.duration, request.reason, request.ticket, request.key)
    verdict = policy.judge_ask(ask, facts)
    wanted = verdict.rule if verdict.allowed else request.rule
    return next((rule for rule in rules if rule.name == wanted), rules[0])


def judge_decision(policy: Policy, request: Request, by: Person, facts: Facts) -> Verdict:
    """A yes names the stage that it counts to, where there is more than one."""
    rule = rule_for(policy, request, facts)
    if rule is None:
        return Verdict(allowed=False, rule="", why=f"The policy no longer knows {request.target} · {request.role}.")
    own = policy.same_person(by, request.requester)
    if own and not any(part.own_request for part in rule.parts):
        return Verdict(allowed=False, rule=rule.name, why="Nobody approves their own request.")
    for part in rule.parts:
        if may_decide(policy, request, part, by, facts):
            why = f"{by.name} is among the approvers of {rule.name}."
            return Verdict(allowed=True, rule=rule.name, why=why, counts_to=_stage_of(rule, part))
    return _refusal(policy, request, rule, by, facts)


def may_decide(policy: Policy, request: Request, part: Part, by: Person, facts: Facts) -> bool:
    """Whether a yes of theirs counts here, now."""
    if policy.same_person(by, request.requester) and not part.own_request:
        return False
    return is_open(part, request, facts) and policy.belonging.is_in(by, part.by, facts).yes


def is_open(part: Part, request: Request, facts: Facts) -> bool:
    """Whether these people are asked by now."""
    return not part.after or (facts.now is not None and facts.now >= opens_at(part, request))


def opens_at(part: Part, request: Request) -> datetime:
    return request.created_at + part.after


def deciders(policy: Policy, rule: Rule, requester: Person, facts: Facts) -> tuple[str, ...]:
    """By name, or by Slack id where the file has none."""
    return tuple(sorted(frozenset[str]().union(*(people_of(policy, part, requester, facts) for part in rule.parts))))


def people_of(policy: Policy, part: Part, requester: Person, facts: Facts) -> frozenset[str]:
    """Those who may decide here, as far as that is known."""
    everybody = policy.belonging.everybody(part.by, facts)
    if part.own_request:
        return everybody
    return everybody - {policy.belonging.owner(requester.slack_id) or requester.slack_id}


def _stage_of(rule: Rule, part: Part) -> str:
    for way in rule.ways:
        for number, stage in enumerate(way, 1):
            if part in stage and len(way) > 1:
                return f"stage {number} of {len(way)}"
    return ""


def _refusal(policy: Policy, request: Request, rule: Rule, by: Person, facts: Facts) -> Verdict:
    own = policy.same_person(by, request.requester)
    parts = [part for part in rule.parts if part.own_request or not own]
    for part in parts:
        membership = policy.belonging.is_in(by, part.by, facts)
        if membership.yes:  # so it is not open yet
            when = f"From {opens_at(part, request):%H:%M} UTC on you may decide this, if nobody has by then."
            return Verdict(allowed=False, rule=rule.name, why=when)
        if membership.unknown:
            why = f"{membership.unknown} Try again in a moment."
            return Verdict(allowed=False, rule=rule.name, why=why, unknown=True)
    names = list(deciders(policy, rule, request.requester, facts))
    elsewhere = sorted(name for part in parts for name in part.by if policy.belonging.look_ups(frozenset({name})))
    more = [f"{len(names) - MOST_NAMED} more"] if len(names) > MOST_NAMED else []
    who = ", ".join([*names[:MOST_NAMED], *more, *(f"whoever is in {name}" for name in dict.fromkeys(elsewhere))])
    return Verdict(allowed=False, rule=rule.name, why=f"This is decided by {who or 'nobody at the moment'}.")
