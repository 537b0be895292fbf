from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from access.model import Person, Request, RequestState
from prodaccess.policies.file import parse_policy
from tests.people import ADA, GRACE, LINUS, MARGARET, POLICY, STRANGER, TEAM, ManualClock, ask, person

policy = parse_policy(POLICY)


def request(by: Person = LINUS, role: str = "read") -> Request:
    now = ManualClock().now()
    return Request(
        id="r1", number=1, key="k", requester=by, target="orders-db", role=role, duration=timedelta(hours=1),
        reason="x",
        ticket="OPS-1", state=RequestState.PENDING, created_at=now, lapses_at=now, due_at=now, policy_hash=policy.hash,
        rule=f"orders-db/{role}", approvals_needed=1,
    )  # fmt: skip


def test_a_member_may_ask() -> None:
    assert policy.judge_ask(ask()).allowed


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"target": "payroll"}, "target"),
        ({"role": "admin"}, "target"),
        ({"duration": timedelta(hours=5)}, "duration"),
        ({"reason": "   "}, "reason"),
        ({"ticket": ""}, "ticket"),
        ({"ticket": "not a ticket"}, "ticket"),
        ({"ticket": "OPS-1\n"}, "ticket"),
    ],
)
def test_a_refusal_names_its_field(changes: dict[str, object], field: str) -> None:
    verdict = policy.judge_ask(ask(**changes))
    assert not verdict.allowed
    assert verdict.field == field
    assert verdict.why.endswith(".")


def test_who_may_not_ask_does_not_learn_what_exists() -> None:
    unknown = policy.judge_ask(ask(by=STRANGER, target="no-such-db"))
    existing = policy.judge_ask(ask(by=STRANGER))
    assert unknown.why.replace("no-such-db", "orders-db") == existing.why


def test_empty_means_nobody() -> None:
    assert policy.offers(STRANGER) == ()
    assert not policy.judge_decision(request(), STRANGER).allowed
    nobody = replace(policy, groups={}, accounts={})
    assert not nobody.judge_ask(ask()).allowed
    assert not nobody.judge_decision(request(), ADA).allowed


def test_nobody_approves_their_own_request_with_a_second_account_either() -> None:
    second = person("U0ADA2")
    assert second.id == ADA.id
    for me in (ADA, second):
        verdict = policy.judge_decision(request(by=ADA), me)
        assert not verdict.allowed
        assert "own request" in verdict.why


def test_a_stranger_who_calls_himself_ada_is_not_ada() -> None:
    impostor = policy.person(TEAM, "U0EVIL", "ada")
    assert not policy.judge_decision(request(), impostor).allowed
    assert not policy.judge_ask(ask(by=impostor)).allowed
    assert not policy.is_admin(policy.person(TEAM, "U0EVIL", "margaret"))


def test_an_admin_does_not_approve_where_no_rule_says_so() -> None:
    assert policy.is_admin(MARGARET)
    assert not policy.judge_decision(request(), MARGARET).allowed
    assert policy.judge_decision(request(role="write"), MARGARET).allowed


def test_the_refusal_says_who_decides() -> None:
    assert "ada, grace" in policy.judge_decision(request(), MARGARET).why
    assert policy.judge_decision(request(), GRACE).allowed


def test_targets_are_found_as_people_type_them() -> None:
    assert policy.target_named("ORDERS", LINUS) == "orders-db"
    assert policy.target_named("ord", LINUS) == "orders-db"
    assert policy.target_named("orders", STRANGER) is None
    assert policy.nearest("order-bd", LINUS) == "orders-db"


def test_durations_end_at_the_maximum() -> None:
    rule = policy.rule("orders-db", "read")
    assert rule is not None
    assert rule.durations()[-1] == timedelta(hours=4)
    assert timedelta(hours=1) in rule.durations()


def test_the_digest_changes_with_everything_an_approver_is_shown() -> None:
    shown = request()
    others = [
        replace(shown, requester=ADA), replace(shown, target="x"), replace(shown, role="write"),
        replace(shown, duration=timedelta(hours=2)), replace(shown, reason="y"), replace(shown, ticket="OPS-2"),
        replace(shown, policy_hash="other"), replace(shown, id="r2"),
    ]  # fmt: skip
    assert len({shown.digest, *(other.digest for other in others)}) == len(others) + 1
