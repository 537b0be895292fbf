"""Each line of the threat model names a test that exists, or says why there is none."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "threat-model.md").read_text()


def rows(page: str) -> list[list[str]]:
    found = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in page.splitlines() if line[:2] == "| "]
    return [row for row in found if row[0] not in ("#", "threat", "---")]


def test_every_threat_has_a_test_or_a_reason() -> None:
    assert len(rows(PAGE)) > 60
    lacking = [row for row in rows(PAGE) if "`test" not in row[-1] and not row[-1].startswith("no test: ")]
    assert [row[:2] for row in lacking if "demo --play" not in row[-1]] == []


def test_the_list_by_stride_is_whole() -> None:
    numbered = [row for row in rows(PAGE.partition("## Line by line")[2]) if row[0].isdecimal()]
    assert [int(row[0]) for row in numbered] == list(range(1, 27))


def test_what_it_names_exists() -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    names = re.findall(r"`(test_[a-z_0-9]+)`", PAGE)
    assert len(names) > 40
    assert [name for name in names if f"def {name}(" not in code] == []
    assert [path for path in re.findall(r"`(tests/[\w/.]+)`", PAGE) if not (ROOT / path).exists()] == []
