"""Logs that are signed and whole, and say that access was not as it should be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.verifier.making import ADA, GRACE, HOUR, LINUS, POLICY_HASH, SECOND, Log
from verifier.meaning import ACTIONS

Judged = Callable[..., dict[str, Any]]
REF = "PA-1"


def _asked(log: Log) -> None:
    log.begin()
    log.ask(REF)


def _given(log: Log) -> None:
    _asked(log)
    log.give(REF)


def _approved(log: Log) -> None:
    _given(log)
    log.approve(REF)


def _active(log: Log) -> None:
    _approved(log)
    log.activate(REF)


def _issued(log: Log) -> None:
    _active(log)
    log.intend(REF)
    log.issue(REF)


def _ended(log: Log) -> None:
    _issued(log)
    log.end(REF)


def _later(log: Log, hours: float) -> Log:
    log.now += int(hours * HOUR)
    return log


def _up(log: Log, hours: float) -> Log:
    """The server goes on, and with nothing to do writes a heartbeat every five minutes."""
    for _ in range(int(hours * 12)):
        _later(log, 1 / 12)
        log.add("log.quiet")
    return log


TWICE: dict[str, Any] = {"approvals_needed": 2}

#: name: how the log begins, the entry that is wrong, what is said of it
WRONG: dict[str, tuple[Callable[[Log], object], Callable[[Log], int], str]] = {
    "asked twice": (_asked, lambda log: log.ask(REF), "not the first"),
    "asked under an unknown policy": (Log.begin, lambda log: log.ask(REF, policy_hash="0" * 64), "never loaded"),
    "approved by the requester": (_asked, lambda log: log.give(REF, LINUS), "by the requester, linus"),
    "approved by the requester's other id": (
        _asked, lambda log: log.give(REF, {**LINUS, "id": "T0OTHER/U0LINUS"}), "by the requester",
    ),
    "another request approved": (_asked, lambda log: log.give(REF, digest="e" * 64), "something else"),
    "approved under an unknown policy": (_asked, lambda log: log.give(REF, policy_hash="0" * 64), "never loaded"),
    "approval of nothing": (Log.begin, lambda log: log.give(REF), "not asked"),
    "approval after the end": (_ended, lambda log: log.give(REF), "is closed"),
    "no approval at all": (_asked, lambda log: log.approve(REF), "not given: T0ACME/U0ADA"),
    "nobody counted": (_given, lambda log: log.approve(REF, approvers=[]), "needs 1 approvals"),
    "the requester counted": (
        _given, lambda log: log.approve(REF, approvers=[ADA["id"], LINUS["id"]]), "the requester among",
    ),
    "one counted twice": (
        lambda log: (log.begin(), log.ask(REF, **TWICE), log.give(REF), log.give(REF)),
        lambda log: log.approve(REF, approvers=[ADA["id"], ADA["id"]]), "needs 2 approvals by others and has 1",
    ),
    "more needed by then": (
        lambda log: (_asked(log), log.give(REF, needed=2)), lambda log: log.approve(REF), "needs 2 approvals",
    ),
    "longer than asked": (
        _given, lambda log: log.approve(REF, expires_at=log.now + 2 * HOUR), "longer than was asked",
    ),
    "approved twice": (_approved, lambda log: log.approve(REF), "is approved"),
    "denied after approval": (_approved, lambda log: log.add("request.denied", REF, ADA, rule="r"), "is approved"),
    "active without approval": (_given, lambda log: log.add("grant.active", REF, expires_at=1), "asked, not approved"),
    "another deadline": (_approved, lambda log: log.activate(REF, expires_at=1), "another deadline"),
    "active twice": (_active, lambda log: log.activate(REF), "is active, not approved"),
    "failed when it was active": (_active, lambda log: log.add("grant.failed", REF, why="w"), "is active"),
    "not intended": (_active, lambda log: log.issue(REF), "not intended"),
    "issued twice": (_issued, lambda log: log.issue(REF), "was issued"),
    "issued after it was aborted": (
        lambda log: (_active(log), log.intend(REF), log.add("credential.aborted", REF, n=1, why="w")),
        lambda log: log.issue(REF), "was aborted",
    ),
    "intended twice": (_issued, lambda log: log.intend(REF), "repeats"),
    "intended before it was active": (
        lambda log: (_approved(log),), lambda log: log.intend(REF), "grant is approved, not active",
    ),
    "issued while ending": (
        lambda log: (_active(log), log.intend(REF), log.ending(REF)), lambda log: log.issue(REF), "is ending",
    ),
    "issued after the end": (_ended, lambda log: (log.intend(REF, 2), log.issue(REF, 2))[0], "is closed, not active"),
    "issued long after the deadline": (
        lambda log: (_issued(log), _later(log, 2)), lambda log: log.intend(REF, 2), "60 min outside its grant",
    ),
    "issued to somebody else": (_active, lambda log: log.intend(REF, by=GRACE), "not for the requester"),
    "aborted out of nothing": (
        _active, lambda log: log.add("credential.aborted", REF, n=3, why="w"), "never intended",
    ),
    "ended without an ending": (_issued, lambda log: log.ended(REF), "is active, not ending"),
    "ended twice": (_ended, lambda log: log.ended(REF), "is closed"),
    "ending of nothing": (_given, lambda log: log.ending(REF), "grant is asked"),
    "a credential forgotten": (
        lambda log: (_issued(log), log.ending(REF)), lambda log: log.ended(REF, credentials=0), "1 were issued",
    ),
    "late without a word, though the server was up": (
        lambda log: (_issued(log), _up(log, 2), log.ending(REF)), lambda log: log.ended(REF),
        "nothing in the log says why, although the server was up",
    ),
    "over in time by its own word, though the log was written all the while": (
        lambda log: (_issued(log), _up(log, 2), log.ending(REF, happened_at=log.now - HOUR)),
        lambda log: log.ended(REF, happened_at=log.now - HOUR), "although the server was up",
    ),
    "ending at a time to come": (
        _issued, lambda log: log.ending(REF, happened_at=log.now + HOUR), "a time that was still to come",
    ),
    "ended at a time to come": (
        lambda log: (_issued(log), log.ending(REF)), lambda log: log.ended(REF, happened_at=log.now + HOUR),
        "a time that was still to come",
    ),
    "late after a doubt that was over": (
        lambda log: (
            _approved(log), log.add("grant.quarantined", REF, why="slow"), log.activate(REF), _up(log, 2),
            log.ending(REF),
        ),
        lambda log: log.ended(REF, credentials=0), "although the server was up",
    ),
    "late before a start": (
        lambda log: (_issued(log), _up(log, 2), log.add("server.started", version="0.1.0"), log.ending(REF)),
        lambda log: log.ended(REF), "although the server was up",
    ),
    "late long after one failure": (
        lambda log: (
            _issued(log), _later(log, 1), log.ending(REF),
            log.add("revocation.failed", REF, tries=1, why="w", escalated=False), _up(log, 2),
        ),
        lambda log: log.ended(REF), "although the server was up",
    ),
    "ended in time by a date put back": (
        lambda log: (_issued(log), _later(log, 30)), lambda log: log.ending(REF, at=log.now - 29 * HOUR),
        "was recorded 104401 s after the time that it gives itself",
    ),
    "a credential dated back": (
        lambda log: (_active(log), _later(log, 0.5)), lambda log: log.intend(REF, at=log.now - HOUR // 2),
        "was recorded 1801 s after",
    ),
    "a query dated back": (
        lambda log: (_ended(log), _later(log, 9)), lambda log: log.query(REF, at=log.now - 9 * HOUR - 3 * SECOND),
        "was recorded 32404 s after",
    ),
    "approval after it had lapsed": (
        lambda log: (_asked(log), _later(log, 2)), lambda log: log.give(REF), "after the request had lapsed",
    ),
    "the last approval after it had lapsed": (
        lambda log: (_given(log), _later(log, 2)), lambda log: log.approve(REF), "after the request had lapsed",
    ),
    "a credential that outlives its grant": (
        lambda log: (_active(log), log.intend(REF)), lambda log: log.issue(REF, not_after=log.now + 5 * HOUR),
        "credential 1, which outlives its grant",
    ),
    "a query by somebody else": (
        _issued, lambda log: log.add("db.query", REF, GRACE, target="orders-db"), "not done by the requester",
    ),
    "a query at another target": (_issued, lambda log: log.query(REF, target="payroll-db"), "at another target"),
    "ended without proof": (
        lambda log: (_issued(log), log.ending(REF)), lambda log: log.ended(REF, proof=[]), "says nothing of what",
    ),
    "more credentials than were issued": (
        lambda log: (_issued(log), log.ending(REF)), lambda log: log.ended(REF, credentials=77),
        "speaks of 77 credentials, but only 1 were issued",
    ),
    "a field is missing": (_asked, lambda log: log.add("approval.given", REF, ADA), "lacks what"),
    "nobody did it": (_asked, lambda log: log.add("approval.given", REF, digest="d" * 64, needed=1), "lacks what"),
    "asked without a request": (Log.begin, lambda log: log.add("request.asked", "", LINUS), "belongs to no request"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_must_not_be(judged: Judged, name: str) -> None:
    begin, wrong, words = WRONG[name]
    log = Log()
    begin(log)
    seq = wrong(log)
    report = judged(log)
    assert report["exit"] == 1, report
    first = report["failures"][0]
    assert (first["check"], first["entry"]) == ("meaning", seq)
    assert words in first["what"]


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_actions_belong_into_an_active_grant(judged: Judged, action: str) -> None:
    def first_fault(log: Log) -> tuple[str, int]:
        report = judged(log)
        assert report["exit"] == 1, report
        fault = next(fault for fault in report["failures"] if fault["what"].startswith(action))
        return fault["what"].removeprefix(action), fault["entry"]

    without, before, after, loose = Log(), Log(), Log(), Log()
    _approved(without)
    assert first_fault_of(first_fault, without, action) == " happened without an active grant"
    _active(before)
    assert first_fault_of(first_fault, before, action, at=before.now - HOUR) == " happened 60 min outside its grant"
    _ended(after)
    _later(after, 1.5)
    assert "outside its grant" in first_fault_of(first_fault, after, action)
    loose.begin()
    seq = loose.add(action)
    assert first_fault(loose) == (" belongs to no request", seq)


def first_fault_of(judge: Callable[[Log], tuple[str, int]], log: Log, action: str, **data: Any) -> str:
    seq = log.add(action, REF, LINUS, session="s", **data)
    what, entry = judge(log)
    assert entry == seq
    return what


# What is honest, though it is not as planned


def _exceptions(report: dict[str, Any]) -> list[str]:
    assert report["exit"] == 0, report
    return [found["what"] for found in report["exceptions"]]


def test_a_revocation_that_failed_explains_the_delay(judged: Judged) -> None:
    log = Log()
    _issued(log)
    _later(log, 1)
    log.ending(REF)
    log.add("revocation.failed", REF, tries=3, why="Vault did not answer", escalated=True)
    _later(log, 0.5)
    log.ended(REF)
    (what,) = _exceptions(judged(log))
    assert what.startswith("ended 30 min after its deadline; revocation.failed in entry 10: Vault did not answer")


def test_a_server_that_was_down_explains_the_delay(judged: Judged) -> None:
    log = Log()
    _issued(log)
    log.add("server.stopped")
    _later(log, 3)
    log.add("server.started", version="0.1.0")
    log.end(REF)
    (what,) = _exceptions(judged(log))
    assert "the server was started 2.0 s before" in what


def test_a_server_that_started_before_the_deadline_explains_nothing(judged: Judged) -> None:
    log = Log()
    _issued(log)
    log.add("server.started", version="0.1.0")
    _later(log, 3)
    log.end(REF)
    assert _exceptions(judged(log))[0].endswith("and nothing in the log says why")


def test_lateness_within_the_tolerance(judged: Judged) -> None:
    log = Log()
    _issued(log)
    log.now += HOUR + 30 * SECOND
    log.end(REF)
    assert _exceptions(judged(log)) == []
    assert len(_exceptions(judged(log, "--tolerance", 5))) == 1


def test_an_end_that_the_database_took_down_later_is_told_with_the_servers_word(judged: Judged) -> None:
    log = Log()
    _issued(log)
    deadline = log.now + HOUR
    log.now = deadline + 600 * SECOND
    for add in (log.ending, log.ended):
        add(REF, happened_at=deadline + 2 * SECOND)
    (what,) = _exceptions(judged(log))
    assert what.startswith("ended 10 min after its deadline; it says that everything was gone ")
    assert what.endswith(" s after it, and the database took that down only then")


def test_a_grant_that_never_ends(judged: Judged) -> None:
    log = Log()
    _issued(log)
    log.add("log.quiet")
    assert judged(log)["exit"] == 0  # not yet due
    _later(log, 2)
    log.add("log.quiet")
    report = judged(log)
    (what,) = _exceptions(report)
    assert what.startswith("is still open 60 min after its deadline, and nothing")
    assert "1 grant ended late, or not yet, and the log does not say why: ask (exceptions)" in report["remarks"]
    failure = judged(_up(log, 1))["failures"][0]
    assert failure["what"].endswith("although the server was up")
    assert (failure["ref"], failure["entry"]) == (REF, 8)


def test_a_machine_that_slept_over_the_deadline_is_no_forgery(judged: Judged) -> None:
    log = Log()
    _issued(log)
    _up(log, 0.9)
    _later(log, 0.5)
    log.end(REF)
    _up(log, 1)
    report = judged(log)
    (what,) = _exceptions(report)
    assert what == "ended 20 min after its deadline, and nothing in the log says why"


def test_a_slow_start_is_no_forgery(judged: Judged) -> None:
    for before in (0.99, 1.2):  # hours after the approval: short of the deadline, and beyond it
        log = Log()
        _issued(log)
        _later(log, before)
        log.add("server.started", version="0.1.0")
        log.now += 100 * SECOND
        log.end(REF)
        assert len(_exceptions(judged(log))) == 1


def _stepped_back(log: Log, seconds: int) -> Callable[[Callable[..., int]], int]:
    """The clock shows less by so much: recorded_at stands still until it has caught up."""

    def then(add: Callable[..., int]) -> int:
        log.now -= SECOND
        return add(REF, at=log.now - seconds * SECOND)

    return then


def test_a_clock_that_is_set_back_is_no_forgery(judged: Judged) -> None:
    log = Log()
    _active(log)
    then = _stepped_back(log, 600)
    for add in (log.intend, log.issue, log.query, log.ending, log.ended):
        then(add)
    what = _exceptions(judged(log))
    assert what[0] == "the clock stood 601 s behind the entry before, so times here are not sure until it caught up"


def test_one_wrong_reading_of_the_clock_is_no_forgery(judged: Judged) -> None:
    log = Log()
    _issued(log)
    true, log.now = log.now, log.now + 70 * 365 * 24 * HOUR
    log.add("log.quiet")
    for at, add in enumerate((log.query, log.ending, log.ended)):
        log.now -= SECOND
        add(REF, at=true + at * SECOND)
    assert len(_exceptions(judged(log))) == 1  # the clock


def test_an_open_grant_is_judged_by_when_the_last_entry_happened(judged: Judged) -> None:
    log = Log()
    _issued(log)
    true, log.now = log.now, log.now + 70 * 365 * 24 * HOUR
    log.add("log.quiet")
    log.now -= SECOND
    log.add("log.quiet", at=true)
    assert len(_exceptions(judged(log))) == 1  # the clock


def test_a_credential_taken_back_after_the_grant_has_ended(judged: Judged) -> None:
    log = Log()
    _issued(log)
    log.intend(REF, 2)
    log.end(REF)
    for n in (1, 2):
        log.add("credential.aborted", REF, n=n, why="not covered in time")
    assert _exceptions(judged(log)) == []


def test_a_grant_that_still_cannot_be_ended(judged: Judged) -> None:
    log = Log()
    _issued(log)
    _later(log, 1)
    log.ending(REF)
    log.add("revocation.failed", REF, tries=3, why="Vault did not answer", escalated=True)
    _later(log, 2)
    log.add("log.quiet")
    (what,) = _exceptions(judged(log))
    assert what.startswith("is still open 120 min after its deadline; revocation.failed in entry 10")


@pytest.mark.parametrize("type_", ["request.denied", "request.cancelled", "request.expired"])
def test_a_request_that_came_to_nothing(judged: Judged, type_: str) -> None:
    log = Log()
    _asked(log)
    log.add(type_, REF)
    log.add("act.refused", REF, ADA, act="approve", why="too late")
    assert _exceptions(judged(_later(log, 5))) == []


def test_a_grant_whose_opening_failed(judged: Judged) -> None:
    log = Log()
    _approved(log)
    log.add("grant.quarantined", REF, why="no answer")
    log.add("grant.failed", REF, why="nothing of it exists")
    assert _exceptions(judged(_later(log, 5))) == []


def test_an_aborted_credential_and_a_second_one(judged: Judged) -> None:
    log = Log()
    _active(log)
    log.intend(REF)
    log.add("credential.aborted", REF, n=1, why="refused")
    log.intend(REF, 2)
    log.issue(REF, 2)
    log.intend(REF, 3)
    log.issue(REF, 3)
    log.add("credential.aborted", REF, n=3, why="not covered in time")
    log.ending(REF)
    log.ended(REF, credentials=2)
    assert _exceptions(judged(log)) == []


def test_an_intent_without_an_end_is_to_be_looked_at(judged: Judged) -> None:
    log = Log()
    _issued(log)
    log.intend(REF, 2)
    log.end(REF)
    assert _exceptions(judged(log)) == ["credential 2 was intended, and nothing says what became of it"]


def test_an_action_just_after_the_end_is_to_be_looked_at(judged: Judged) -> None:
    log = Log()
    _issued(log)
    log.ending(REF)
    log.query(REF)
    log.ended(REF)
    assert _exceptions(judged(log)) == ["db.query happened 1.0 s outside its grant"]


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
    assert _exceptions(judged(log)) == []


def test_a_policy_that_is_kept_is_known_without_its_loading(judged: Judged) -> None:
    log = Log()
    log.story(REF)
    assert POLICY_HASH
    assert _exceptions(judged(log)) == []


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
    _asked(log)
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
        _asked(log)
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
    _ended(log)
    _later(log, 5)
    log.add(action, REF, LINUS, session="s", target="orders-db", late=True)
    report = judged(log)
    assert report["exit"] == 0, report
    assert [what for what in _exceptions(report) if "gateway that had stopped" in what]
    log.add(action, REF, ADA, session="s", target="orders-db", late=True)
    assert judged(log)["exit"] == 1


def test_that_a_session_is_over_may_be_said_just_after_the_end(judged: Judged) -> None:
    log = Log()
    _issued(log)
    log.ending(REF)
    log.add("session.closed", REF, LINUS, session="s")
    log.ended(REF)
    assert _exceptions(judged(log)) == []
