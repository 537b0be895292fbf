"""What the documentation names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from prodaccess.__main__ import AUDIT_VERBS, SERVER_VERBS
from prodaccess.settings import TABLE

ROOT = Path(__file__).parents[1]
#: what `prodaccess run` gives a command, by the name of a hint or of a part of the secret
GIVEN = {f"PRODACCESS_{name}" for name in (
    "USERNAME", "PASSWORD", "HOST", "PORT", "DBNAME", "USER", "PRIVATE_KEY", "CERTIFICATE"
)}  # fmt: skip
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_local_link_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in link:
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"(?:^|`)make ([a-z]+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert {"demo", "test"} <= set(targets)
    assert all(f"\n{target}:" in makefile for target in targets)


def test_every_variable_of_the_pages_is_a_setting() -> None:
    known = {setting.name for setting in TABLE} | {f"{s.name}_FILE" for s in TABLE if s.secret}
    of_the_command = {
        "PRODACCESS_SERVER", "PRODACCESS_STATE_DIR", "PRODACCESS_REF", "PRODACCESS_EXPIRES_AT", "PRODACCESS_SSH_CONFIG",
    }  # fmt: skip
    for page in PAGES:
        named = set(re.findall(r"\b(?:PRODACCESS|SLACK|VAULT)_[A-Z_]*[A-Z]\b", page.read_text()))
        given_to_commands = {name for name in named if name in GIVEN}
        assert named <= known | of_the_command | given_to_commands, page.name


def test_every_server_verb_of_the_readme_exists() -> None:
    text = (ROOT / "README.md").read_text()
    verbs = set(re.findall(r"\.venv/bin/prodaccess ([a-z]+)", text))
    assert verbs - {"audit"} <= set(SERVER_VERBS)
    of_audit = set(re.findall(r"prodaccess audit ([a-z-]+)", text))
    assert of_audit <= set(AUDIT_VERBS) | {"search", "who", "show", "erase"}
    assert verbs
    assert of_audit


def test_the_map_of_the_house_has_every_room_and_no_other() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text()
    named = set(re.findall(r"`([a-z_]+(?:/[\w.]+)*)`", page))
    paths = {name for name in named if "/" in name}
    assert [name for name in paths if not (ROOT / name).exists()] == []
    tops = {path.parent.name for path in ROOT.glob("[a-z]*/__init__.py")}
    rooms = tops | {str(path.parent.relative_to(ROOT)) for top in tops for path in ROOT.glob(f"{top}/*/__init__.py")}
    assert rooms - named == set()


@pytest.mark.parametrize("name", ["threat-model.md", "peers.md"])
def test_the_tests_that_a_page_names_exist(name: str) -> None:
    code = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    page = (ROOT / "docs" / name).read_text()
    names = re.findall(r"`(test_[a-z_0-9]+)`", page)
    assert names
    assert [name for name in names if f"def {name}" not in code] == []
    files = [name for name in re.findall(r"`(tests/[\w/.]+)`", page) if not (ROOT / name).exists()]
    assert files == []


def test_every_feature_beside_others_has_its_test() -> None:
    rows = [row for row in (ROOT / "docs" / "peers.md").read_text().splitlines() if row.startswith("| ")]
    features = [row.split("|") for row in rows if not row.startswith(("| | ", "| ---"))]
    assert len(features) > 50
    assert [row[1] for row in features if "`test_" not in row[2] or len(row) != 10] == []
