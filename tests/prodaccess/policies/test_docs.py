"""What docs/policy.md shows is what the loader takes and what the schema allows."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from access.policy.reading import read_policy
from access.policy.shapes import SHAPES, json_schema
from access.policy.testing import read_cases, run_case
from prodaccess.policies.file import check_policy
from prodaccess.policies.strict_yaml import parse_yaml
from tests.access.policy.files import TEXT

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "policy.md").read_text()
BLOCKS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
CASES = re.findall(r"```yaml cases\n(.*?)```", PAGE, re.DOTALL)


def data_of(text: str) -> Any:
    return parse_yaml(text, "docs")[0]


def whole(block: str) -> Any:
    """The block, in a file that has everything which the page has introduced."""
    people = data_of(next(text for text in BLOCKS if "on_call:\n" in text))
    return {**data_of(BLOCKS[0]), **people, **data_of(block)}


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.split("\n")[0])
def test_every_example_is_a_policy_for_the_loader_and_for_the_schema(block: str) -> None:
    data = whole(block)
    read_policy(data, "")
    jsonschema.validate(data, json_schema())


@pytest.mark.parametrize("block", CASES)
def test_the_cases_of_the_page_hold_for_its_first_policy(block: str) -> None:
    policy = read_policy(data_of(BLOCKS[0]), "")
    assert [outcome.wrong for outcome in (run_case(policy, case) for case in read_cases(data_of(block)))] == [
        (), (), (),
    ]  # fmt: skip


def test_the_published_schema_is_the_one_of_the_code() -> None:
    assert json.loads((ROOT / "docs" / "policy.schema.json").read_text()) == json_schema()


def test_the_schema_is_a_schema_and_takes_what_the_loader_takes() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    for text in (TEXT, (ROOT / "policy.example.yml").read_text(), (ROOT / "prodaccess/demo/policy.yml").read_text()):
        jsonschema.validate(data_of(text), json_schema())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("max: 1h", "maximum: 1h"),
        ("approve: nobody", "approve: anybody"),
        ("version: 1", "version: 2"),
        ("sensitivity: high", "sensitivity: secret"),
    ],
)
def test_the_schema_refuses_what_the_loader_refuses(old: str, new: str) -> None:
    assert old in TEXT
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data_of(TEXT.replace(old, new)), json_schema())


def test_every_key_of_the_language_is_explained_on_the_page() -> None:
    missing = [key for shape in SHAPES.values() for key in shape if f"{key}:" not in PAGE and f"`{key}`" not in PAGE]
    assert missing == []


def test_the_cases_beside_the_example_hold() -> None:
    policy = check_policy(ROOT / "policy.example.yml")
    cases = read_cases(data_of((ROOT / "policy.example.cases.yml").read_text()))
    assert not [outcome.wrong for outcome in (run_case(policy, case) for case in cases) if outcome.wrong]
