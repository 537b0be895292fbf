"""What a rule looks out for in recorded sessions."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest

from access.policy import Watch
from access.sessions.flags import USUAL
from access.sessions.holding import watch_of
from prodaccess.policies.file import parse_policy
from prodaccess.policies.strict_yaml import PolicyError
from prodaccess.policies.warnings import half_held
from tests.gateways.scene import POLICY as _POLICY

POLICY = _POLICY.format(host="db", port=5432)


def watch(more: str, policy: str = POLICY) -> Watch:
    text = policy.replace("        max: 4h\n", f"        max: 4h\n{more}", 1)
    rule = parse_policy(text, "policy.yml").rule("orders-db", "read")
    assert rule is not None
    return rule.watch


def lines(*said: str) -> str:
    return "".join(f"        {line}\n" for line in said)


def test_without_a_word_everything_usual_is_flagged_and_nothing_held() -> None:
    assert watch("") == Watch(USUAL, frozenset(), timedelta(minutes=5), 10_000)


def test_what_is_held_is_flagged_too() -> None:
    found = watch(lines("flag: none", "hold: [ddl, opaque]", "hold_for: 30s", "bulk: 7"))
    assert found == Watch(frozenset({"ddl", "opaque"}), frozenset({"ddl", "opaque"}), timedelta(seconds=30), 7)


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("hold: [dll]", "did you mean `ddl`?"),
        ("hold: [bulk-read]", "known only once it is done"),
        ("hold_for: 5m", "Only with `hold`."),
        ("bulk: 0", "A whole number, at least 1."),
    ],
)
def test_what_cannot_be_is_said(said: str, fault: str) -> None:
    with pytest.raises(PolicyError, match=fault):
        watch(lines(said))


def test_a_hold_needs_a_gateway_a_time_and_somebody_who_decides() -> None:
    for more, policy in (
        (lines("hold: [ddl]", "hold_for: 2h"), POLICY),
        (lines("hold: [ddl]"), POLICY.replace("        gateway: postgres\n", "")),
        (lines("hold: [ddl]"), POLICY.replace("        approvers: [ada]\n", "        approve: nobody\n", 1)),
    ):
        with pytest.raises(PolicyError, match=r"From 10s to 1h|Only with a `gateway`|Nobody could let it run"):
            watch(more, policy)


def test_the_rule_of_the_asking_counts_and_a_broken_glass_waits_for_nobody() -> None:
    two = POLICY.replace(
        "        who: [linus]\n        approvers: [ada]\n        max: 4h\n        default: 1h\n",
        "        rules:\n          - {who: [linus], approvers: [ada], max: 1h, hold: [ddl], hold_for: 1m}\n"
        "          - {who: [linus], approvers: [ada], max: 4h, hold: [roles], bulk: 5}\n",
    )
    policy = parse_policy(two, "policy.yml")
    first, second = policy.rules_of("orders-db", "read")
    grant = SimpleNamespace(target="orders-db", role="read", glass=False)
    of_second = watch_of(policy, SimpleNamespace(rule=second.name), grant)  # type: ignore[arg-type]
    assert of_second == second.watch
    unknown = watch_of(policy, SimpleNamespace(rule="gone"), grant)  # type: ignore[arg-type]
    assert (unknown.hold, unknown.hold_for, unknown.bulk) == (frozenset({"ddl", "roles"}), timedelta(minutes=1), 5)
    broken = SimpleNamespace(target="orders-db", role="read", glass=True)
    assert watch_of(policy, SimpleNamespace(rule=first.name), broken).hold == frozenset()  # type: ignore[arg-type]


def test_a_hold_that_a_function_gets_round_is_warned_of() -> None:
    def found(said: str) -> list[str]:
        text = POLICY.replace("        max: 4h\n", f"        max: 4h\n        hold: {said}\n", 1)
        return list(half_held(parse_policy(text, "policy.yml")))

    assert found("none") == found("[ddl, opaque]") == []
    (warning,) = found("[ddl, roles]")
    assert warning.startswith("orders-db/read: holds ddl, roles, and not `opaque`")
