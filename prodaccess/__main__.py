"""The `prodaccess` command. An engineer's verbs go to `cli` and import nothing else: they are spawned on every call."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TextIO

SERVER_VERBS = {
    "serve": "run the server: Slack bot, api, and the clockwork that ends everything on time",
    "gateway": "let people through recorded gateways and do nothing else, beside servers on PostgreSQL",
    "revoker": "end grants and do nothing else, beside servers on PostgreSQL",
    "demo": "everything on this machine, to try it out; --play runs the main job by itself",
    "doctor": "check everything that an operator gets wrong, and say what to do",
    "reconcile": "what stands at the providers without a grant, and the reverse; --act ends what is ours",
    "migrate": "bring the database up to date; --database-role keeps the server from changing the log",
    "policy": "policy check FILE: every mistake in a policy file, with its line; also explain, diff, test, schema",
    "settings": "the environment variables that `serve` reads, as a table",
}
AUDIT_VERBS = {
    "keygen": "make the log's keys, and say which settings to set",
    "verify": "check the whole log, beside a running server",
    "export": "entries as a file, with the proof that none is missing",
    "replay-decisions": "judge every recorded decision again, by the policy of its time",
    "checkpoint": "the newest checkpoint and the verifier key: what an auditor keeps",
    "receipt": "the proof that one entry stands in the log",
}
_HELP = ("-h", "--help", "help")


def main() -> int:
    """Dispatch; returns the exit code."""
    from cli.main import open_streams

    open_streams()
    try:
        code = _dispatch(sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return code


def _dispatch(arguments: list[str]) -> int:
    verb, *rest = arguments or [""]
    if verb in SERVER_VERBS:
        from prodaccess.admin import run

        return run(verb, rest)
    if verb == "audit" and rest[:1] and rest[0] in AUDIT_VERBS:
        from prodaccess.auditing.verbs import run as audit

        return audit(rest[0], rest[1:])
    return _engineer(arguments)


def _engineer(arguments: list[str]) -> int:
    from cli.main import main as engineer

    code = engineer(arguments)
    if len(arguments) == 1 and arguments[0] in _HELP:
        _print_verbs(SERVER_VERBS | {"audit": f"{', '.join(AUDIT_VERBS)}: see prodaccess audit --help"})
    elif arguments in (["audit"], ["audit", "--help"], ["audit", "-h"], ["audit", "help"], ["help", "audit"]):
        audit = {f"audit {verb}": meaning for verb, meaning in AUDIT_VERBS.items()}
        _print_verbs(audit, sys.stdout if len(arguments) > 1 else sys.stderr)
    return code


def _print_verbs(verbs: Mapping[str, str], out: TextIO | None = None) -> None:
    from cli.output import rows, terminal_width

    print("\nOn the server:", file=out)
    print(rows(verbs.items(), max(map(len, verbs)) + 2, terminal_width()), file=out)


if __name__ == "__main__":
    sys.exit(main())
