"""Logs that are signed and whole, and say that access was not as it should be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.verifier.making import ADA, GRACE, HOUR, LINUS, SECOND, Log
from tests.verifier.reports import Judged, names_the_wrong_one
from tests.verifier.steps import REF, TWICE, active, approved, asked, ended, given, issued, later, running
from verifier.meaning import ACTIONS

#: name: how the log begins, the entry that is wrong, what is said of it
WRONG: dict[str, tuple[Callable[[Log], object], Callable[[Log], int], str]] = {
    "asked twice": (asked, lambda log: log.ask(REF), "not the first"),
    "asked under an unknown policy": (Log.begin, lambda log: log.ask(REF, policy_hash="0" * 64), "never loaded"),
    "approved by the requester": (asked, lambda log: log.give(REF, LINUS), "by the requester, linus"),
    "approved by the requester's other id": (
        asked, lambda log: log.give(REF, {**LINUS, "id": "T0OTHER/U0LINUS"}), "by the requester",
    ),
    "another request approved": (asked, lambda log: log.give(REF, digest="e" * 64), "something else"),
    "approved under an unknown policy": (asked, lambda log: log.give(REF, policy_hash="0" * 64), "never loaded"),
    "approval of nothing": (Log.begin, lambda log: log.give(REF), "not asked"),
    "approval after the end": (ended, lambda log: log.give(REF), "is closed"),
    "no approval at all": (asked, lambda log: log.approve(REF), "not given: T0ACME/U0ADA"),
    "nobody counted": (given, lambda log: log.approve(REF, approvers=[]), "needs 1 approvals"),
    "the requester counted": (
        given, lambda log: log.approve(REF, approvers=[ADA["id"], LINUS["id"]]), "the requester among",
    ),
    "one counted twice": (
        lambda log: (log.begin(), log.ask(REF, **TWICE), log.give(REF), log.give(REF)),
        lambda log: log.approve(REF, approvers=[ADA["id"], ADA["id"]]), "needs 2 approvals by others and has 1",
    ),
    "more needed by then": (
        lambda log: (asked(log), log.give(REF, needed=2)), lambda log: log.approve(REF), "needs 2 approvals",
    ),
    "longer than asked": (
        given, lambda log: log.approve(REF, expires_at=log.now + 2 * HOUR), "longer than was asked",
    ),
    "approved twice": (approved, lambda log: log.approve(REF), "is approved"),
    "denied after approval": (approved, lambda log: log.add("request.denied", REF, ADA, rule="r"), "is approved"),
    "active without approval": (given, lambda log: log.add("grant.active", REF, expires_at=1), "asked, not approved"),
    "another deadline": (approved, lambda log: log.activate(REF, expires_at=1), "another deadline"),
    "active twice": (active, lambda log: log.activate(REF), "is active, not approved"),
    "failed when it was active": (active, lambda log: log.add("grant.failed", REF, why="w"), "is active"),
    "not intended": (active, lambda log: log.issue(REF), "not intended"),
    "issued twice": (issued, lambda log: log.issue(REF), "was issued"),
    "issued after it was aborted": (
        lambda log: (active(log), log.intend(REF), log.add("credential.aborted", REF, n=1, why="w")),
        lambda log: log.issue(REF), "was aborted",
    ),
    "intended twice": (issued, lambda log: log.intend(REF), "repeats"),
    "intended before it was active": (
        lambda log: (approved(log),), lambda log: log.intend(REF), "grant is approved, not active",
    ),
    "issued while ending": (
        lambda log: (active(log), log.intend(REF), log.ending(REF)), lambda log: log.issue(REF), "is ending",
    ),
    "issued after the end": (ended, lambda log: (log.intend(REF, 2), log.issue(REF, 2))[0], "is closed, not active"),
    "issued long after the deadline": (
        lambda log: (issued(log), later(log, 2)), lambda log: log.intend(REF, 2), "60 min outside its grant",
    ),
    "issued to somebody else": (active, lambda log: log.intend(REF, by=GRACE), "not for the requester"),
    "aborted out of nothing": (
        active, lambda log: log.add("credential.aborted", REF, n=3, why="w"), "never intended",
    ),
    "ended without an ending": (issued, lambda log: log.ended(REF), "is active, not ending"),
    "ended twice": (ended, lambda log: log.ended(REF), "is closed"),
    "ending of nothing": (given, lambda log: log.ending(REF), "grant is asked"),
    "a credential forgotten": (
        lambda log: (issued(log), log.ending(REF)), lambda log: log.ended(REF, credentials=0), "1 were issued",
    ),
    "late without a word, though the server was up": (
        lambda log: (issued(log), running(log, 2), log.ending(REF)), lambda log: log.ended(REF),
        "nothing in the log says why, although the server was up",
    ),
    "over in time by its own word, though the log was written all the while": (
        lambda log: (issued(log), running(log, 2), log.ending(REF, happened_at=log.now - HOUR)),
        lambda log: log.ended(REF, happened_at=log.now - HOUR), "although the server was up",
    ),
    "ending at a time to come": (
        issued, lambda log: log.ending(REF, happened_at=log.now + HOUR), "a time that was still to come",
    ),
    "ended at a time to come": (
        lambda log: (issued(log), log.ending(REF)), lambda log: log.ended(REF, happened_at=log.now + HOUR),
        "a time that was still to come",
    ),
    "late after a doubt that was over": (
        lambda log: (
            approved(log), log.add("grant.quarantined", REF, why="slow"), log.activate(REF), running(log, 2),
            log.ending(REF),
        ),
        lambda log: log.ended(REF, credentials=0), "although the server was up",
    ),
    "late before a start": (
        lambda log: (issued(log), running(log, 2), log.add("server.started", version="0.1.0"), log.ending(REF)),
        lambda log: log.ended(REF), "although the server was up",
    ),
    "late long after one failure": (
        lambda log: (
            issued(log), later(log, 1), log.ending(REF),
            log.add("revocation.failed", REF, tries=1, why="w", escalated=False), running(log, 2),
        ),
        lambda log: log.ended(REF), "although the server was up",
    ),
    "ended in time by a date put back": (
        lambda log: (issued(log), later(log, 30)), lambda log: log.ending(REF, at=log.now - 29 * HOUR),
        "was recorded 104401 s after the time that it gives itself",
    ),
    "a credential dated back": (
        lambda log: (active(log), later(log, 0.5)), lambda log: log.intend(REF, at=log.now - HOUR // 2),
        "was recorded 1801 s after",
    ),
    "a query dated back": (
        lambda log: (ended(log), later(log, 9)), lambda log: log.query(REF, at=log.now - 9 * HOUR - 3 * SECOND),
        "was recorded 32404 s after",
    ),
    "approval after it had lapsed": (
        lambda log: (asked(log), later(log, 2)), lambda log: log.give(REF), "after the request had lapsed",
    ),
    "the last approval after it had lapsed": (
        lambda log: (given(log), later(log, 2)), lambda log: log.approve(REF), "after the request had lapsed",
    ),
    "a credential that outlives its grant": (
        lambda log: (active(log), log.intend(REF)), lambda log: log.issue(REF, not_after=log.now + 5 * HOUR),
        "credential 1, which outlives its grant",
    ),
    "a query by somebody else": (
        issued, lambda log: log.add("db.query", REF, GRACE, target="orders-db"), "not done by the requester",
    ),
    "a query at another target": (issued, lambda log: log.query(REF, target="payroll-db"), "at another target"),
    "ended without proof": (
        lambda log: (issued(log), log.ending(REF)), lambda log: log.ended(REF, proof=[]), "says nothing of what",
    ),
    "more credentials than were issued": (
        lambda log: (issued(log), log.ending(REF)), lambda log: log.ended(REF, credentials=77),
        "speaks of 77 credentials, but only 1 were issued",
    ),
    "a field is missing": (asked, lambda log: log.add("approval.given", REF, ADA), "lacks what"),
    "nobody did it": (asked, lambda log: log.add("approval.given", REF, digest="d" * 64, needed=1), "lacks what"),
    "asked without a request": (Log.begin, lambda log: log.add("request.asked", "", LINUS), "belongs to no request"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_must_not_be(judged: Judged, name: str) -> None:
    begin, wrong, words = WRONG[name]
    log = Log()
    begin(log)
    names_the_wrong_one(judged, log, wrong, words)


@pytest.mark.parametrize("action", sorted(ACTIONS))
def test_actions_belong_into_an_active_grant(judged: Judged, action: str) -> None:
    def first_fault(log: Log) -> tuple[str, int]:
        report = judged(log)
        assert report["exit"] == 1, report
        fault = next(fault for fault in report["failures"] if fault["what"].startswith(action))
        return fault["what"].removeprefix(action), fault["entry"]

    without, before, after, loose = Log(), Log(), Log(), Log()
    approved(without)
    assert first_fault_of(first_fault, without, action) == " happened without an active grant"
    active(before)
    assert first_fault_of(first_fault, before, action, at=before.now - HOUR) == " happened 60 min outside its grant"
    ended(after)
    later(after, 1.5)
    assert "outside its grant" in first_fault_of(first_fault, after, action)
    loose.begin()
    seq = loose.add(action)
    assert first_fault(loose) == (" belongs to no request", seq)


def first_fault_of(judge: Callable[[Log], tuple[str, int]], log: Log, action: str, **data: Any) -> str:
    seq = log.add(action, REF, LINUS, session="s", **data)
    what, entry = judge(log)
    assert entry == seq
    return what
