"""Condition blocks: operators, absent keys, several values, and refusal of what is not known."""

from __future__ import annotations

from typing import Any

import pytest

from prodaccess.parts.aws_conditions import Unsupported, conditions_hold

CONTEXT = {
    "aws:userid": ["AROAX:PA-7-linus"],
    "aws:sourceidentity": ["PA-7"],
    "aws:currenttime": ["2026-11-23T12:00:00+00:00"],
    "aws:epochtime": ["1795435200"],
    "aws:tokenissuetime": ["2026-11-23T11:00:00Z"],
    "aws:principaltag/grant_id": ["PA-7"],
    "aws:principalarn": ["arn:aws:iam::123456789012:role/prod-orders-support"],
    "aws:securetransport": ["false"],
    "aws:sourceip": ["10.2.0.7"],
    "aws:tagkeys": ["grant_id", "ticket"],
}

ROWS: list[tuple[str, str, Any, bool]] = [
    ("StringEquals", "aws:SourceIdentity", "PA-7", True),
    ("StringEquals", "aws:SourceIdentity", ["PA-8", "PA-7"], True),
    ("StringEquals", "aws:SourceIdentity", "pa-7", False),
    ("StringEquals", "AWS:sourceIDENTITY", "PA-7", True),  # keys have no case
    ("StringEquals", "aws:SourceIdentity", "PA-*", False),
    ("StringEqualsIgnoreCase", "aws:SourceIdentity", "pa-7", True),
    ("StringNotEquals", "aws:SourceIdentity", ["PA-8", "PA-9"], True),
    ("StringNotEquals", "aws:SourceIdentity", ["PA-8", "PA-7"], False),
    ("StringNotEqualsIgnoreCase", "aws:SourceIdentity", "pa-7", False),
    ("StringLike", "aws:userid", "*:PA-7-*", True),
    ("StringLike", "aws:userid", "*:PA-70-*", False),
    ("StringLike", "aws:userid", "AROA?:PA-7-linus", True),
    ("StringLike", "aws:userid", "AROA.:PA-7-linus", False),
    ("StringNotLike", "aws:userid", "*:PA-7-*", False),
    ("ArnLike", "aws:PrincipalArn", "arn:aws:iam::*:role/prod-*", True),
    ("ArnEquals", "aws:PrincipalArn", "arn:aws:iam::*:role/prod-*", True),
    ("ArnLike", "aws:PrincipalArn", "arn:*:role/prod-*", False),  # no wildcard over a colon
    ("ArnNotLike", "aws:PrincipalArn", "arn:aws:iam::*:role/prod-*", False),
    ("DateLessThan", "aws:TokenIssueTime", "2026-11-23T11:00:01Z", True),
    ("DateLessThan", "aws:TokenIssueTime", "2026-11-23T11:00:00Z", False),
    ("DateLessThanEquals", "aws:TokenIssueTime", "2026-11-23T11:00:00Z", True),
    ("DateGreaterThan", "aws:CurrentTime", "2026-11-23T12:30:00+01:00", True),  # zones count
    ("DateGreaterThanEquals", "aws:CurrentTime", "2026-11-23T12:00:00", True),  # without one: UTC
    ("DateEquals", "aws:CurrentTime", "1795435200", True),  # seconds since 1970
    ("DateNotEquals", "aws:CurrentTime", "1795435200", False),
    ("NumericLessThan", "aws:EpochTime", "1795435201", True),
    ("NumericGreaterThanEquals", "aws:EpochTime", 1795435200, True),
    ("NumericNotEquals", "aws:EpochTime", 1795435200, False),
    ("Bool", "aws:SecureTransport", "false", True),
    ("Bool", "aws:SecureTransport", True, False),
    ("IpAddress", "aws:SourceIp", "10.2.0.0/16", True),
    ("NotIpAddress", "aws:SourceIp", ["10.2.0.0/16", "192.0.2.1"], False),
    ("Null", "aws:SourceIdentity", "false", True),
    ("Null", "aws:SourceIdentity", True, False),
    ("StringEquals", "aws:PrincipalTag/Grant_Id", "PA-7", True),
    ("ForAllValues:StringEquals", "aws:TagKeys", ["grant_id", "ticket", "other"], True),
    ("ForAllValues:StringEquals", "aws:TagKeys", ["grant_id"], False),
    ("ForAnyValue:StringEquals", "aws:TagKeys", ["grant_id"], True),
    ("ForAnyValue:StringEquals", "aws:TagKeys", ["other"], False),
    # absent keys
    ("StringEquals", "aws:RequestTag/x", "y", False),
    ("StringEqualsIfExists", "aws:RequestTag/x", "y", True),
    ("StringEqualsIfExists", "aws:SourceIdentity", "y", False),
    ("StringNotEquals", "aws:RequestTag/x", "y", True),
    ("DateLessThan", "aws:RequestTag/x", "2026-01-01", False),
    ("Null", "aws:RequestTag/x", "true", True),
    ("ForAllValues:StringEquals", "sts:TransitiveTagKeys", ["grant_id"], True),
    ("ForAnyValue:StringEquals", "sts:TransitiveTagKeys", ["grant_id"], False),
    ("ForAnyValue:StringNotEquals", "sts:TransitiveTagKeys", ["grant_id"], False),
]


@pytest.mark.parametrize(("operator", "key", "expected", "holds"), ROWS, ids=str)
def test_one_condition(operator: str, key: str, expected: Any, holds: bool) -> None:
    assert conditions_hold({operator: {key: expected}}, CONTEXT) is holds


def test_all_operators_and_all_keys_must_hold() -> None:
    good = {"aws:SourceIdentity": "PA-7", "aws:PrincipalTag/grant_id": "PA-7"}
    assert conditions_hold({}, CONTEXT)
    assert conditions_hold({"StringEquals": good, "Bool": {"aws:SecureTransport": "false"}}, CONTEXT)
    assert not conditions_hold({"StringEquals": {**good, "aws:userid": "x"}}, CONTEXT)
    assert not conditions_hold({"StringEquals": good, "Bool": {"aws:SecureTransport": "true"}}, CONTEXT)


@pytest.mark.parametrize(
    "block",
    [
        {"StringSimilar": {"aws:userid": "x"}},
        {"BinaryEquals": {"aws:userid": "x"}},
        {"ForSomeValues:StringEquals": {"aws:userid": "x"}},
        {"StringEquals": {"aws:MultiFactorAuthPresent": "true"}},
        {"StringEquals": {"s3:prefix": "x"}},
        {"StringLike": {"aws:SourceIdentity": "${aws:username}"}},
        {"StringEquals": {"aws:SourceIdentity": "${aws:username}"}},
        {"DateLessThan": {"aws:CurrentTime": "tomorrow"}},
        # also behind a condition that already fails
        {"StringEquals": {"aws:userid": "nobody"}, "StringSimilar": {"aws:userid": "x"}},
    ],
    ids=str,
)
def test_what_is_not_known_is_refused(block: Any) -> None:
    with pytest.raises(Unsupported):
        conditions_hold(block, CONTEXT)
