"""The audit channel hears of a policy that changed, and of one that could not be loaded."""

from __future__ import annotations

import json

from access.events import PolicyLoaded, PolicyRefused
from access.ports import Change
from bot.look.operations import operation
from prodaccess.policies.file import parse_policy
from prodaccess.policies.serving import changes_since
from prodaccess.policies.warnings import unreviewable
from slack_simulator.rules import check_message
from tests.people import POLICY, ManualClock
from tests.world import World

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


async def test_what_changed_while_no_server_ran_is_told_at_the_start(world: World) -> None:
    now, policy = world.clock.now(), world.policies.policy
    assert await changes_since(world.store.log, policy) == (), "the first start"
    loaded = PolicyLoaded(at=now, policy_hash=policy.hash, rules=2)
    await world.store.commit(Change(policies=(policy,), events=(loaded,)))
    assert await changes_since(world.store.log, policy) == ()
    changed = parse_policy(POLICY.replace("max: 4h", "max: 8h"))
    assert all("8 hours" in line for line in await changes_since(world.store.log, changed))
    unknown = PolicyLoaded(at=now, policy_hash="ef" * 32, rules=2)
    await world.store.commit(Change(events=(unknown,)))
    (line,) = await changes_since(world.store.log, policy)
    assert "(efefefef) cannot be read any more" in line


def test_a_glass_that_nobody_could_review_is_named() -> None:
    def found(text: str) -> list[str]:
        return list(unreviewable(parse_policy(text)))

    glass = POLICY.replace(
        "ticket: {required: false}", "ticket: {required: false}\n        break_glass: {who: [engineers], max: 15m}"
    )
    assert found(glass) == []
    alone = glass.replace("approvers: [orders-owners, margaret]\n        approvals: 2", "approvers: [ada]")
    assert found(alone) == []
    alone = alone.replace("admins: [margaret]", "admins: [ada]")
    assert found(alone) == ["orders-db/write: nobody could review it when ada breaks the glass."]
