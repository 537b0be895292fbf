"""The Condition block of an AWS policy, evaluated as the IAM user guide describes it.

Pure. An operator or a context key that is not known here raises Unsupported: to ignore it would turn a targeted
Deny into one that hits everybody, or nobody.
Source: docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network

#: Lower-case condition key to its values in this request; a key that is absent is absent, never empty.
Context = Mapping[str, Sequence[str]]
Test = Callable[[str, str], bool]

KNOWN_KEYS = re.compile(
    r"aws:(currenttime|epochtime|tokenissuetime|userid|username|sourceidentity|sourceip|securetransport|"
    r"requestedregion|useragent|tagkeys|principal(arn|account|type)|(principal|request)tag/.+)"
    r"|sts:(externalid|rolesessionname|sourceidentity|transitivetagkeys)"
)


class Unsupported(Exception):
    """A policy uses what this evaluator does not know; the text names it."""


def matches(pattern: str, value: str) -> bool:
    """Compare with the wildcards `*` (any run of characters) and `?` (one character)."""
    if "${" in pattern:
        raise Unsupported(f"policy variables are not evaluated: {pattern}")
    translated = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(translated, value, re.DOTALL) is not None


def matches_arn(pattern: str, value: str) -> bool:
    """Compare ARNs part by part: a wildcard does not reach over one of the first five colons."""
    expected, actual = pattern.split(":", 5), value.split(":", 5)
    return len(expected) == len(actual) and all(map(matches, expected, actual))


def equal(expected: str, value: str) -> bool:
    """Compare as they stand; policy variables are refused here too."""
    if "${" in expected:
        raise Unsupported(f"policy variables are not evaluated: {expected}")
    return expected == value


def moment(text: str) -> datetime:
    """Read an ISO 8601 time or seconds since 1970; a time without zone is UTC. Raises Unsupported."""
    try:
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return datetime.fromtimestamp(float(text), UTC)
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise Unsupported(f"not a time: {text}") from error
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


#: Operator to the test of one expected and one actual value; the negated ones are in NEGATED.
TESTS: Mapping[str, Test] = {
    "StringEquals": equal,
    "StringEqualsIgnoreCase": lambda expected, value: equal(expected.lower(), value.lower()),
    "StringLike": matches,
    "ArnEquals": matches_arn,
    "ArnLike": matches_arn,
    "DateEquals": lambda expected, value: moment(value) == moment(expected),
    "DateLessThan": lambda expected, value: moment(value) < moment(expected),
    "DateLessThanEquals": lambda expected, value: moment(value) <= moment(expected),
    "DateGreaterThan": lambda expected, value: moment(value) > moment(expected),
    "DateGreaterThanEquals": lambda expected, value: moment(value) >= moment(expected),
    "NumericEquals": lambda expected, value: float(value) == float(expected),
    "NumericLessThan": lambda expected, value: float(value) < float(expected),
    "NumericLessThanEquals": lambda expected, value: float(value) <= float(expected),
    "NumericGreaterThan": lambda expected, value: float(value) > float(expected),
    "NumericGreaterThanEquals": lambda expected, value: float(value) >= float(expected),
    "Bool": lambda expected, value: value.lower() == expected.lower(),
    "IpAddress": lambda expected, value: ip_address(value) in ip_network(expected, strict=False),
}

#: Operators that hold when none of the expected values fits, and also when the key is absent.
NEGATED: Mapping[str, Test] = {
    "StringNotEquals": TESTS["StringEquals"],
    "StringNotEqualsIgnoreCase": TESTS["StringEqualsIgnoreCase"],
    "StringNotLike": TESTS["StringLike"],
    "ArnNotEquals": TESTS["ArnEquals"],
    "ArnNotLike": TESTS["ArnLike"],
    "DateNotEquals": TESTS["DateEquals"],
    "NumericNotEquals": TESTS["NumericEquals"],
    "NotIpAddress": TESTS["IpAddress"],
}


def conditions_hold(block: Mapping[str, Mapping[str, object]], context: Context) -> bool:
    """Say whether every operator and every key of a Condition block holds; an empty block does."""
    results = [
        condition_holds(operator, key, as_strings(expected), context)
        for operator, keys in block.items()
        for key, expected in keys.items()
    ]
    return all(results)  # all evaluated first: an unsupported one is found wherever it stands


def condition_holds(operator: str, key: str, expected: Sequence[str], context: Context) -> bool:
    """Evaluate one key under one operator, with the prefixes ForAllValues and ForAnyValue and IfExists."""
    if not KNOWN_KEYS.fullmatch(key.lower()):
        raise Unsupported(f"the condition key {key} is not known here")
    values = context.get(key.lower())
    if operator == "Null":
        return (values is None) == (expected[0].lower() == "true")
    prefix, _, name = operator.rpartition(":")
    bare = name.removesuffix("IfExists")
    negated = bare in NEGATED
    test = NEGATED.get(bare) or TESTS.get(bare)
    if test is None or prefix not in ("", "ForAllValues", "ForAnyValue"):
        raise Unsupported(f"the condition operator {operator} is not known here")
    if not values:
        absent = {"": negated, "ForAllValues": True, "ForAnyValue": False}[prefix]
        return absent or name.endswith("IfExists")
    hits = [any(test(wanted, value) for wanted in expected) != negated for value in values]
    return any(hits) if prefix == "ForAnyValue" else all(hits)


def as_strings(value: object) -> list[str]:
    """Return a JSON value or list of them as strings, booleans in lower case."""
    items = value if isinstance(value, list) else [value]
    return [str(item).lower() if isinstance(item, bool) else str(item) for item in items]
