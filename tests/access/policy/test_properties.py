"""What holds for every policy, ask and moment."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from access.model import Request, RequestState, Vote
from access.policy import Facts, NotLooked, Policy, Wanted, explain
from access.policy.diffing import diff
from tests.access.policy.random_policies import (
    MOMENTS,
    PEOPLE,
    ROLES,
    ask_of,
    asks,
    facts,
    facts_of,
    files,
    policy_of,
    rules,
    some_names,
)

many = settings(max_examples=100, deadline=None)
few = settings(max_examples=60, deadline=None)


@many
@given(files, asks, facts)
def test_explain_agrees_with_the_judge(data: Any, wanted: Any, known: Facts) -> None:
    policy = policy_of(data)
    ask = ask_of(policy, wanted[0], wanted[1], **wanted[2])
    verdict, said = policy.judge_ask(ask, known), explain(policy, Wanted.of(ask), known)
    assert (said.allowed, said.why) == (verdict.allowed, verdict.why)
    if verdict.allowed:
        assert said.rule == verdict.rule
        assert not said.missing
    elif said.conditions and not verdict.unknown:
        assert said.missing


@many
@given(files, asks, facts)
def test_deny_always_wins(data: Any, wanted: Any, known: Facts) -> None:
    policy = policy_of({**data, "deny": [*data["deny"], {"who": "all", "targets": wanted[1][0], "why": "closed"}]})
    ask = ask_of(policy, wanted[0], wanted[1], **wanted[2])
    assert not policy.judge_ask(ask, known).allowed
    assert not policy.judge_break_glass(ask, known).allowed


@many
@given(files, asks, st.sampled_from(MOMENTS))
def test_what_is_unknown_allows_nothing_that_would_not_be_allowed_whatever_it_is(
    data: Any, wanted: Any, now: Any
) -> None:
    """Whatever the two groups hold, whoever is allowed without knowing is allowed then too, and needs no more."""
    policy = policy_of(data)
    ask = ask_of(policy, wanted[0], wanted[1], **wanted[2])
    dark = Facts(now, {name: NotLooked("dark", now) for name in policy.look_ups()})
    blind = policy.judge_ask(ask, dark)
    if not blind.allowed:
        return
    for owners in ((), ("U0ADA", "U0GRACE", "U0LINUS", "U0MARGARET", "U0STRANGER")):
        for rota in ((), ("U0ADA", "U0GRACE", "U0LINUS", "U0MARGARET", "U0STRANGER")):
            seeing = policy.judge_ask(ask, facts_of(now, owners, rota))
            assert seeing.allowed
            spoke, would = policy.rule_named(blind.rule), policy.rule_named(seeing.rule)
            assert spoke == would or (would is not None and not would.ways)


@many
@given(files, st.sampled_from(PEOPLE), st.sampled_from(ROLES), st.sampled_from(MOMENTS))
def test_what_is_unknown_decides_nothing(data: Any, who: str, which: tuple[str, str], now: Any) -> None:
    policy = policy_of(data)
    request = _request(policy, "linus", which, now)
    by = policy.person("T0", f"U0{who.upper()}", who)
    dark = Facts(now, {name: NotLooked("dark", now) for name in policy.look_ups()})
    if policy.judge_decision(request, by, dark).allowed:
        rule = policy.rule_for(request, dark)
        assert rule is not None
        assert policy.belonging.is_in(by, rule.approvers).yes


@many
@given(files, asks, facts)
def test_nobody_approves_their_own_request_unless_it_says_so(data: Any, wanted: Any, known: Facts) -> None:
    policy = policy_of(_without_own_requests(data))
    assume(wanted[0] in PEOPLE)
    request = _request(policy, wanted[0], wanted[1], known.now)
    assert not policy.judge_decision(request, request.requester, known).allowed


@many
@given(files, st.sampled_from(ROLES), st.lists(st.sampled_from(PEOPLE), max_size=4), facts)
def test_another_vote_never_takes_anything_away(data: Any, which: Any, who: list[str], known: Facts) -> None:
    policy = policy_of(data)
    request = _request(policy, "linus", which, known.now)
    votes = [Vote("r", policy.person("T0", f"U0{n.upper()}", n), request.created_at, "") for n in who]
    met = [policy.standing(request, votes[:count], known).met for count in range(len(votes) + 1)]
    assert met == sorted(met)
    for count in range(len(votes) + 1):
        standing = policy.standing(request, votes[:count], known)
        assert standing.count == len(standing.counted) <= len({vote.by for vote in votes[:count]})
        assert standing.met == (standing.count >= standing.needed)


@many
@given(rules)
def test_the_short_form_equals_its_long_form(rule: Any) -> None:
    short = _minimal({"provider": "memory", **rule})
    long = _minimal({"provider": "memory", "rules": [rule]})
    assert short.rules == long.rules
    assert not diff(short, long)


@many
@given(some_names, st.integers(1, 2))
def test_approvers_are_short_for_approve(names: list[str], count: int) -> None:
    by = ["both", *(name for name in names if name != "both")]
    short = _minimal({"provider": "memory", "max": "1h", "who": ["red"], "approvers": by, "approvals": count})
    long = _minimal({"provider": "memory", "max": "1h", "who": ["red"], "approve": {"by": by, "count": count}})
    assert short.rules == long.rules


@many
@given(files)
def test_nothing_changed_is_no_difference(data: Any) -> None:
    assert not diff(policy_of(data), policy_of(data))


@few
@given(files, files)
def test_every_change_of_a_judgment_shows_in_the_difference(data: Any, other: Any) -> None:
    """Take one part of one policy from another: wherever a judgment is another, there is a line about it."""
    for part in ("deny", "freezes", "groups"):
        changed = {**data, part: other[part]}
        _differs_only_with_a_line(policy_of(data), policy_of(changed))
    for target, role in ROLES:
        changed = copy.deepcopy(data)
        changed["targets"][target]["roles"][role] = other["targets"][target]["roles"][role]
        _differs_only_with_a_line(policy_of(data), policy_of(changed))


@many
@given(files, st.sampled_from(ROLES), st.sampled_from(PEOPLE), st.data())
def test_every_widening_shows(data: Any, which: tuple[str, str], who: str, draw: st.DataObject) -> None:
    wider = copy.deepcopy(data)
    role = wider["targets"][which[0]]["roles"][which[1]]
    rule = role["rules"][draw.draw(st.integers(0, len(role["rules"]) - 1))]
    kind = draw.draw(st.sampled_from(["who", "max", "approve", "group", "deny", "freeze", "break-glass"]))
    if kind == "who":
        rule["who"] = [*rule["who"], *([who] if who not in rule["who"] else [])]
    elif kind == "max":
        rule["max"] = "9h"
    elif kind == "approve":
        rule["approve"] = "nobody"
    elif kind == "group":
        wider["groups"]["red"] = [*wider["groups"]["red"], who]
    elif kind == "deny":
        wider["deny"] = wider["deny"][1:]
    elif kind == "freeze":
        wider["freezes"] = []
    else:
        role["break_glass"] = {"who": [who], "max": "9h"}
    _differs_only_with_a_line(policy_of(data), policy_of(wider))


def _differs_only_with_a_line(old: Policy, new: Policy) -> None:
    if diff(old, new):
        return
    for now in MOMENTS:
        for members in ((), ("U0ADA", "U0STRANGER")):
            known = facts_of(now, members, members)
            for who in (*PEOPLE, "stranger"):
                for which in ROLES:
                    _the_same_judgments(old, new, (who, which), known)


def _the_same_judgments(old: Policy, new: Policy, wanted: tuple[str, tuple[str, str]], known: Facts) -> None:
    for length in (timedelta(minutes=10), timedelta(hours=1), timedelta(hours=3)):
        for terms in ({}, {"ticket": ""}, {"reason": ""}):
            ask = ask_of(old, *wanted, duration=length, **terms)
            was, now = old.judge_ask(ask, known), new.judge_ask(ask, known)
            assert was.allowed == now.allowed, (ask, was, now)
            glass = old.judge_break_glass(ask, known), new.judge_break_glass(ask, known)
            assert glass[0].allowed == glass[1].allowed, (ask, glass)
            if was.allowed:
                request = replace(
                    _request(old, *wanted, known.now), duration=length, ticket=ask.ticket, reason=ask.reason
                )
                asked = [each.standing(request, (), known).asked for each in (old, new)]
                needed = [each.standing(request, (), known).needed for each in (old, new)]
                assert (asked[0], needed[0]) == (asked[1], needed[1])


def _request(policy: Policy, who: str, which: tuple[str, str], now: Any) -> Request:
    rule = policy.rule(*which)
    ask = ask_of(policy, who, which)
    return Request(
        id="r", number=1, key="", requester=ask.by, target=ask.target, role=ask.role, duration=ask.duration,
        reason="x", ticket="OPS-1", state=RequestState.PENDING, created_at=now, lapses_at=now, due_at=now,
        policy_hash="",
        rule=rule.name if rule else "", approvals_needed=0,
    )  # fmt: skip


def _without_own_requests(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _without_own_requests(value) for key, value in data.items() if key != "own_request"}
    return [_without_own_requests(item) for item in data] if isinstance(data, list) else data


def _minimal(role: Any) -> Policy:
    return policy_of({
        "version": 1, "people": {name: f"U0{name.upper()}" for name in PEOPLE},
        "groups": {"red": ["ada"], "blue": ["grace", "linus"], "both": ["red", "blue"],
                   "slack-owners": {"slack": "S0OWNERS"}},
        "on_call": {"orders": {"pagerduty": "PI7DH85"}},
        "hours": {name: {"days": "mon", "from": "08:00", "to": "18:00", "zone": "UTC"} for name in ("work", "nights")},
        "targets": {"db": {"roles": {"read": role}}},
    })  # fmt: skip
