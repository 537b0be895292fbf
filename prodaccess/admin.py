"""The server's own verbs. Each imports what it needs when it runs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

USAGE = 2


def run(verb: str, arguments: list[str]) -> int:
    """Run one server verb; returns the exit code."""
    verbs = {"serve": _serve, "demo": _demo, "policy": _policy, "settings": _settings}
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
