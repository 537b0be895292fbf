"""Judging under a large policy: 10,000 rules and 10,000 people, in groups, with hours, freezes and deny rules."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from access.model import Ask, Person, Request, RequestState, Vote
from access.policy import Facts, Policy, Wanted, explain
from access.policy.diffing import diff
from access.policy.reading import read_policy
from benchmarks.figures import Figure, Result, median, percentile

PEOPLE, TARGETS, ROLES, GROUPS, ROUNDS, AIM = 10_000, 2_500, 4, 500, 2_000, 5  # AIM in milliseconds
NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)


def measure() -> Result:
    data, random = _file(), Random(7)
    began = time.perf_counter()
    policy = read_policy(data, "0" * 64)
    figures = [Figure("read, after the YAML", time.perf_counter() - began, "s")]
    for name, judge in _judgments(policy).items():
        times = [_timed(judge, random) for _ in range(ROUNDS)]
        figures.append(Figure(f"{name}, p50", median(times), "ms"))
        figures.append(Figure(f"{name}, p95", percentile(times, 95), "ms", None, AIM))
    return Result("policy", (*figures, _compared(policy)))


def _timed(judge: Callable[[Random], object], random: Random) -> float:
    began = time.perf_counter()
    judge(random)
    return (time.perf_counter() - began) * 1000


def _judgments(policy: Policy) -> Mapping[str, Callable[[Random], object]]:
    facts = Facts(NOW)
    return {
        "may ask": lambda r: policy.judge_ask(_ask(policy, r), facts),
        "may decide": lambda r: policy.judge_decision(_request(policy, r), _person(policy, r), facts),
        "standing": lambda r: _standing(policy, r, facts),
        "what may be asked for": lambda r: policy.offers(_person(policy, r), facts),
        "explained": lambda r: explain(policy, Wanted(_person(policy, r), *_role(r)), facts),
    }


def _standing(policy: Policy, random: Random, facts: Facts) -> object:
    request = _request(policy, random)
    votes = [Vote(request.id, _person(policy, random), NOW, request.rule) for _ in range(3)]
    return policy.standing(request, votes, facts)


def _compared(policy: Policy) -> Figure:
    data = _file()
    data["groups"]["group-0"] = [*data["groups"]["group-0"], "person-9999"]
    wider = read_policy(data, "1" * 64)
    began = time.perf_counter()
    assert diff(policy, wider)
    return Figure("compared, one person more in one group", time.perf_counter() - began, "s")


def _file() -> dict[str, Any]:
    random = Random(1)
    people = {f"person-{n}": f"U{n:06}" for n in range(PEOPLE)}
    names = list(people)
    groups: dict[str, object] = {f"group-{n}": random.sample(names, 40) for n in range(GROUPS)}
    groups["everyone"] = names
    return {
        "version": 1,
        "people": people,
        "groups": groups,
        "hours": {"work": {"days": ["mon-fri"], "from": "08:00", "to": "18:00", "zone": "Europe/Berlin"}},
        "freezes": [_freeze()],
        "deny": [_deny(n) for n in range(100)],
        "targets": {f"db-{n}": {"roles": {f"role-{m}": _rule(random) for m in range(ROLES)}} for n in range(TARGETS)},
    }


def _freeze() -> dict[str, object]:
    times = {"from": "2026-12-23T18:00:00+01:00", "to": "2027-01-02T08:00:00+01:00"}
    return {"name": "holidays", **times, "targets": "all", "except": ["group-0"], "why": "Nobody is here."}


def _deny(number: int) -> dict[str, object]:
    return {"who": [f"person-{number}"], "targets": "all", "why": "They have left."}


def _rule(random: Random) -> dict[str, object]:
    who = random.choice(["everyone", *(f"group-{random.randrange(GROUPS)}" for _ in range(3))])
    by = [f"group-{random.randrange(GROUPS)}", f"person-{random.randrange(PEOPLE)}"]
    stages = [{"by": by, "count": 2}, {"by": f"group-{random.randrange(GROUPS)}"}]
    return {"provider": "vault", "who": [who], "max": "4h", "hours": "work", "approve": {"stages": stages}}


def _role(random: Random) -> tuple[str, str]:
    return f"db-{random.randrange(TARGETS)}", f"role-{random.randrange(ROLES)}"


def _person(policy: Policy, random: Random) -> Person:
    number = random.randrange(PEOPLE)
    return policy.person("T0", f"U{number:06}", f"person-{number}")


def _ask(policy: Policy, random: Random) -> Ask:
    return Ask(_person(policy, random), *_role(random), timedelta(hours=1), "because", "OPS-1", "key")


def _request(policy: Policy, random: Random) -> Request:
    target, role = _role(random)
    return Request(
        id="r1", number=1, key="k", requester=_person(policy, random), target=target, role=role,
        duration=timedelta(hours=1), reason="x", ticket="OPS-1", state=RequestState.PENDING, created_at=NOW,
        lapses_at=NOW, due_at=NOW, policy_hash=policy.hash, rule=f"{target}/{role}", approvals_needed=3,
    )  # fmt: skip
