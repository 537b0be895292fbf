"""replay: what was done in a recorded connection."""

from __future__ import annotations

import argparse

from ..output import print_json

ABOUT = """\
One line for each statement, oldest first: when it was sent, how long it took, what it gave, and its text with the
values that went with it. Errors and what changes something stand out. For the requester, the approvers, admins and
auditors; each look is an entry of the audit log."""
EXAMPLES = """\
  prodaccess replay PA-7-2
  prodaccess replay PA-7-2 --only writes
  prodaccess replay PA-7-2 --json | jq -r '.entries[].facts.text'"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", metavar="PA-7-2", help="the session")
    parser.add_argument("--only", choices=("writes", "errors"), help="leave out everything else")
    parser.add_argument("--full", action="store_true", help="each statement with its own lines, and all of it")


def run(args: argparse.Namespace) -> int:
    from ..api import Api
    from ..refs import parse_session
    from ..replaying import replayed

    told = Api().replay(parse_session(args.session))
    if args.json:
        print_json(told)
    else:
        print(replayed(told, only=args.only or "", full=args.full))
    return 0
