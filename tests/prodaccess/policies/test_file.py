from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodaccess.policies.file import PolicyError, load_policy, parse_policy

EXAMPLE = Path(__file__).parents[3] / "policy.example.yml"
TEXT = EXAMPLE.read_text()


def test_the_example_is_a_policy() -> None:
    names = [rule.name for rule in parse_policy(TEXT).rules]
    assert names == ["orders-db/read", "orders-db/write", "orders-support/operator"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("approvals: 2", "aprovals: 2", "did you mean `approvals`?"),
        ("who: [engineers]  ", "who: [enginers]  ", "did you mean `engineers`?"),
        ("max: 4h", "max: 4x", "is not a duration"),
        ("approvers: [orders-owners]  ", "approvers: []  ", "there is nobody"),
        ("approvals: 2", "approvals: 4", "4 must approve, but there is only ada, grace, margaret"),
        ("approvals: 2", "approvals: 0", "at least 1"),
        ("version: 1", "version: 2", "`version: 1`"),
        ("grace: U0GRACE", "grace: U0ADA", "already ada"),
        ("aliases: [orders] ", "aliases: [orders-support] ", "already means"),
        ("reason: required", "reason: sometimes", "`required` or `optional`"),
        ("pending_for: 1h", "pending_for: 1h\nversion: 1", "stands here twice"),
        ("admins: [margaret]", "admins: &a [margaret]", "anchors"),
        ("pattern: '[A-Z]+-[0-9]+'", "pattern: '[A-Z'", "regular expression"),
        ("  engineers: [ada,", "  ada: [ada,", "already a person"),
        ("  orders-db:", "  Orders DB:", "lower-case"),
    ],
)
def test_every_mistake_is_named_with_its_line(old: str, new: str, said: str) -> None:
    assert old in TEXT
    with pytest.raises(PolicyError) as raised:
        parse_policy(TEXT.replace(old, new, 1), "policy.yml")
    text = str(raised.value)
    assert said in text
    line = int(text.split(":")[1])
    changed = TEXT.replace(old, new, 1).splitlines()
    assert any(word in "\n".join(changed[line - 2 : line + 1]) for word in re.findall(r"[\w.-]+", new))


def test_all_mistakes_are_said_at_once() -> None:
    broken = TEXT.replace("max: 4h", "max: 4x").replace("approvals: 2", "aprovals: 2")
    with pytest.raises(PolicyError) as raised:
        parse_policy(broken)
    assert len(str(raised.value).splitlines()) >= 2


def test_a_file_that_others_may_write_decides_nothing(tmp_path: Path) -> None:
    file = tmp_path / "policy.yml"
    file.write_text(TEXT)
    file.chmod(0o666)
    with pytest.raises(PolicyError, match="chmod go-w"):
        load_policy(file)
    file.chmod(0o644)
    assert load_policy(file).rules


@given(st.integers(0, len(TEXT)))
def test_a_truncated_file_is_a_policy_error_or_a_whole_policy(length: int) -> None:
    try:
        parse_policy(TEXT[:length])
    except PolicyError as error:
        assert str(error).startswith("policy:")
