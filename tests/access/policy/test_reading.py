"""What the language refuses, each with its place and what to do."""

from __future__ import annotations

import pytest

from prodaccess.policies.file import PolicyError, parse_policy
from tests.access.policy.files import TEXT


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("team: [ada, grace]", "team: [ada, grace, engineers]", "contains itself"),
        ("{slack: S0OWNERS}", "{slack: U0OWNERS}", "Slack user group"),
        ("{pagerduty: PI7DH85}", "{pagerduty: pi}", "PagerDuty schedule"),
        ("who: [on_call.orders]", "who: [on_call.order]", "did you mean `on_call.orders`?"),
        ("hours: work", "hours: wrok", "did you mean `work`?"),
        ("[mon-fri]", "[mon-friday]", "is not a day"),
        ('from: "08:00"', 'from: "8"', "is not a time of day"),
        ('from: "08:00", to: "18:00"', 'from: "08:00", to: "08:00"', "A whole day is from 00:00 to 24:00"),
        ("Europe/Berlin", "Europe/Berlinn", "is not a time zone"),
        ('from: "2026-12-23T18:00:00+01:00"', 'from: "2026-12-23T18:00:00"', "not a time with its zone"),
        ('to: "2027-01-02T08:00:00+01:00"', 'to: "2026-01-02T08:00:00+01:00"', "ends before it begins"),
        ("targets: [orders-db]", "targets: [order-db]", "did you mean `orders-db`?"),
        ("why: She is on leave.", "wy: She is on leave.", "did you mean `why`?"),
        ("even_break_glass: no", "even_break_glass: never", "yes or no"),
        ("sensitivity: high", "sensitivity: secret", "`low` or `normal` or `high`"),
        ("    owner: [team]\n", "", "`owner` is neither a person nor a group"),
        ("total: 8h", "total: 2h", "shorter than `max`"),
        ("approve: nobody", "approve: nobdy", "This is a list of `name: value` lines"),
        ("approve: nobody", "approve: {any: []}", "Nobody could approve this"),
        ("approve: nobody", "approve: {stages: []}", "Nobody could approve this"),
        ("approve: nobody", "approve: {by: []}", "1 must approve, but there is nobody"),
        ("approve: nobody", "approve: nobody, approvers: [ada]", "Either `approve` or `approvers`"),
        ("{by: team, count: 2}", "{by: team, count: 3}", "3 must approve, but there is only ada, grace"),
        ("{by: team, count: 2}", "{stages: [{by: ada}, {by: ada}]}", "2 must approve, but there is only ada"),
        ("{by: team, count: 2}", "{stages: [{by: [ada, grace, linus]}, {by: ada}, {by: ada}]}", "3 must approve"),
        ("{by: team, count: 2}", "{by: owners, count: 21}", "At most 20"),
        ("- {by: owner}\n            - {by: on_call", "- {by: owner, after: 5m}\n            - {by: on_call",
         "nobody stands before it"),
        ("clock: first_use\n", "clock: approval\n", "Only with `clock: first_use`"),
        ("ticket: {system: jira, projects: [OPS]}", "ticket: {projects: [OPS]}", "name a `system`"),
        ("provider: memory\n        rules:", "provider: memory\n        max: 1h\n        rules:", "into the rules"),
        ("  linus: U0LINUS", "  owner: U0LINUS", "already means something else"),
        ("  linus: U0LINUS", "  LINUS: U0LINUS", "neither a person"),
        ("  linus: U0LINUS", "  U0EVIL: U0LINUS", "could be a Slack member ID"),
        ("email: [Grace@example.com]", "email: [grace]", "is not an address"),
        ("linus: U0LINUS", "linus: {slack: U0LINUS, pagerduty: PGRACE}", "already grace"),
        ("version: 1", "version: 1\nadmins: [owners]", "admins must be known when nothing answers"),
        ("version: 1", "version: 1\nredact:\n  acme: 'acme[[a-z]{6}'", "write “\\[” for “[” in brackets"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(old: str, new: str, said: str) -> None:
    assert old in TEXT
    with pytest.raises(PolicyError) as raised:
        parse_policy(TEXT.replace(old, new, 1), "policy.yml")
    assert said in str(raised.value)


def test_a_way_with_too_many_ways_is_nobodys_to_follow() -> None:
    stands_in = "\n".join(f"            - {{by: ada, after: {n + 1}m}}" for n in range(6))
    stage = f"            - {{by: owner}}\n{stands_in}\n"
    start = TEXT.index("            - {by: owner}")
    end = TEXT.index("  payroll:")
    with pytest.raises(PolicyError, match="More than 100 ways"):
        parse_policy(TEXT[:start] + stage * 3 + TEXT[end:])
