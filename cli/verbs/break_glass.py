"""break-glass: access without approval, when nobody answers."""

from __future__ import annotations

import argparse
from typing import Any

from ..exits import CliError
from ..output import print_json, say

ABOUT = """\
For the people whom the policy names for it, and for a short time. Nobody approves it, and everybody who could have is
told at once, in Slack's channel and each by a message; so are the admins. It also works while Slack does not answer:
then the sign-in of this terminal says who you are, and what there is to tell is told when Slack is back.

Somebody else has to review it afterwards. Before that you cannot ask for anything, nor break the glass again.

With a command after -- it becomes that command with the credential (see prodaccess run)."""
EXAMPLES = """\
  prodaccess break-glass orders-db --for 15m --reason "refunds are stuck and nobody answers"
  prodaccess break-glass orders-db --role write --for 15m --reason "refunds are stuck" --ticket OPS-412 -- psql"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="TARGET[/ROLE]", help="what you need")
    parser.add_argument("--role", default="", help="the role, where there are several")
    parser.add_argument("--for", dest="duration", required=True, metavar="20m", help="for how long")
    parser.add_argument("--reason", default="", metavar="TEXT", help="why; everybody who is told reads it")
    parser.add_argument("--ticket", default="", metavar="OPS-123", help="the ticket, if there is one")


def run(args: argparse.Namespace) -> int:
    from ..credentials.launch import find_command
    from ..server.api import Api
    from ..telling import how_to_use, status, what
    from .run import once_approved

    if args.command:
        find_command(args.command)  # before anybody is told
    api = Api()
    taken = api.break_glass(_ask(args))
    ref = taken["ref"]
    if args.json and not args.command:
        print_json(taken)
    else:
        say(f"{ref}: the glass is broken for {what(taken)}. Those who could have approved it are told.")
        say("Somebody else has to review it; before that you cannot ask for anything.")
    if taken["state"] == "failed":
        raise CliError(f"{ref}: {status(taken)}. No access was given, so you can try again.")
    if args.command:
        return once_approved(api, taken, args.command)
    if not args.json:
        print(f"{ref}: {status(taken)}. Use it: {how_to_use(taken)}")
    return 0


def _ask(args: argparse.Namespace) -> dict[str, Any]:
    import secrets

    target, _, role = args.target.partition("/")
    return {
        "target": target, "role": args.role or role, "duration": args.duration, "reason": args.reason,
        "ticket": args.ticket, "key": secrets.token_hex(16),
    }  # fmt: skip
