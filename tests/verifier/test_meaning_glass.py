"""Broken glasses and reviews: what honest life writes is right, and what hides one is not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.breaking import broken, ended, with_glass
from tests.people import ADA as ADA_HERSELF
from tests.people import MARGARET
from tests.verifier.conftest import Verify
from tests.verifier.living import Life
from tests.verifier.making import ADA, GRACE, HOUR, LINUS, POLICY_HASH, SECOND, Log
from tests.verifier.reports import Judged, names_the_wrong_one
from tests.verifier.steps import REF
from tests.world import World


def _asked(log: Log) -> None:
    log.begin()
    log.ask(REF, glass=True)


def _glass(log: Log, ref: str = REF, by: dict[str, str] = LINUS, **changes: Any) -> int:
    fields = {"policy_hash": POLICY_HASH, "rule": "r", "told": ["U0ADA"], "identity": "slack", "looked": []}
    return log.add("glass.broken", ref, by, **fields | changes)


def _opened(log: Log, ref: str = REF, why: str = "break_glass") -> int:
    return log.add("review.opened", ref, why=why, reviewers=["U0ADA"])


def _taken(log: Log, ref: str = REF) -> None:
    """Without anybody's approval, as the server writes it."""
    log.ask(ref, glass=True)
    _glass(log, ref)
    log.approve(ref, approvers=[], expires_at=log.now + HOUR // 6)
    _opened(log, ref)
    log.activate(ref)


def _over(log: Log) -> None:
    log.begin()
    _taken(log)
    log.ending(REF)
    log.ended(REF, credentials=0)


def _closed(log: Log, by: dict[str, str] = ADA, ref: str = REF, **changes: Any) -> int:
    text = log.private("text", "as it should be")
    return log.add("review.closed", ref, by, **{"policy_hash": POLICY_HASH, "text": text} | changes)


def _flagged(log: Log, by: dict[str, str] = ADA) -> int:
    text = log.private("text", "a table was dropped")
    return log.add("review.flagged", REF, by, policy_hash=POLICY_HASH, text=text)


def _by_rule(log: Log) -> None:
    log.begin()
    log.open(REF)


#: name: how the log begins, the entry that is wrong, what is said of it
WRONG: dict[str, tuple[Callable[[Log], object], Callable[[Log], int], str]] = {
    "no approval, and no glass that was broken": (
        lambda log: (log.begin(), log.ask(REF)), lambda log: log.approve(REF, approvers=[]), "needs 1 approvals",
    ),
    "asked so, and nothing says that it was broken": (
        _asked, lambda log: log.approve(REF, approvers=[]), "no entry says that the glass was broken",
    ),
    "broken for a request that was made in the usual way": (
        lambda log: (log.begin(), log.ask(REF)), _glass, "was not made so",
    ),
    "broken twice": (lambda log: (_asked(log), _glass(log)), _glass, "was not made so"),
    "broken after it was decided": (
        lambda log: (_asked(log), _glass(log), log.approve(REF, approvers=[])), _glass, "was not made so",
    ),
    "asked without approval to prolong another": (
        _by_rule, lambda log: log.ask("PA-2", glass=True, extends=REF), "to prolong another without approval",
    ),
    "broken by somebody else": (_asked, lambda log: _glass(log, by=GRACE), "not for the requester"),
    "broken under an unknown policy": (_asked, lambda log: _glass(log, policy_hash="0" * 64), "never loaded"),
    "approvals counted that nobody gave": (
        lambda log: (_asked(log), _glass(log)), lambda log: log.approve(REF), "not given: T0ACME/U0ADA",
    ),
    "longer than was asked": (
        lambda log: (_asked(log), _glass(log)),
        lambda log: log.approve(REF, approvers=[], expires_at=log.now + 3 * HOUR), "longer than was asked",
    ),
    "active without a review": (
        lambda log: (_asked(log), _glass(log), log.approve(REF, approvers=[])), lambda log: log.activate(REF),
        "no review of it was opened",
    ),
    "broken again before it was reviewed": (
        lambda log: (_over(log), log.ask("PA-2", glass=True)), lambda log: _glass(log, "PA-2"), "comes while PA-1",
    ),
    "a review of a glass that was not broken": (_by_rule, _opened, "was not broken"),
    "a review before the end": (_by_rule, lambda log: _opened(log, why="rule"), "is active, not over"),
    "a second review": (_over, _opened, "is a second one"),
    "reviewed by the requester": (_over, lambda log: _closed(log, LINUS), "by the requester, linus"),
    "reviewed by the requester's other id": (
        _over, lambda log: _closed(log, {**LINUS, "id": "T0OTHER/U0LINUS"}), "by the requester",
    ),
    "flagged by the requester": (_over, lambda log: _flagged(log, LINUS), "by the requester, linus"),
    "reviewed while it was open": (
        lambda log: (log.begin(), _taken(log)), _closed, "is active, not over",
    ),
    "reviewed twice": (lambda log: (_over(log), _closed(log)), _closed, "review is reviewed"),
    "flagged twice": (lambda log: (_over(log), _flagged(log)), _flagged, "review is flagged"),
    "flagged after it was reviewed": (lambda log: (_over(log), _closed(log)), _flagged, "review is reviewed"),
    "reviewed without a review": (lambda log: (_by_rule(log), log.end(REF)), _closed, "review is not there"),
    "reviewed under an unknown policy": (_over, lambda log: _closed(log, policy_hash="0" * 64), "never loaded"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_must_not_be(judged: Judged, name: str) -> None:
    begin, wrong, words = WRONG[name]
    log = Log()
    begin(log)
    names_the_wrong_one(judged, log, wrong, words)


def test_a_broken_glass_is_right_and_always_remarked_on(judged: Judged) -> None:
    log = Log()
    _over(log)
    report = judged(log)
    assert (report["exit"], report["exceptions"]) == (0, []), report
    told = "the glass was broken once, for access that nobody approved (PA-1)"
    assert f"{told}; 1 of it still to be reviewed" in report["remarks"]
    _flagged(log, GRACE)
    _closed(log)
    report = judged(log)
    assert report["exit"] == 0, report
    assert f"{told}; none of it still to be reviewed" in report["remarks"]


def test_once_it_was_reviewed_or_gave_nothing_it_can_be_broken_again(judged: Judged) -> None:
    log = Log()
    _over(log)
    _closed(log)
    log.ask("PA-2", glass=True)
    _glass(log, "PA-2")
    log.approve("PA-2", approvers=[])
    _opened(log, "PA-2")
    log.add("grant.failed", "PA-2", why="no such role")
    _taken(log, "PA-3")
    report = judged(log)
    assert report["exit"] == 0, report
    assert any("the glass was broken 3 times" in remark for remark in report["remarks"])


def test_a_review_by_rule_follows_the_end(judged: Judged) -> None:
    log = Log()
    log.begin()
    log.story(REF)
    _opened(log, why="rule")
    log.now += 30 * HOUR * 24 // SECOND * SECOND
    log.add("review.reminded", REF, to=["U0ADA"])
    _closed(log)
    assert judged(log)["exit"] == 0


async def test_what_a_server_writes_of_it_is_right(world: World, verify: Verify) -> None:
    with_glass(world)
    life = Life(world)
    await life.begin()
    device = await world.device()
    request = await broken(world, device=device)
    await world.grants.collect(1, device)
    await ended(world, request)
    await world.broker.reviews.flag(1, ADA_HERSELF, "a table was dropped")
    await world.broker.reviews.close(1, MARGARET, "the temporary one")
    world.provider.faults.refuse = "no such role"
    await broken(world)
    world.provider.faults.refuse = ""
    await broken(world)
    world.clock.pass_by(minutes=10)
    await world.sweep()
    world.clock.pass_by(days=1)
    await world.sweep()
    await life.sign()
    report = verify("database", world.url, "--key", life.signer.key, "--deep")
    assert (report["exit"], report["exceptions"]) == (0, []), report
    assert any("the glass was broken 3 times" in remark for remark in report["remarks"])
    assert any("2 of it still to be reviewed" in remark for remark in report["remarks"])
