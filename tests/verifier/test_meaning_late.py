"""Honest, though it is late: what explains a delay, and a clock that went astray."""

from __future__ import annotations

from collections.abc import Callable

from tests.verifier.making import HOUR, SECOND, Log
from tests.verifier.reports import Judged, exceptions
from tests.verifier.steps import REF, active, issued, later, running


def test_a_revocation_that_failed_explains_the_delay(judged: Judged) -> None:
    log = Log()
    issued(log)
    later(log, 1)
    log.ending(REF)
    log.add("revocation.failed", REF, tries=3, why="Vault did not answer", escalated=True)
    later(log, 0.5)
    log.ended(REF)
    (what,) = exceptions(judged(log))
    assert what.startswith("ended 30 min after its deadline; revocation.failed in entry 10: Vault did not answer")


def test_a_server_that_was_down_explains_the_delay(judged: Judged) -> None:
    log = Log()
    issued(log)
    log.add("server.stopped")
    later(log, 3)
    log.add("server.started", version="0.1.0")
    log.end(REF)
    (what,) = exceptions(judged(log))
    assert "the server was started 2.0 s before" in what


def test_a_server_that_started_before_the_deadline_explains_nothing(judged: Judged) -> None:
    log = Log()
    issued(log)
    log.add("server.started", version="0.1.0")
    later(log, 3)
    log.end(REF)
    assert exceptions(judged(log))[0].endswith("and nothing in the log says why")


def test_lateness_within_the_tolerance(judged: Judged) -> None:
    log = Log()
    issued(log)
    log.now += HOUR + 30 * SECOND
    log.end(REF)
    assert exceptions(judged(log)) == []
    assert len(exceptions(judged(log, "--tolerance", 5))) == 1


def test_an_end_that_the_database_took_down_later_is_told_with_the_servers_word(judged: Judged) -> None:
    log = Log()
    issued(log)
    deadline = log.now + HOUR
    log.now = deadline + 600 * SECOND
    for add in (log.ending, log.ended):
        add(REF, happened_at=deadline + 2 * SECOND)
    (what,) = exceptions(judged(log))
    assert what.startswith("ended 10 min after its deadline; it says that everything was gone ")
    assert what.endswith(" s after it, and the database took that down only then")


def test_a_grant_that_never_ends(judged: Judged) -> None:
    log = Log()
    issued(log)
    log.add("log.quiet")
    assert judged(log)["exit"] == 0  # not yet due
    later(log, 2)
    log.add("log.quiet")
    report = judged(log)
    (what,) = exceptions(report)
    assert what.startswith("is still open 60 min after its deadline, and nothing")
    assert "1 grant ended late, or not yet, and the log does not say why: ask (exceptions)" in report["remarks"]
    failure = judged(running(log, 1))["failures"][0]
    assert failure["what"].endswith("although the server was up")
    assert (failure["ref"], failure["entry"]) == (REF, 8)


def test_a_machine_that_slept_over_the_deadline_is_no_forgery(judged: Judged) -> None:
    log = Log()
    issued(log)
    running(log, 0.9)
    later(log, 0.5)
    log.end(REF)
    running(log, 1)
    report = judged(log)
    (what,) = exceptions(report)
    assert what == "ended 20 min after its deadline, and nothing in the log says why"


def test_a_slow_start_is_no_forgery(judged: Judged) -> None:
    for before in (0.99, 1.2):  # hours after the approval: short of the deadline, and beyond it
        log = Log()
        issued(log)
        later(log, before)
        log.add("server.started", version="0.1.0")
        log.now += 100 * SECOND
        log.end(REF)
        assert len(exceptions(judged(log))) == 1


def _stepped_back(log: Log, seconds: int) -> Callable[[Callable[..., int]], int]:
    """The clock shows less by so much: recorded_at stands still until it has caught up."""

    def then(add: Callable[..., int]) -> int:
        log.now -= SECOND
        return add(REF, at=log.now - seconds * SECOND)

    return then


def test_a_clock_that_is_set_back_is_no_forgery(judged: Judged) -> None:
    log = Log()
    active(log)
    then = _stepped_back(log, 600)
    for add in (log.intend, log.issue, log.query, log.ending, log.ended):
        then(add)
    what = exceptions(judged(log))
    assert what[0] == "the clock stood 601 s behind the entry before, so times here are not sure until it caught up"


def test_one_wrong_reading_of_the_clock_is_no_forgery(judged: Judged) -> None:
    log = Log()
    issued(log)
    true, log.now = log.now, log.now + 70 * 365 * 24 * HOUR
    log.add("log.quiet")
    for at, add in enumerate((log.query, log.ending, log.ended)):
        log.now -= SECOND
        add(REF, at=true + at * SECOND)
    assert len(exceptions(judged(log))) == 1  # the clock


def test_an_open_grant_is_judged_by_when_the_last_entry_happened(judged: Judged) -> None:
    log = Log()
    issued(log)
    true, log.now = log.now, log.now + 70 * 365 * 24 * HOUR
    log.add("log.quiet")
    log.now -= SECOND
    log.add("log.quiet", at=true)
    assert len(exceptions(judged(log))) == 1  # the clock


def test_a_grant_that_still_cannot_be_ended(judged: Judged) -> None:
    log = Log()
    issued(log)
    later(log, 1)
    log.ending(REF)
    log.add("revocation.failed", REF, tries=3, why="Vault did not answer", escalated=True)
    later(log, 2)
    log.add("log.quiet")
    (what,) = exceptions(judged(log))
    assert what.startswith("is still open 120 min after its deadline; revocation.failed in entry 10")
