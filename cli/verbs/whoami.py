"""whoami: who this terminal is signed in as."""

from __future__ import annotations

import argparse

from ..output import at, print_json, safe

ABOUT = "Asks the server, so that it also says whether the sign-in still holds."
EXAMPLES = "  prodaccess whoami --json"


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(args: argparse.Namespace) -> int:
    from ..server.api import Api

    api = Api()
    me = api.me()
    if args.json:
        print_json({**me, "server": api.server})
        return 0
    admin = " (admin)" if me["admin"] else ""
    print(f"{safe(me['name'])}{admin} at {api.server}, on {safe(me['host'])} until {at(me['expires_at'])}")
    return 0
