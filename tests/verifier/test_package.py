"""The verifier is a small distribution of its own, shares no code with the log, and is documented as it is."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.standing_alone import foreign_imports
from verifier import __version__
from verifier.main import main
from verifier.report import CHECKS

ROOT = Path(__file__).parents[2]
VERIFIER = ROOT / "verifier"
DOCS = (ROOT / "docs" / "verify.md").read_text(encoding="utf-8")


def test_only_relative_imports_the_standard_library_and_cryptography() -> None:
    found = set(foreign_imports(VERIFIER))
    assert {top for _, top in found} == {"cryptography", "psycopg"}
    assert {name for name, top in found if top == "psycopg"} == {"database.py"}


def test_psycopg_is_not_needed_for_anything_else(tmp_path: Path) -> None:
    shutil.copytree(VERIFIER, tmp_path / "prodaccess_verify", ignore=shutil.ignore_patterns("__pycache__"))
    script = (
        "import sys; sys.path.insert(0, '.'); sys.modules['psycopg'] = None\n"
        "from prodaccess_verify.main import main; sys.exit(main(['database', 'postgresql://127.0.0.1/x']))"
    )
    ran = subprocess.run(
        [sys.executable, "-I", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (2, "")
    assert "pip install 'prodaccess-verify[postgresql]'" in ran.stdout


def test_its_pyproject_names_what_is_there() -> None:
    own = tomllib.loads((VERIFIER / "pyproject.toml").read_text(encoding="utf-8"))
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert own["project"]["version"] == whole["project"]["version"] == __version__
    packages = {path.parent.relative_to(VERIFIER).as_posix() for path in VERIFIER.rglob("__init__.py")}
    named = {
        name.removeprefix("prodaccess_verify").replace(".", "/").strip("/") or "."
        for name in own["tool"]["setuptools"]["packages"]
    }
    assert named == packages
    (only,) = own["project"]["dependencies"]
    assert only in whole["project"]["dependencies"]
    assert own["project"]["optional-dependencies"]["postgresql"][0] in whole["project"]["dependencies"]


def _help(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    with pytest.raises(SystemExit) as stopped:
        main([*words, "--help"])
    assert stopped.value.code == 0
    return capsys.readouterr().out


def test_every_check_and_exit_code_is_documented(capsys: pytest.CaptureFixture[str]) -> None:
    shown = _help(capsys)
    for name, about in CHECKS.items():
        assert f"| `{name}` | {about} |" in DOCS
        assert about in shown
    for code, meaning in re.findall(r"^  ([0-3])  (.+)$", shown, re.MULTILINE):
        assert f"| {code} | {meaning} |" in DOCS


@pytest.mark.parametrize("verb", ["bundle", "database", "tiles", "receipt"])
def test_every_option_is_documented(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    shown = _help(capsys, verb)
    for option in set(re.findall(r"--[a-z-]{2,}", shown)) - {"--help"}:
        assert f"`{option}" in DOCS, option
    assert f"prodaccess-verify {verb}" in DOCS


def test_files_of_a_bundle_are_documented() -> None:
    from audit.export import bundle

    for name in re.findall(r"^    (\S+)", str(bundle.__doc__), re.MULTILINE):
        assert f"`{name}`" in DOCS, name
