"""Honest, though it is not as planned: told as an exception, or passed over, and never a fault."""

from __future__ import annotations

import pytest

from tests.verifier.making import ADA, GRACE, LINUS, POLICY_HASH, SECOND, Log
from tests.verifier.reports import Judged, exceptions
from tests.verifier.steps import REF, TWICE, active, approved, asked, ended, issued, later


def test_a_credential_taken_back_after_the_grant_has_ended(judged: Judged) -> None:
    log = Log()
    issued(log)
    log.intend(REF, 2)
    log.end(REF)
    for n in (1, 2):
        log.add("credential.aborted", REF, n=n, why="not covered in time")
    assert exceptions(judged(log)) == []


@pytest.mark.parametrize("type_", ["request.denied", "request.cancelled", "request.expired"])
def test_a_request_that_came_to_nothing(judged: Judged, type_: str) -> None:
    log = Log()
    asked(log)
    log.add(type_, REF)
    log.add("act.refused", REF, ADA, act="approve", why="too late")
    assert exceptions(judged(later(log, 5))) == []


def test_a_grant_whose_opening_failed(judged: Judged) -> None:
    log = Log()
    approved(log)
    log.add("grant.quarantined", REF, why="no answer")
    log.add("grant.failed", REF, why="nothing of it exists")
    assert exceptions(judged(later(log, 5))) == []


def test_an_aborted_credential_and_a_second_one(judged: Judged) -> None:
    log = Log()
    active(log)
    log.intend(REF)
    log.add("credential.aborted", REF, n=1, why="refused")
    log.intend(REF, 2)
    log.issue(REF, 2)
    log.intend(REF, 3)
    log.issue(REF, 3)
    log.add("credential.aborted", REF, n=3, why="not covered in time")
    log.ending(REF)
    log.ended(REF, credentials=2)
    assert exceptions(judged(log)) == []


def test_an_intent_without_an_end_is_to_be_looked_at(judged: Judged) -> None:
    log = Log()
    issued(log)
    log.intend(REF, 2)
    log.end(REF)
    assert exceptions(judged(log)) == ["credential 2 was intended, and nothing says what became of it"]


def test_an_action_just_after_the_end_is_to_be_looked_at(judged: Judged) -> None:
    log = Log()
    issued(log)
    log.ending(REF)
    log.query(REF)
    log.ended(REF)
    assert exceptions(judged(log)) == ["db.query happened 1.0 s outside its grant"]


def test_two_approvers(judged: Judged) -> None:
    log = Log()
    log.begin()
    log.ask(REF, **TWICE)
    log.give(REF, ADA, needed=2)
    log.give(REF, GRACE, needed=2, count=2)
    log.approve(REF, approvers=[ADA["id"], GRACE["id"]])
    log.activate(REF)
    log.ending(REF)
    log.ended(REF, credentials=0)
    assert exceptions(judged(log)) == []


def test_a_policy_that_is_kept_is_known_without_its_loading(judged: Judged) -> None:
    log = Log()
    log.story(REF)
    assert POLICY_HASH
    assert exceptions(judged(log)) == []


def test_kinds_that_are_not_known_are_passed_over(judged: Judged) -> None:
    log = Log()
    log.begin()
    log.add("something.new", REF, what="?")
    assert judged(log)["exit"] == 0


def test_a_newer_form_cannot_be_judged(judged: Judged) -> None:
    log = Log()
    log.begin()
    log.bodies[1] = log.bodies[1].replace(b'"v":1}', b'"v":2}')
    report = judged(log)
    assert report["exit"] == 2
    assert "1 entries are written in a newer form" in report["undecided"][0]


def test_many_faults_are_counted_and_the_first_is_named(judged: Judged) -> None:
    log = Log()
    log.begin()
    for _ in range(1200):
        log.add("db.query", session="s")
    report = judged(log)
    assert (len(report["failures"]), report["more"]) == (1000, {"failures": 200})
    assert report["failures"][0]["entry"] == 3


def test_ones_own_approval_counts_where_its_entry_says_that_the_rule_allows_it(judged: Judged) -> None:
    log = Log()
    asked(log)
    log.give(REF, LINUS, own_request=True)
    log.approve(REF, approvers=[LINUS["id"]])
    assert judged(log)["exit"] == 0


def test_what_is_needed_is_what_the_last_approval_counts_to_but_never_less_than_promised(judged: Judged) -> None:
    for promised, exit_code in ((1, 0), (2, 1)):
        log = Log()
        log.begin()
        log.ask(REF, approvals_needed=promised)
        log.give(REF, GRACE, needed=2)
        log.give(REF, ADA, needed=1)
        log.approve(REF, approvers=[ADA["id"]])
        assert judged(log)["exit"] == exit_code


def test_nothing_lasts_longer_than_the_shortest_approval(judged: Judged) -> None:
    for minutes, exit_code in ((30, 0), (31, 1)):
        log = Log()
        log.begin()
        log.ask(REF, **TWICE)
        log.give(REF, ADA, needed=2, shorter=1800)
        log.give(REF, GRACE, needed=2, count=2, shorter=2700)
        log.approve(REF, approvers=[ADA["id"], GRACE["id"]], expires_at=log.now + SECOND + minutes * 60 * SECOND)
        report = judged(log)
        assert report["exit"] == exit_code
        assert ("lasts longer than was asked for and approved" in str(report["failures"])) == bool(exit_code)


def test_people_are_called_only_to_what_waits_for_them(judged: Judged) -> None:
    for kind, fields in (("request.reminded", {"to": ["U0ADA"]}), ("request.escalated", {"to": ["U0ADA"], "why": "w"})):
        log = Log()
        asked(log)
        log.add(kind, REF, **fields)
        log.give(REF)
        log.approve(REF)
        assert judged(log)["exit"] == 0
        log.add(kind, REF, **fields)
        assert judged(log)["exit"] == 1


@pytest.mark.parametrize("action", ["db.query", "session.closed"])
def test_what_a_dead_gateway_left_is_told_later_and_to_be_looked_at(judged: Judged, action: str) -> None:
    """But nobody else's, and not before access was given."""
    log = Log()
    ended(log)
    later(log, 5)
    log.add(action, REF, LINUS, session="s", target="orders-db", late=True)
    report = judged(log)
    assert report["exit"] == 0, report
    assert [what for what in exceptions(report) if "gateway that had stopped" in what]
    log.add(action, REF, ADA, session="s", target="orders-db", late=True)
    assert judged(log)["exit"] == 1


def test_that_a_session_is_over_may_be_said_just_after_the_end(judged: Judged) -> None:
    log = Log()
    issued(log)
    log.ending(REF)
    log.add("session.closed", REF, LINUS, session="s")
    log.ended(REF)
    assert exceptions(judged(log)) == []
