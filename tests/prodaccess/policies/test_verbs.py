from __future__ import annotations

import json
from pathlib import Path

import pytest

from access.policy.shapes import json_schema
from prodaccess.admin import run
from tests.access.policy.files import TEXT
from tests.people import POLICY

NOON = "2026-11-23T12:00:00+01:00"


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "policy.yml"
    path.write_text(TEXT)
    return str(path)


def test_check_counts_and_names_every_fault(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("policy", ["check", file]) == 0
    assert "5 people, 3 roles on 2 targets. No faults." in capsys.readouterr().out
    Path(file).write_text(TEXT.replace("max: 1h", "max: 1x"))
    assert run("policy", ["check", file]) == 1
    assert capsys.readouterr().err.count("is not a duration") == 3


def test_explain_says_what_is_met_what_is_missing_and_who_is_asked(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run("policy", ["explain", file, "--as", "linus", "--target", "orders-db", "--role", "write", "--at", NOON]) == 0
    )
    assert capsys.readouterr().out == (
        "linus may ask for orders-db · write (rule orders-db/write)\n"
        "  ✓ to be among engineers\n"
        "  · at most 1 hour\n"
        "  · a reason\n"
        "  · an open ticket in Jira of OPS\n"
        "  decided by 1 of team, or 1 of on_call.orders after 10 minutes and 1 of security\n"
        "  asked at once: ada, grace\n"
        "  asked later: katherine, margaret once those before have approved\n"
        "  Nobody can tell right now who is in on_call.orders: Nobody was asked.\n"
        "  The time runs from first use, which must come within 30 minutes.\n"
        "  Somebody else reviews it afterwards.\n"
    )


def test_explain_takes_what_is_assumed_of_groups_that_are_kept_elsewhere(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--as", "linus", "--target", "orders-db", "--role", "read", "--at", NOON, "--json"]
    assert run("policy", ["explain", file, *arguments, "--assume", "on_call.orders=linus"]) == 0
    (said,) = json.loads(capsys.readouterr().out)
    assert (said["rule"], said["asked"], said["allowed"]) == ("orders-db/read#1", [], True)
    assert run("policy", ["explain", file, *arguments]) == 0
    assert json.loads(capsys.readouterr().out)[0]["rule"] == "orders-db/read#2"


def test_explain_tells_an_operator_also_what_somebody_cannot_have(
    file: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("policy", ["explain", file, "--as", "margaret", "--target", "orders-db", "--at", NOON]) == 0
    out = capsys.readouterr().out
    assert "margaret cannot ask for orders-db · write" in out
    assert "✗ to be among engineers" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--as", "lnus", "--target", "orders-db"], "did you mean linus?"),
        (["--as", "linus", "--target", "order-db"], "did you mean orders-db?"),
        (["--as", "linus", "--target", "orders-db", "--assume", "owner=ada"], "did you mean owners?"),
    ],
)
def test_explain_names_the_nearest(
    file: str, arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("policy", ["explain", file, *arguments]) == 2
    assert said in capsys.readouterr().err


def test_diff_speaks_of_people(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = tmp_path / "old.yml", tmp_path / "new.yml"
    old.write_text(POLICY)
    new.write_text(
        POLICY.replace("max: 1h", "max: 2h")
        .replace("approvals: 2", "approvals: 1")
        .replace("[ada, grace, linus]", "[ada]")
    )
    assert run("policy", ["diff", str(old), str(old)]) == 0
    assert capsys.readouterr().out == "Nobody gains or loses anything.\n"
    assert run("policy", ["diff", str(old), str(new)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert "- grace and linus may no longer ask for orders-db · read, orders-db · write" in lines
    assert "+ ada on orders-db · write: at most 2 hours, was at most 1 hour" in lines
    assert "+ ada on orders-db · write: 1 approval, was 2 approvals" in lines
    assert run("policy", ["diff", str(old), str(new), "--json"]) == 1
    assert {"max", "approvals", "may ask"} <= {change["what"] for change in json.loads(capsys.readouterr().out)}
    assert run("policy", ["diff", str(old), str(tmp_path / "nothing.yml")]) == 2


def test_cases_are_told_one_to_a_line(file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cases = tmp_path / "policy.cases.yml"
    linus = f'as: linus, target: orders-db, role: read, at: "{NOON}"'
    held = f"""
- {{as: linus, target: orders-db, role: read, at: "{NOON}", expect: allowed, asks: [ada, grace]}}
- {{{linus}, members: {{on_call.orders: [linus]}}, expect: allowed, asks: []}}
- {{as: linus, target: orders-db, role: read, at: "2026-12-24T12:00:00+01:00", expect: refused, because: Frozen}}
- {{as: U0STRANGER, target: payroll, role: read, at: "{NOON}", members: {{owners: [U0STRANGER]}}, expect: allowed}}
"""
    cases.write_text(held)
    assert run("policy", ["test", file]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line[:5] for line in out[:-1]] == ["ok   "] * 4
    assert out[-1] == "4 cases, 0 wrong."
    cases.write_text(held.replace("asks: [ada, grace]", "asks: [ada]").replace("Frozen", "Closed"))
    assert run("policy", ["test", file, str(cases)]) == 1
    out = capsys.readouterr().out
    assert "Expected to ask ada; it asks ada, grace." in out
    assert "Expected because: “Closed”." in out
    assert "4 cases, 2 wrong." in out


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {as: linus, target: orders-db, role: read, expct: allowed}", "did you mean `expect`?"),
        ("- {as: linus, target: orders-db, role: read, expect: maybe}", "`allowed` or `refused`"),
        ("[]", "no case"),
        ("- {as: a, target: b, role: c, expect: allowed, members: {owners: [ada]}}", "Say also `at`"),
        ("- [", "policy.cases.yml:"),
    ],
)
def test_a_case_that_is_none_is_named_with_its_line(
    file: str, tmp_path: Path, text: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "policy.cases.yml").write_text(text)
    assert run("policy", ["test", file]) == 2
    assert said in capsys.readouterr().err


def test_without_cases_there_is_nothing_to_hold(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("policy", ["test", file]) == 2
    assert "policy.cases.yml: cannot be read" in capsys.readouterr().err


def test_the_schema_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("policy", ["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json_schema()
