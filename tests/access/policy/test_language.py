"""Each part of the language means what docs/policy.md says."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from access.model import Grant, GrantState, Person
from access.policy import NOTHING_KNOWN, Facts, Looked, Verdict
from access.policy.model import Hours
from tests.access.policy.files import (
    FROZEN,
    NIGHT,
    NOON,
    OWNERS,
    ROTA,
    TEXT,
    ask,
    facts,
    person,
    policy,
    request,
    votes,
)

POLICY = policy()


def judged(name: str, now: datetime = NOON, **changes: object) -> Verdict:
    return POLICY.judge_ask(ask(name, **changes), facts(now))


def test_of_several_rules_the_first_that_fits_speaks() -> None:
    assert judged("linus").rule == "orders-db/read#2"
    assert judged("linus", NIGHT).rule == "orders-db/read#3"
    assert POLICY.judge_ask(ask("linus"), facts(rota=["U0LINUS"])).rule == "orders-db/read#1"
    assert POLICY.judge_ask(ask("linus", duration=timedelta(hours=3)), facts(rota=["U0LINUS"])).rule.endswith("#2")


def test_where_none_fits_the_nearest_miss_is_explained() -> None:
    verdict = judged("linus", NIGHT, duration=timedelta(hours=4))
    assert not verdict.allowed
    assert "work (mon, tue, wed, thu, fri 08:00–18:00 Europe/Berlin)" in verdict.why
    assert "At most 1 hour" in judged("linus", NIGHT, duration=timedelta(hours=5)).why


def test_groups_may_hold_groups() -> None:
    assert POLICY.names_of(frozenset({"engineers"})) == ("ada", "grace", "linus")


def test_hours_past_midnight_belong_to_the_day_they_begin_on() -> None:
    nights = Hours("nights", frozenset({4}), 22 * 60, 6 * 60, "Europe/Berlin")  # of Fridays
    saturday = datetime(2026, 11, 28, 1, 0, tzinfo=UTC)
    assert nights.hold(saturday)
    assert not nights.hold(saturday - timedelta(days=1))
    assert not nights.hold(saturday + timedelta(hours=5))
    assert nights.hold(saturday - timedelta(hours=3))


def test_hours_follow_the_clocks_of_their_zone() -> None:
    work = Hours("work", frozenset(range(7)), 8 * 60, 18 * 60, "Europe/Berlin")
    assert work.hold(datetime(2026, 7, 1, 6, 30, tzinfo=UTC))
    assert not work.hold(datetime(2026, 12, 1, 6, 30, tzinfo=UTC))


def test_a_freeze_stops_new_access_for_all_but_those_it_excepts() -> None:
    verdict = judged("linus", FROZEN)
    assert not verdict.allowed
    assert verdict.why.startswith("Frozen until 2027-01-02 08:00")
    assert POLICY.judge_ask(ask("linus", "payroll"), facts(FROZEN)).allowed
    spared = policy(TEXT.replace("except: [security]", "except: [linus]"))
    assert spared.judge_ask(ask("linus"), facts(FROZEN)).allowed


def test_a_deny_rule_wins_over_every_rule_and_over_break_glass() -> None:
    text = TEXT.replace("who: [engineers]", "who: [engineers, katherine]")
    found = policy(text)
    assert "She is on leave." in found.judge_ask(ask("katherine"), facts()).why
    assert "She is on leave." in found.judge_break_glass(ask("katherine", duration=timedelta(minutes=5)), facts()).why


def test_break_glass_goes_past_a_deny_rule_only_where_it_says_so() -> None:
    wanted = ask("ada", "payroll", duration=timedelta(minutes=5), reason="")
    assert not POLICY.judge_ask(replace(wanted, reason="x"), facts()).allowed
    assert POLICY.judge_break_glass(wanted, facts()).allowed
    strict = policy(TEXT.replace("even_break_glass: no, ", ""))
    assert not strict.judge_break_glass(wanted, facts()).allowed


def test_break_glass_is_short_wants_a_reason_and_its_people() -> None:
    few = timedelta(minutes=15)
    assert POLICY.judge_break_glass(ask("linus", duration=few), facts(FROZEN)).allowed
    assert not POLICY.judge_break_glass(ask("linus", duration=few, reason=" "), facts()).allowed
    assert not POLICY.judge_break_glass(ask("linus", duration=few * 2), facts()).allowed
    assert not POLICY.judge_break_glass(ask("margaret", duration=few), facts()).allowed
    assert not POLICY.judge_break_glass(ask("linus", role="write", duration=few), facts()).allowed


def test_terms_of_a_ticket_come_from_the_target_where_the_rule_says_nothing() -> None:
    on_call, work, _ = POLICY.rules_of("orders-db", "read")
    assert (work.ticket_system, work.ticket_projects, work.ticket_open) == ("jira", frozenset({"OPS"}), True)
    assert not on_call.ticket_required
    assert POLICY.judge_ask(ask("linus", ticket=""), facts(rota=["U0LINUS"])).allowed


def test_what_is_not_said_is_what_is_usual() -> None:
    _, work, night = POLICY.rules_of("orders-db", "read")
    write, payroll = POLICY.rule("orders-db", "write"), POLICY.rule("payroll", "read")
    assert write is not None
    assert payroll is not None
    assert (work.total, night.total, night.default) == tuple(timedelta(hours=hours) for hours in (8, 1, 1))
    assert (work.review, payroll.review) == (True, False)
    assert (write.first_use, write.use_within) == (True, timedelta(minutes=30))
    assert (payroll.first_use, payroll.use_within, payroll.ticket_open) == (False, None, False)


def test_one_person_has_several_ids_and_other_systems_find_them() -> None:
    assert POLICY.person("T", "U0GRACE2", "x") == Person("T/U0GRACE", "grace", "U0GRACE2")
    assert POLICY.whose("PGRACE", "") == "U0GRACE"
    assert POLICY.whose("PNOBODY", "grace@example.com") == "U0GRACE"
    assert POLICY.whose("PNOBODY", "") is None


# Groups that are kept elsewhere


def test_who_is_in_a_looked_up_group_may_ask_also_without_a_name_in_the_file() -> None:
    stranger = POLICY.person("T0ACME", "U0STRANGER", "someone")
    wanted = replace(ask("linus", "payroll"), by=stranger)
    assert not POLICY.judge_ask(wanted, facts()).allowed
    assert POLICY.judge_ask(wanted, facts(owners=["U0STRANGER"])).allowed
    assert POLICY.judge_ask(replace(ask("grace", "payroll")), facts(owners=["U0GRACE2"])).allowed


@pytest.mark.parametrize("known", [facts(owners="Slack does not answer."), Facts(NOON), NOTHING_KNOWN])
def test_an_unknown_group_gives_nothing_and_says_so(known: Facts) -> None:
    verdict = POLICY.judge_ask(replace(ask("margaret", "payroll")), known)
    assert not verdict.allowed
    assert verdict.unknown
    assert "Nobody can tell right now who is in owners" in verdict.why


def test_an_old_answer_is_no_answer() -> None:
    old = Facts(NOON, {OWNERS: Looked(frozenset({"U0MARGARET"}), NOON - timedelta(minutes=6))})
    assert POLICY.judge_ask(ask("margaret", "payroll"), old).unknown


def test_an_unknown_rule_is_not_passed_over_unless_it_is_the_laxer_one() -> None:
    dark = facts(rota="PagerDuty does not answer.")
    assert POLICY.judge_ask(ask("linus"), dark).rule == "orders-db/read#2"  # the first needs nobody's approval
    strict = policy(TEXT.replace("max: 2h, approve: nobody", "max: 2h, approve: {by: [margaret, katherine], count: 2}"))
    verdict = strict.judge_ask(ask("linus"), dark)
    assert not verdict.allowed
    assert verdict.unknown


def test_a_deny_rule_whose_group_is_unknown_denies() -> None:
    text = TEXT.replace("deny:\n", "deny:\n  - {who: [owners], targets: all, why: Owners only look.}\n")
    assert policy(text).judge_ask(ask("linus"), facts()).allowed
    dark = policy(text).judge_ask(ask("linus"), facts(owners="Slack does not answer."))
    assert not dark.allowed
    assert "Owners only look. Nobody can tell" in dark.why


# What is running


def grant(name: str, target: str = "orders-db") -> Grant:
    return Grant(
        number=1, request_id="r1", requester=person(name), target=target, role="read", reason="x", ticket="OPS-1",
        provider="memory", uses={}, state=GrantState.ACTIVE, created_at=NOON, expires_at=NOON + timedelta(hours=9),
        due_at=NOON,
        duration=timedelta(hours=1),
    )  # fmt: skip


def test_hours_freezes_and_shorter_lengths_end_nothing_that_runs() -> None:
    assert POLICY.judge_grant(grant("linus"), person("linus"), facts(FROZEN)).allowed


def test_who_left_the_group_or_is_denied_keeps_nothing() -> None:
    assert not POLICY.judge_grant(grant("margaret"), person("margaret"), facts()).allowed
    denied = POLICY.judge_grant(grant("ada", "payroll"), person("ada"), facts())
    assert (denied.allowed, denied.unknown) == (False, False)


def test_what_cannot_be_known_is_no_reason_to_end_anything() -> None:
    kept = POLICY.judge_grant(grant("margaret", "payroll"), person("margaret"), facts(owners="Slack is silent."))
    assert (kept.allowed, kept.unknown) == (False, True)


def test_what_has_to_be_looked_up_is_named() -> None:
    assert POLICY.look_ups() == {OWNERS, ROTA}
    assert POLICY.look_ups("payroll", "read") == {OWNERS}
    assert POLICY.look_ups("orders-db", "write") == {ROTA}


# Deciding


def test_the_owner_decides_and_nobody_their_own_request() -> None:
    asked = request("ada", rule="orders-db/read#2")
    assert POLICY.judge_decision(asked, person("grace"), facts()).allowed
    assert "own request" in POLICY.judge_decision(asked, person("ada"), facts()).why
    assert "decided by grace" in POLICY.judge_decision(asked, person("linus"), facts()).why


def test_ones_own_request_only_where_the_rule_says_so() -> None:
    asked = request("linus", "payroll")
    assert POLICY.judge_decision(asked, person("linus"), facts()).allowed
    assert not POLICY.judge_decision(request("ada", "payroll"), person("ada"), facts()).allowed


def test_an_escalation_counts_only_from_its_time() -> None:
    asked, rota = request("linus", role="write"), ["U0KATHERINE"]
    early = POLICY.judge_decision(asked, person("katherine"), facts(rota=rota))
    assert early.counts_to == "stage 2 of 2"  # she is in security too
    stand_in = POLICY.person("T0ACME", "U0STANDIN", "x")
    early = POLICY.judge_decision(asked, stand_in, facts(rota=["U0STANDIN"]))
    assert early.why.startswith("From 11:10 UTC on")
    late = POLICY.judge_decision(asked, stand_in, facts(NOON + timedelta(minutes=10), rota=["U0STANDIN"]))
    assert (late.allowed, late.counts_to) == (True, "stage 1 of 2")


def test_an_unknown_rota_decides_nothing() -> None:
    later = facts(NOON + timedelta(minutes=10), rota="PagerDuty is silent.")
    verdict = POLICY.judge_decision(request("linus", role="write"), person("linus"), later)
    assert not verdict.allowed
    stranger = POLICY.person("T0ACME", "U0STANDIN", "x")
    assert POLICY.judge_decision(request("linus", role="write"), stranger, later).unknown


def test_a_standing_says_who_is_asked_now_and_who_later() -> None:
    asked = request("linus", role="write")
    first = POLICY.standing(asked, (), facts(rota=["U0STANDIN"]))
    assert (first.met, first.count, first.needed, first.asked) == (False, 0, 2, ("ada", "grace"))
    assert [(later.people, later.at) for later in first.next] == [
        (("U0STANDIN",), NOON + timedelta(minutes=10)), (("katherine", "margaret"), None),
    ]  # fmt: skip
    second = POLICY.standing(asked, votes("ada"), facts(rota=["U0STANDIN"]))
    assert (second.count, second.asked) == (1, ("katherine", "margaret"))
    assert [(stage.count, stage.needed, stage.met) for stage in second.stages] == [(1, 1, True), (0, 1, False)]
    assert POLICY.standing(asked, votes("ada", "margaret"), facts()).met


def test_votes_count_in_any_order_and_one_that_falls_away_blocks_nothing() -> None:
    asked = request("linus", role="write")
    assert POLICY.standing(asked, votes("margaret", "ada"), facts()).met
    assert not POLICY.standing(asked, votes("margaret"), facts()).met  # ada has left
    assert POLICY.standing(asked, votes("margaret", "grace"), facts()).met


def test_a_person_counts_once_and_where_it_helps_most() -> None:
    text = TEXT.replace("            - {by: security}\n", "            - {by: [ada, margaret]}\n")
    found, asked = policy(text), request("linus", role="write")
    assert not found.standing(asked, votes("ada"), facts()).met
    assert found.standing(asked, votes("ada", "grace"), facts()).met  # ada moves to the second stage
    assert not found.standing(asked, [*votes("ada"), *votes("ada")], facts()).met


def test_alternatives_are_met_by_either() -> None:
    asked = request("margaret", "payroll")
    assert POLICY.standing(asked, votes("linus"), facts()).met
    assert POLICY.standing(asked, votes("ada"), facts()).needed == 2
    assert POLICY.standing(asked, votes("ada", "grace"), facts()).met
    assert not POLICY.standing(asked, votes("ada", "margaret"), facts()).met


def test_what_was_needed_at_the_asking_is_not_lowered_by_a_later_policy() -> None:
    asked = request("linus", role="write", approvals_needed=3)
    assert POLICY.standing(asked, votes("ada", "margaret"), facts()).needed == 3
    assert POLICY.standing(asked, votes("ada", "margaret", "katherine"), facts()).met
    without = request("linus", "payroll", approvals_needed=1)
    assert not policy(TEXT.replace(POLICY.text, POLICY.text)).standing(without, (), facts()).met
