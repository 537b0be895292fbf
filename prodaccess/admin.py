"""The server's own verbs. Each imports what it needs when it runs."""

from __future__ import annotations

import argparse

USAGE = 2


def run(verb: str, arguments: list[str]) -> int:
    """Run one server verb; returns the exit code."""
    verbs = {
        "serve": _serve, "gateway": _gateway, "revoker": _revoker, "demo": _demo, "doctor": _doctor,
        "migrate": _migrate, "policy": _policy, "reconcile": _reconcile, "settings": _settings,
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


def _gateway(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="prodaccess gateway",
        description="Let people through the recorded gateways and do nothing else, until SIGTERM: beside servers on"
        " PostgreSQL, as many as needed. It reads the same settings, and needs no key of the log's signer.",
        epilog="Exit codes: 0 stopped in order, 2 cannot start (the reasons stand on stderr).",
    )
    parser.parse_args(arguments)
    from prodaccess.gateways.process import main

    return main()


def _revoker(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="prodaccess revoker",
        description="End grants and do nothing else, until SIGTERM: beside servers on PostgreSQL, or while they are"
        " down. It reads the same settings and needs nothing of Slack.",
        epilog="Exit codes: 0 stopped in order, 2 cannot start (the reasons stand on stderr).",
    )
    parser.parse_args(arguments)
    from prodaccess.revoking.process import main

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
    from prodaccess.doctor.report import main

    return main(as_json=options.json)


def _reconcile(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="prodaccess reconcile",
        description="Hold what stands at the providers against the open grants, both ways; beside `serve` or without.",
        epilog="Exit codes: 0 nothing is wrong (or all of it was ended), 1 something is, 2 it could not be looked at.",
    )
    parser.add_argument("--act", action="store_true", help="end what is provably ours and belongs to no open grant")
    parser.add_argument("--json", action="store_true", help="for programs")
    options = parser.parse_args(arguments)
    from prodaccess.reconciling.verb import main

    return main(act=options.act, as_json=options.json)


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
    from prodaccess.policies.verbs import main

    return main(arguments)


def _settings(arguments: list[str]) -> int:
    argparse.ArgumentParser(prog="prodaccess settings").parse_args(arguments)
    from prodaccess.settings import as_markdown

    print(as_markdown(), end="")
    return 0
