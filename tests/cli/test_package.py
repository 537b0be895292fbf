"""The command is a small distribution of its own, and starts fast because it imports late."""

from __future__ import annotations

import ast
import asyncio
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cli.arguments import VERBS, options_of, overview, parser_of
from cli.exits import EXITS, CliError
from tests.cli.shell import ROOT, Shell
from tests.standing_alone import foreign_imports

CLI = ROOT / "cli"
DOCS = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
HEAVY = ("http.client", "ssl", "cryptography", "dataclasses", "inspect", "email", "socket", "subprocess", "asyncio")
LOADED = """
import sys
from cli.main import main
assert main(sys.argv[1:]) == 0
print(*sys.modules, file=sys.stderr)
"""
BARE = "import sys; print(*sys.modules, file=sys.stderr)"


def test_only_relative_imports_the_standard_library_and_cryptography() -> None:
    assert {top for _, top in foreign_imports(CLI)} == {"cryptography"}


def test_it_works_under_its_own_name(tmp_path: Path) -> None:
    shutil.copytree(CLI, tmp_path / "prodaccess_cli", ignore=shutil.ignore_patterns("__pycache__"))
    script = "import sys; sys.path.insert(0, '.'); from prodaccess_cli.main import main; sys.exit(main(['help']))"
    ran = subprocess.run([sys.executable, "-I", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout == overview()


def test_its_pyproject_names_what_is_there() -> None:
    own = tomllib.loads((CLI / "pyproject.toml").read_text(encoding="utf-8"))
    whole = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert own["project"]["version"] == whole["project"]["version"]
    packages = {path.parent.relative_to(CLI).as_posix() for path in CLI.rglob("__init__.py")}
    named = {
        name.removeprefix("prodaccess_cli").replace(".", "/").strip("/") or "."
        for name in own["tool"]["setuptools"]["packages"]
    }
    assert named == packages
    (only,) = own["project"]["dependencies"]
    assert only in whole["project"]["dependencies"]


async def _modules(shell: Shell, script: str, *words: str) -> set[str]:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, *words, env=shell.environment, stdout=pipe, stderr=pipe
    )  # fmt: skip
    _, err = await process.communicate()
    return set(err.decode().split())


async def test_a_kept_credential_is_printed_without_network_or_cryptography(shell: Shell) -> None:
    await shell.sign_in()
    await shell.api.world.opened()
    await shell.run("creds", "PA-1")
    loaded = await _modules(shell, LOADED, "creds", "PA-1") - await _modules(shell, BARE)
    assert "cli.credentials.cache" in loaded
    assert loaded.isdisjoint(HEAVY), loaded.intersection(HEAVY)


# What is written about it


def test_every_exit_code_is_documented_as_it_is() -> None:
    for code, meaning in EXITS.items():
        assert f"| {code} | {meaning} |" in DOCS
        assert f"{code:>3}  {meaning}" in overview()
    kinds = {error.code for error in CliError.__subclasses__()} | {CliError.code, 0, 130}
    assert kinds == set(EXITS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_and_option_is_documented(verb: str) -> None:
    _, about = VERBS[verb]
    module, parser = parser_of(verb)
    section = DOCS.partition(f"\n## {verb}\n")[2].partition("\n## ")[0]
    assert about in section
    usage = section.split("`")[1]
    assert set(re.findall(r"--[a-z-]{2,}", usage)) == set(options_of(verb)) - {"--help", "--json"}
    for line in module.EXAMPLES.splitlines():
        assert line.strip() in DOCS or ":" in line, line
        assert line.strip() in parser.format_help()


def test_the_overview_is_quoted_in_the_documentation() -> None:
    assert overview() in DOCS


def test_environment_variables_are_those_that_are_read() -> None:
    read = {
        word
        for path in CLI.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(word := node.value, str) and word.startswith("PRODACCESS_")
        and word.isupper() and word.isidentifier()
    }  # fmt: skip
    assert read >= {"PRODACCESS_SERVER", "PRODACCESS_STATE_DIR"}
    for name in read - {"PRODACCESS_"}:
        assert name in DOCS, name


def test_help_is_there_for_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    from cli.main import main

    for verb in VERBS:
        assert main([*verb.split(), "--help"]) == 0
        shown = capsys.readouterr().out
        assert main(["help", *verb.split()]) == 0
        assert capsys.readouterr().out == shown
        assert "examples:" in shown
    assert (main([]), main(["list", "--nonsense"]), main(["aws", "PA-1", "--", "x"])) == (2, 2, 2)


def test_what_is_not_understood_names_the_way_to_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    from cli.main import main

    assert main(["end"]) == 2
    assert capsys.readouterr().err.endswith("required: PA-7. `prodaccess end --help` says more.\n")
    assert main(["request"]) == 2
    assert 'prodaccess request orders-db 1h OPS-412 "refunds stuck"' in capsys.readouterr().err
    assert main(["login", "ABC", "--server", "https://prodaccess.example"]) == 2
    assert "They look like ABCD-EFGH" in capsys.readouterr().err


def test_it_says_which_version_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    from cli.main import main

    assert main(["--version"]) == 0
    own = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert capsys.readouterr().out == f"prodaccess {own['project']['version']}\n"


@pytest.mark.parametrize("shell_name", ["bash", "zsh", "fish"])
def test_completion_knows_every_verb(shell_name: str, capsys: pytest.CaptureFixture[str]) -> None:
    from cli.main import main

    assert main(["completion", shell_name]) == 0
    script = capsys.readouterr().out
    assert all(word in script for verb in VERBS for word in verb.split())
    assert "kill-at-expiry" in script
    assert "table:" in script


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ("prodaccess cr", "creds"),
        ("prodaccess au", "audit"),
        ("prodaccess audit s", "search show"),
        ("prodaccess audit search ta", "target: table:"),
        ("prodaccess audit erase --w", "--why"),
        ("prodaccess show --j", "--json"),
        ("prodaccess show s", ""),
        ("prodaccess decide PA-7-2.3 a", "allow"),
        ("prodaccess completion f", "fish"),
    ],
)
def test_bash_completes(words: str, given: str, capsys: pytest.CaptureFixture[str]) -> None:
    from cli.main import main

    main(["completion", "bash"])
    ask = f'COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}}-1)); _prodaccess; echo "${{COMPREPLY[@]}}"'
    ran = subprocess.run(
        ["bash", "-c", f"{capsys.readouterr().out}\n{ask}"], capture_output=True, text=True, check=True
    )
    assert ran.stdout == f"{given}\n"


def test_a_group_shows_its_verbs(capsys: pytest.CaptureFixture[str]) -> None:
    from cli.main import main

    for words in (["audit", "--help"], ["help", "audit"], ["audit", "-h"]):
        assert main(words) == 0
        assert "audit search" in capsys.readouterr().out
    assert main(["audit"]) == 2
    assert "audit search" in capsys.readouterr().err
    assert main(["audit", "serch", "x"]) == 2
    assert "Did you mean audit search?" in capsys.readouterr().err
