"""Groups that are kept elsewhere: a decision rests on members that are in the log, and on no others."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.verifier.making import Log

Judged = Callable[..., dict[str, Any]]
GROUP, REF = "slack:S0OWNERS", "PA-1"


def digest(*people: str) -> str:
    return hashlib.sha256(json.dumps([GROUP, *people]).encode()).hexdigest()


def told(log: Log, *people: str, **changes: Any) -> str:
    """Members in the log; the line of a decision that rests on them."""
    found = digest(*people)
    log.add("members.seen", **{"group": GROUP, "people": list(people), "digest": found, **changes})
    return f"{GROUP} {found[:16]} 1795442400000000"


def lived(line: str, log: Log) -> Log:
    log.ask(REF, looked=[line])
    log.give(REF, looked=[line])
    log.approve(REF, looked=[line])
    log.activate(REF)
    log.intend(REF, looked=[line])
    log.issue(REF)
    log.end(REF)
    return log


def begun() -> Log:
    log = Log()
    log.begin()
    return log


def test_decisions_on_members_that_were_told_before_are_in_order(judged: Judged) -> None:
    log = begun()
    assert judged(lived(told(log, "U0ADA", "U0GRÄCE"), log))["failures"] == []


def test_where_nobody_knew_there_are_no_members_to_tell(judged: Judged) -> None:
    log = begun()
    assert judged(lived(f"{GROUP} - 1795442400000000", log))["failures"] == []


def test_members_that_no_entry_tells_are_named(judged: Judged) -> None:
    log = begun()
    told(log, "U0ADA")
    line = f"{GROUP} {digest('U0MALLORY')[:16]} 1795442400000000"
    said = [finding["what"] for finding in judged(lived(line, log))["failures"]]
    kinds = ("request.asked", "approval.given", "request.approved", "credential.intended")
    assert said == [f"{kind} rests on members of {GROUP} that no entry before it tells" for kind in kinds]


def test_members_told_only_afterwards_do_not_count(judged: Judged) -> None:
    log = begun()
    line = f"{GROUP} {digest('U0ADA')[:16]} 1795442400000000"
    log.ask(REF, looked=[line])
    told(log, "U0ADA")
    assert "no entry before it tells" in str(judged(log)["failures"])


@pytest.mark.parametrize("changes", [{"people": ["U0ADA", "U0MALLORY"]}, {"digest": "0" * 64}, {"group": "slack:S0X"}])
def test_members_under_another_digest_are_named(judged: Judged, changes: dict[str, Any]) -> None:
    log = begun()
    told(log, "U0ADA", **changes)
    (found,) = judged(log)["failures"]
    assert "has another digest than the members of slack:S0" in found["what"]


@pytest.mark.parametrize("data", [{"group": GROUP}, {"group": GROUP, "people": 1, "digest": 1}])
def test_members_without_what_they_must_have_are_named(judged: Judged, data: dict[str, Any]) -> None:
    log = begun()
    log.add("members.seen", **data)
    (found,) = judged(log)["failures"]
    assert "lacks what it must have" in found["what"]


@pytest.mark.parametrize("looked", [1, True])
def test_lines_that_are_none_are_named(judged: Judged, looked: Any) -> None:
    log = begun()
    log.ask(REF, looked=looked)
    assert "lacks what it must have" in str(judged(log)["failures"])
