"""First use, warnings and extensions: what honest life writes is right, and time that nobody gave is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from access.requesting.extending import More
from tests.people import ADA as ADA_HERSELF
from tests.people import LINUS as LINUS_HIMSELF
from tests.verifier.conftest import Verify
from tests.verifier.living import Life
from tests.verifier.making import ADA, GRACE, HOUR, LINUS, SECOND, Log
from tests.verifier.reports import Judged, names_the_wrong_one
from tests.verifier.steps import REF, active
from tests.world import World

MORE = "PA-2"


def _end(log: Log) -> int:
    """Of the grant, as it was approved."""
    return int(log._deadline)


def _waiting(log: Log, **changes: Any) -> None:
    """Approved for an hour from the first use, which must come within two."""
    log.begin()
    log.ask(REF)
    log.give(REF)
    log.approve(REF, **{"expires_at": log.now + 2 * HOUR, "first_use": True, "duration": 3600} | changes)
    log.activate(REF)


def _started(log: Log, by: dict[str, str] = LINUS, **changes: Any) -> int:
    return log.add("grant.started", REF, by, **{"expires_at": log.now + HOUR} | changes)


def _more(log: Log, *, extends: str = REF, give: bool = True, duration: int = 3600, shorter: int | None = None) -> None:
    """Asks for more time, and has an hour beyond the end approved."""
    was = _end(log)
    log.ask(MORE, extends=extends, duration=duration)
    if give:
        log.give(MORE, **({} if shorter is None else {"shorter": shorter}))
        log.approve(MORE, expires_at=was + HOUR)
    log._deadline = was


def _extended(log: Log, **changes: Any) -> int:
    fields = {"extension": MORE, "was": _end(log), "expires_at": _end(log) + HOUR}
    return log.add("grant.extended", REF, ADA, **fields | changes)


def _prolonged(log: Log) -> None:
    active(log)
    _more(log)
    _extended(log)
    log._deadline += HOUR


#: name: how the log begins, the entry that is wrong, what is said of it
WRONG: dict[str, tuple[Callable[[Log], object], Callable[[Log], int], str]] = {
    "longer from the first use than was asked for": (
        lambda log: (log.begin(), log.ask(REF), log.give(REF)),
        lambda log: log.approve(REF, first_use=True, duration=7200), "lasts longer than was asked for",
    ),
    "started for longer than was approved": (
        _waiting, lambda log: _started(log, expires_at=log.now + 2 * HOUR), "lasts longer than was approved",
    ),
    "started by somebody else": (_waiting, lambda log: _started(log, GRACE), "was not done by the requester"),
    "started twice": (lambda log: (_waiting(log), _started(log)), _started, "whose time runs already"),
    "started after the time to wait": (
        lambda log: (_waiting(log), setattr(log, "now", log.now + 3 * HOUR)), _started, "after the time to wait",
    ),
    "a credential before the start": (_waiting, lambda log: log.intend(REF), "before the first use has started"),
    "not used, though it was": (
        lambda log: (_waiting(log), _started(log)), lambda log: log.ending(REF, cause="not_used"), "and it was",
    ),
    "extended without an extension": (active, _extended, "rests on PA-2, which was not approved for it"),
    "extended before the extension was approved": (
        lambda log: (active(log), _more(log, give=False)), _extended, "which was not approved for it",
    ),
    "extended by one for another grant": (
        lambda log: (active(log), _more(log, extends="PA-9")), _extended, "which was not approved for it",
    ),
    "extended twice by one extension": (
        _prolonged, _extended, "which was not approved for it",
    ),
    "extended by more than was approved": (
        lambda log: (active(log), _more(log)), lambda log: _extended(log, expires_at=_end(log) + 2 * HOUR),
        "another end than was approved",
    ),
    "extended by more than was asked for": (
        lambda log: (active(log), _more(log, duration=60)),
        _extended, "lasts longer than was asked for",
    ),
    "extended beyond what an approver allowed": (
        lambda log: (active(log), _more(log, shorter=600)),
        _extended, "lasts longer than was asked for",
    ),
    "extended from another end": (
        lambda log: (active(log), _more(log)), lambda log: _extended(log, was=_end(log) - SECOND),
        "another end than was approved",
    ),
    "extended after it ended": (
        lambda log: (active(log), _more(log), log.ending(REF)), _extended, "comes when the grant is ending",
    ),
    "a credential beyond the new end": (
        lambda log: (_prolonged(log), log.intend(REF)),
        lambda log: log.issue(REF, not_after=_end(log) + HOUR), "which outlives its grant",
    ),
    "a warning of another end": (
        active, lambda log: log.add("grant.expiring", REF, expires_at=_end(log) + 1), "names another end",
    ),
    "a warning of what is over": (
        lambda log: (active(log), log.ending(REF)),
        lambda log: log.add("grant.expiring", REF, expires_at=_end(log)), "is ending, not active",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_time_that_nobody_gave(judged: Judged, name: str) -> None:
    begin, wrong, words = WRONG[name]
    log = Log()
    begin(log)
    names_the_wrong_one(judged, log, wrong, words)


def test_an_extension_that_nobody_carried_out_is_an_exception(judged: Judged) -> None:
    log = Log()
    active(log)
    _more(log)
    report = judged(log)
    assert [found["what"] for found in report["exceptions"]] == [
        "PA-1 was to become longer, and nothing says that it did"
    ]


def test_an_extended_grant_is_used_and_ends_in_its_new_time(judged: Judged) -> None:
    log = Log()
    _prolonged(log)
    log.now += int(1.5 * HOUR)
    log.intend(REF)
    log.issue(REF)
    log.query(REF)
    log.add("grant.expiring", REF, expires_at=_end(log))
    log.now = _end(log)
    log.end(REF)
    report = judged(log)
    assert (report["exit"], report["exceptions"]) == (0, []), report


async def test_what_the_server_writes_of_all_this_is_right(world: World, verify: Verify) -> None:
    life = Life(world)
    rules = tuple(replace(rule, total=timedelta(hours=6)) for rule in world.policies.policy.rules)
    first_use = tuple(replace(rule, first_use=True, use_within=timedelta(hours=2)) for rule in rules)
    world.policies.policy = replace(world.policies.policy, rules=first_use)
    await life.begin()
    device = await world.device()
    for _ in range(2):
        await world.opened()
    world.clock.pass_by(minutes=90)
    await world.grants.collect(1, device)
    for minutes, shorter in ((30, None), (60, timedelta(minutes=10))):
        world.clock.pass_by(minutes=1)
        more = More(timedelta(minutes=minutes), "the import still runs", f"key-of-an-extension-{minutes}")
        request = await world.broker.extend(1, LINUS_HIMSELF, more)
        await world.broker.approve(request.id, ADA_HERSELF, request.digest, shorter)
    for minutes in (28, 32, 33, 5):  # the end of waiting, past the first end, the warning, the new end
        world.clock.pass_by(minutes=minutes)
        if minutes == 32:
            await world.grants.collect(1, device)
        await world.sweep()
    await life.sign()
    tags = await world.tags("PA-1")
    assert tags.count("grant.extended") == 2
    assert {"grant.started", "grant.expiring", "grant.ended"} <= set(tags)
    assert "grant.started" not in await world.tags("PA-2")
    report = verify("database", world.url, "--key", life.signer.key)
    assert (report["exit"], report["exceptions"]) == (0, []), report
