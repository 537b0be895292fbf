"""`prodaccess policy`: check a file, explain it, compare two, test one, and the schema for editors."""

from __future__ import annotations

import argparse
import difflib
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from access.model import Person
from access.policy import Facts, Policy, Wanted, explain
from access.policy.diffing import Change, diff
from access.policy.faults import PolicyFaults
from access.policy.names import of_an_account
from access.policy.shapes import json_schema
from access.policy.testing import facts_of, person_called, read_cases, run_case
from prodaccess.policies.file import PolicyError, check_policy, who_else_may_write
from prodaccess.policies.strict_yaml import parse_yaml, placed
from prodaccess.policies.warnings import half_held, unreviewable
from prodaccess.policies.words import explanation_data, explanation_text

FINE, DIFFERENT, UNREADABLE = 0, 1, 2
_EXITS = "Exit codes: 0 fine, 1 {}, 2 a file cannot be read, or is no policy."


class _Unusable(Exception):
    """What was typed leads to nothing; the text says what would."""


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = options.run
    try:
        return run(options)
    except (PolicyError, _Unusable) as error:
        print(error, file=sys.stderr)
        return DIFFERENT if run is _check else UNREADABLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="prodaccess policy")
    verbs = parser.add_subparsers(dest="verb", required=True)
    check = verbs.add_parser(
        "check", help="every mistake in a policy file, with its line", epilog="Exit codes: 0 none, 1 there are some."
    )
    check.add_argument("file", type=Path, help="the policy file")
    check.set_defaults(run=_check)
    _explaining(verbs.add_parser("explain", help="which rule speaks, who would be asked, what is missing"))
    compare = verbs.add_parser("diff", help="who gains and loses what", epilog=_EXITS.format("they differ"))
    compare.add_argument("old", type=Path)
    compare.add_argument("new", type=Path)
    compare.add_argument("--json", action="store_true", help="for programs")
    compare.set_defaults(run=_diff)
    test = verbs.add_parser("test", help="run the cases of a file", epilog=_EXITS.format("a case does not hold"))
    test.add_argument("file", type=Path, help="the policy file")
    test.add_argument("cases", type=Path, nargs="?", help="usually NAME.cases.yml beside NAME.yml")
    test.set_defaults(run=_test)
    schema = verbs.add_parser("schema", help="JSON Schema of a policy file, for editors")
    schema.set_defaults(run=_schema)
    return parser


def _explaining(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "Exit codes: 0 explained, 2 a file cannot be read, or a name stands for nothing in it."
    parser.add_argument("file", type=Path, help="the policy file")
    parser.add_argument("--as", dest="who", required=True, metavar="PERSON", help="a name in the file, or a Slack id")
    parser.add_argument("--target", required=True)
    parser.add_argument("--role", help="one role; all of the target without it")
    parser.add_argument("--at", type=_moment, metavar="TIME", help="2026-12-24T12:00:00+01:00; now without it")
    parser.add_argument(
        "--assume", action="append", default=[], type=_members, metavar="GROUP=PERSON,…",
        help="who is in a group that is kept elsewhere, or on call; can be repeated",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.set_defaults(run=_explain)


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise argparse.ArgumentTypeError(f"“{text}” has no zone. Write 2026-12-24T12:00:00+01:00.")
    return found


def _members(text: str) -> tuple[str, tuple[str, ...]]:
    group, _, people = text.partition("=")
    return group, tuple(filter(None, people.split(",")))


def _check(options: argparse.Namespace) -> int:
    policy = check_policy(options.file)
    roles = dict.fromkeys((rule.target, rule.role) for rule in policy.rules)
    people, targets = len(policy.accounts), len({target for target, _ in roles})
    print(f"{options.file}: {people} people, {len(roles)} roles on {targets} targets. No faults.")
    for warning in unreviewable(policy):
        print(f"Warning: {warning} Name an admin, or another approver.", file=sys.stderr)
    for warning in half_held(policy):
        print(f"Warning: {warning}", file=sys.stderr)
    if found := who_else_may_write(options.file):
        print(f"`serve` will refuse it as it is: {found[0]}. Run: {found[1]}", file=sys.stderr)
    return FINE


def _explain(options: argparse.Namespace) -> int:
    policy = check_policy(options.file)
    person, facts = _person(policy, options.who), _facts(policy, options)
    roles = [options.role] if options.role else list(dict.fromkeys(_roles(policy, options.target)))
    found = [explain(policy, Wanted(person, options.target, role), facts, to_admin=True) for role in roles]
    if options.json:
        print(json.dumps([explanation_data(each) for each in found], indent=2))
    else:
        print("\n\n".join(explanation_text(each) for each in found))
    return FINE


def _person(policy: Policy, name: str) -> Person:
    if name not in policy.accounts and of_an_account(name):
        raise _Unusable(f"The file names nobody called {name}{_near(name, list(policy.accounts))}")
    return person_called(policy, name)


def _roles(policy: Policy, target: str) -> list[str]:
    roles = [rule.role for rule in policy.rules if rule.target == target]
    if not roles:
        raise _Unusable(f"The file has no target {target}{_near(target, [rule.target for rule in policy.rules])}")
    return roles


def _facts(policy: Policy, options: argparse.Namespace) -> Facts:
    for group, _ in options.assume:
        if group not in policy.looked_up:
            raise _Unusable(f"{group} is not kept elsewhere{_near(group, list(policy.looked_up))}")
    return facts_of(policy, options.at or datetime.now(UTC), dict(options.assume))


def _near(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else "."


def _diff(options: argparse.Namespace) -> int:
    changes = diff(check_policy(options.old), check_policy(options.new))
    if options.json:
        print(json.dumps([change.as_data() for change in changes], indent=2))
    else:
        print("\n".join(map(str, changes)) or "Nobody gains or loses anything.")
    return _different(changes)


def _different(changes: tuple[Change, ...]) -> int:
    return DIFFERENT if changes else FINE


def _test(options: argparse.Namespace) -> int:
    policy = check_policy(options.file)
    path = options.cases or options.file.with_suffix(".cases.yml")
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PolicyError(f"{path}: cannot be read ({error}).") from error
    data, tree = parse_yaml(text, str(path))
    try:
        outcomes = [run_case(policy, case) for case in read_cases(data)]
    except PolicyFaults as error:
        raise PolicyError(placed(error.faults, tree, str(path))) from error
    print("\n".join(map(str, outcomes)))
    wrong = sum(bool(outcome.wrong) for outcome in outcomes)
    print(f"{len(outcomes)} cases, {wrong} wrong.")
    return DIFFERENT if wrong else FINE


def _schema(_: argparse.Namespace) -> int:
    print(json.dumps(json_schema(), indent=2))
    return FINE
