"""The audit channel hears of a policy that changed, and of one that could not be loaded."""

from __future__ import annotations

import json

from access.events import PolicyLoaded, PolicyRefused
from bot.look.operations import operation
from slack_simulator.rules import check_message
from tests.people import ManualClock

AT = ManualClock().now()


def told(event: PolicyLoaded | PolicyRefused) -> str:
    message = operation(event)
    assert message is not None
    check_message(list(message.blocks))
    return json.dumps(message.blocks, ensure_ascii=False)


def test_a_start_with_the_policy_of_before_is_not_told() -> None:
    assert operation(PolicyLoaded(at=AT, policy_hash="ab" * 32, rules=3)) is None


def test_a_changed_policy_is_told_with_its_difference_and_how_much_more_there_is() -> None:
    changes = tuple(f"+ person-{n} may now ask for <!channel> · {'x' * 5000}" for n in range(51))
    text = told(PolicyLoaded(at=AT, policy_hash="ab" * 32, rules=3, changes=changes))
    assert "Policy abababab decides from here on, with 3 rules." in text
    assert "person-0 may now ask" in text
    assert "and 43 more, in the audit log" in text


def test_a_policy_that_was_not_loaded_is_an_alarm() -> None:
    text = told(PolicyRefused(at=AT, why="policy.yml:3: `aprovals` is not known; did you mean `approvals`?\n" * 500))
    assert "Warning" in text
    assert "did you mean `approvals`?" in text
