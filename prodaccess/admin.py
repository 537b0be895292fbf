"""The server's own verbs. Each imports what it needs when it runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

USAGE = 2


def run(verb: str, arguments: list[str]) -> int:
    """Run one server verb; returns the exit code."""
    verbs = {
        "serve": _serve, "demo": _demo, "doctor": _doctor, "migrate": _migrate, "policy": _policy,
        "settings": _settings,
    }  # fmt: skip
    return verbs[verb](arguments)


def _serve(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="prodaccess serve",
        description="Run the server until SIGTERM. Environment variables tell it everything: prodaccess settings.",
        epilog="Exit codes: 0 stopped in order, 2 cannot start (the reasons stand on stderr).",
    )
    parser.parse_args(arguments)
    from prodaccess.serve import main

    return main()


def _demo(arguments: list[str]) -> int:
    from prodaccess.demo.command import main

    return main(arguments)


def _doctor(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="prodaccess doctor",
        description="Check everything that an operator gets wrong, with the settings of `serve`, beside it or without.",
        epilog="Exit codes: 0 all well, 1 something is wrong.",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(arguments)
    from prodaccess.doctor import main

    return main(as_json=options.json)


def _migrate(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="prodaccess migrate",
        description="Bring the database of PRODACCESS_DATABASE_URL up to date. `serve` does it too, where it may.",
        epilog="On PostgreSQL run this as a role that owns the tables, and `serve` as another, NAME: it can then add to"
        " the audit log but not change it. Exit codes: 0 done, 2 not possible (the reason stands on stderr).",
    )
    parser.add_argument("--database-role", metavar="NAME", help="the role that `serve` connects as, on PostgreSQL")
    options = parser.parse_args(arguments)
    from prodaccess.migrating import main

    return main(options.database_role)


def _policy(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="prodaccess policy")
    verbs = parser.add_subparsers(dest="verb", required=True)
    check = verbs.add_parser("check", help="every mistake in a policy file, with its line")
    check.add_argument("file", type=Path, help="the policy file")
    options = parser.parse_args(arguments)
    from prodaccess.policy_file import PolicyError, check_policy, who_else_may_write

    try:
        policy = check_policy(options.file)
    except PolicyError as error:
        print(error, file=sys.stderr)
        return 1
    people, rules = len(policy.accounts), len(policy.rules)
    print(
        f"{options.file}: {people} people, {rules} roles on {len({r.target for r in policy.rules})} targets. No faults."
    )
    if found := who_else_may_write(options.file):
        print(f"`serve` will refuse it as it is: {found[0]}. Run: {found[1]}", file=sys.stderr)
    return 0


def _settings(arguments: list[str]) -> int:
    argparse.ArgumentParser(prog="prodaccess settings").parse_args(arguments)
    from prodaccess.settings import as_markdown

    print(as_markdown(), end="")
    return 0
