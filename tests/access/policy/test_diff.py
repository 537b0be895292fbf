from __future__ import annotations

import pytest

from access.policy.diffing import as_lines, diff
from tests.access.policy.files import TEXT, policy

LEAVE = "  - {who: [katherine], targets: all, why: She is on leave.}\n"


def lines(*changes: tuple[str, str], back: bool = False) -> tuple[str, ...]:
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    both = policy(), policy(text)
    return as_lines(diff(*reversed(both)) if back else diff(*both))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("engineers: [team, linus]", "engineers: [team, linus, margaret]",
         "+ margaret may now ask for orders-db · read up to 4 hours"),
        ("max: 4h", "max: 6h", "+ engineers (3 people) on orders-db · read: "
         "at most 6 hours / at most 1 hour, was at most 4 hours / at most 1 hour"),
        ("hours: work, ", "", "~ engineers (3 people) on orders-db · read: at any hour / at any hour, was "
         "within work (mon, tue, wed, thu, fri 08:00–18:00 Europe/Berlin) / at any hour"),
        ("{by: [owner, security], count: 2}", "{by: [owner, security]}",
         "+ engineers (3 people) on orders-db · read: 1 approval / 1 approval, was 1 approval / 2 approvals"),
        ("max: 15m", "max: 30m", "+ engineers (3 people) on orders-db · read: "
         "break-glass up to 30 minutes, with a reason, was break-glass up to 15 minutes, with a reason"),
        ("break_glass: {who: [ada, grace]", "break_glass: {who: [ada]",
         "- grace may no longer break the glass for payroll · read"),
        ("security: [margaret, katherine]", "security: [margaret]", "decided by 1 of ada, grace, or 1 of"),
        ("even_break_glass: no, ", "", "- ada on payroll · read: now denied: Ada asked for it."),
        ("pagerduty: PI7DH85", "pagerduty: PSOMEELSE", "+ whoever is in pagerduty:PSOMEELSE may now ask for"),
        ("linus: U0LINUS", "linus: U0EVIL", "+ linus is known to Slack as U0EVIL, was U0LINUS"),
        ("version: 1", "version: 1\nadmins: [ada]", "+ ada: now an admin"),
        ("version: 1", "version: 1\nlimits: {pending: 9}", "at the same time: 9, was 5"),
        ("provider: memory\n        who: [engineers]\n        max: 1h\n        clock",
         "provider: vault\n        who: [engineers]\n        max: 1h\n        clock",
         "~ orders-db · write gives vault (nothing), was memory (nothing)"),
        ("ticket: {system: jira, projects: [OPS]}", "ticket: {system: jira}", "with a ticket (jira,"),
        ("use_within: 30m", "use_within: 50m", "clock from first use within 50 minutes"),
        ("sensitivity: high", "sensitivity: low", "without review"),
    ],
)  # fmt: skip
def test_what_changes_is_said_in_people(old: str, new: str, said: str) -> None:
    if "decided by" in said:  # who may stand in is told beside the others
        assert any("decided by" in line and "katherine" in line for line in lines((old, new)))
    else:
        assert any(said in line for line in lines((old, new))), lines((old, new))


def test_a_freeze_or_a_deny_rule_taken_away_is_a_gain() -> None:
    freeze = TEXT[TEXT.index("freezes:") : TEXT.index("deny:")]
    found = lines((freeze, ""))
    assert any(line.startswith("+ ") and "no longer frozen from 2026-12-23T18:00:00+01:00" in line for line in found)
    denied = ("engineers: [team, linus]", "engineers: [team, linus, katherine]")
    with_her, without = TEXT.replace(*denied), TEXT.replace(*denied).replace(LEAVE, "")
    assert any("katherine may now ask for" in line for line in as_lines(diff(policy(with_her), policy(without))))
    assert not any("katherine may" in line for line in as_lines(diff(policy(), policy(with_her))))


def test_there_and_back_are_gains_and_losses() -> None:
    change = ("max: 4h", "max: 6h")
    assert {line[0] for line in lines(change)} == {"+"}
    assert {line[0] for line in lines(change, back=True)} == {"-"}


def test_only_so_many_lines_are_told() -> None:
    changes = diff(policy(), policy(TEXT.replace("max: 1h", "max: 2h").replace("max: 4h", "max: 5h")))
    assert len(changes) > 2
    assert as_lines(changes, 2) == (str(changes[0]), str(changes[1]), f"and {len(changes) - 2} more")


def test_what_only_comments_and_order_of_keys_change_is_no_difference() -> None:
    assert lines(("version: 1", "# a comment\nversion: 1")) == ()
