"""The document that denies sessions, as a value."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from providers.aws_denies import BUDGET, KEPT, LONGEST_SESSION, Denies, read_denies

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_nothing_denied_is_no_document() -> None:
    assert Denies().document() == ""
    assert read_denies({}) == Denies()


def test_a_grants_sessions_are_named_and_nobody_elses() -> None:
    document = json.loads(Denies().with_grant("pa-7", NOON).document())
    assert document == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "GrantsUntil20261123T1200Z",
                "Effect": "Deny",
                "Action": "*",
                "Resource": "*",
                "Condition": {"StringLike": {"aws:userid": ["*:pa-7-*"]}},
            }
        ],
    }


def test_grants_that_end_about_together_share_a_statement() -> None:
    denies = Denies().with_grant("pa-7", NOON).with_grant("pa-8", NOON - timedelta(minutes=14))
    (statement,) = json.loads(denies.document())["Statement"]
    assert statement["Condition"]["StringLike"]["aws:userid"] == ["*:pa-7-*", "*:pa-8-*"]


def test_an_end_is_never_rounded_down() -> None:
    for minutes in (0, 1, 14, 15, 16):
        end = NOON + timedelta(minutes=minutes, seconds=minutes)
        read = read_denies(json.loads(Denies().with_grant("pa-7", end).document()))
        assert timedelta(0) <= read.grants["pa-7"] - end < timedelta(minutes=15)


def test_it_is_read_back_as_it_was_written() -> None:
    denies = Denies().with_grant("pa-7", NOON).with_grant("pa-77", NOON + HOUR).with_everyone(NOON)
    denies = denies.with_grant("pa-9", NOON + 2 * HOUR)
    assert read_denies(json.loads(denies.document())) == denies


def test_a_single_user_or_statement_may_come_back_bare() -> None:
    document = json.loads(Denies().with_grant("pa-7", NOON).document())
    (statement,) = document["Statement"]
    statement["Condition"]["StringLike"]["aws:userid"] = "*:pa-7-*"
    assert read_denies({"Statement": statement}).grants == {"pa-7": NOON}


def test_what_is_not_ours_is_kept_as_it_is() -> None:
    theirs = [
        {"Sid": "Handmade", "Effect": "Deny", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "ec2:*", "Resource": "*"},
        {"Sid": "GrantsUntilTomorrow", "Effect": "Deny", "Action": "*", "Resource": "*"},
        {"Sid": "OtherUntil20261123T1200Z", "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {}},
    ]
    read = read_denies({"Statement": theirs})
    assert read.grants == {}
    assert json.loads(read.with_grant("pa-7", NOON).document())["Statement"][1:] == theirs
    assert json.loads(read.needed(NOON + 10 * HOUR).document())["Statement"] == theirs


def test_entries_go_when_their_sessions_have_long_ended() -> None:
    denies = Denies().with_grant("pa-7", NOON).with_grant("pa-8", NOON + HOUR)
    assert denies.needed(NOON + KEPT - timedelta(seconds=1)) == denies
    assert set(denies.needed(NOON + KEPT).grants) == {"pa-8"}
    everyone = Denies().with_everyone(NOON)
    assert everyone.needed(NOON + LONGEST_SESSION - timedelta(seconds=1)) == everyone
    assert everyone.needed(NOON + LONGEST_SESSION) == Denies()


def test_denying_everyone_takes_the_place_of_all_names() -> None:
    denies = Denies().with_grant("pa-7", NOON).with_everyone(NOON)
    (statement,) = json.loads(denies.document())["Statement"]
    assert statement["Condition"] == {"DateLessThan": {"aws:TokenIssueTime": "2026-11-23T12:00:05Z"}}
    assert denies.covers("pa-7", NOON)
    assert denies.covers("pa-8", NOON)
    assert not denies.covers("pa-8", NOON + timedelta(seconds=5))  # its sessions may be newer


def test_a_name_covers_its_grant_alone() -> None:
    denies = Denies().with_grant("pa-7", NOON)
    assert denies.covers("pa-7", NOON)
    assert not denies.covers("pa-77", NOON)


def test_what_either_denies_is_denied() -> None:
    stale, ours = Denies().with_grant("pa-7", NOON), Denies().with_grant("pa-8", NOON).with_everyone(NOON)
    ours = ours.with_grant("pa-8", NOON)
    both = stale.joined(ours)
    assert set(both.grants) == {"pa-7", "pa-8"}
    assert both.everyone == ours.everyone


def test_five_hundred_grants_fit_the_budget() -> None:
    denies = Denies()
    for number in range(10_000, 10_500):
        denies = denies.with_grant(f"pa-{number}", NOON + timedelta(minutes=number % 240))
    assert len(denies.document()) <= BUDGET
