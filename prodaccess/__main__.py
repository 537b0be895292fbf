"""The `prodaccess` command. An engineer's verbs go to `cli` and import nothing else: they are spawned on every call."""

from __future__ import annotations

import sys

SERVER_VERBS = {
    "serve": "run the server: Slack bot, api, and the clockwork that ends everything on time",
    "demo": "everything on this machine, to try it out; --play runs the main job by itself",
    "policy": "policy check FILE: every mistake in a policy file, with its line",
    "settings": "the environment variables that `serve` reads, as a table",
}


def main() -> int:
    """Dispatch; returns the exit code."""
    arguments = sys.argv[1:]
    verb = arguments[0] if arguments else ""
    if verb in SERVER_VERBS:
        from prodaccess.admin import run

        return run(verb, arguments[1:])
    from cli.main import main as engineer

    if verb in ("-h", "--help", "help") and len(arguments) == 1:
        code = engineer(arguments)
        print("\nOn the server:")
        print("\n".join(f"  {name:10} {meaning}" for name, meaning in SERVER_VERBS.items()))
        return code
    return engineer(arguments)


if __name__ == "__main__":
    sys.exit(main())
