"""The page on tickets says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from access.policy import Rule
from directory.memberships import Directories
from directory.slack_groups import EVENTS
from tickets.github import github_key
from tickets.http import LONGEST_PAUSE, Rest
from tickets.jira import jira_key
from tickets.system import FRESH_FOR

TEXT = (Path(__file__).parents[2] / "docs" / "tickets.md").read_text("utf-8")


def row(name: str) -> list[list[str]]:
    """The code spans of each cell in the table row that begins with this word."""
    (line,) = [line for line in TEXT.splitlines() if line.startswith(f"| `{name}` |")]
    return [re.findall(r"`([^`]+)`", cell) for cell in line.strip("|").split("|")]


def test_every_form_of_a_jira_ticket_is_understood() -> None:
    _, forms, project = row("jira")
    keys = {jira_key(form, "https://acme.atlassian.net") for form in forms}
    assert keys == {"OPS-12"}
    assert project == ["OPS"]


def test_every_form_of_a_github_ticket_is_understood() -> None:
    _, forms, project = row("github")
    keys = {github_key(form, "https://github.com", "acme/ops") for form in forms}
    assert keys == {("acme/ops", "12")}
    assert project == ["acme/ops"]


def test_what_is_shown_for_a_pattern_fits_the_usual_one() -> None:
    _, forms, project = row("pattern")
    assert all(re.fullmatch(Rule.__dataclass_fields__["ticket_pattern"].default, form) for form in forms)
    assert project == []


def test_the_times_are_those_of_the_code() -> None:
    assert f"at most {Rest.timeout:g} s" in TEXT
    assert f"if that is at most\n{LONGEST_PAUSE:g} s" in TEXT
    assert f"believed for {FRESH_FOR.seconds} s" in TEXT
    assert f"after {Directories.fresh_for.seconds} s, or at once" in TEXT
    assert f"up to {Directories.usable_for.seconds // 60} minutes old" in TEXT


def test_the_events_are_those_that_are_heard() -> None:
    assert all(f"`{event}`" in TEXT for event in EVENTS)


def test_the_sentences_are_those_of_the_code() -> None:
    code = "\n".join(path.read_text("utf-8") for path in (Path(__file__).parents[2] / "tickets").glob("*.py"))
    table = TEXT.split("| sentence |")[1].split("\n\n")[0]
    for sentence in re.findall(r"^\| ([A-Z][^|]+?)\.? \|", table, re.MULTILINE):
        said = sentence.removeprefix("Jira ").removeprefix("Tickets of mallory ")
        assert said in code, sentence
