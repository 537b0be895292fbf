"""kill: end one recorded connection."""

from __future__ import annotations

import argparse

from ..output import print_json, safe

ABOUT = """\
Ends one connection, within a second; what it was doing is stopped. Its pass lets nobody in any more, or the tool would
be back at once. The grant goes on: prodaccess end PA-7 takes it back. Approvers and admins may end other people's."""
EXAMPLES = "  prodaccess kill PA-7-2"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", metavar="PA-7-2", help="the session")


def run(args: argparse.Namespace) -> int:
    from ..refs import parse_session
    from ..server.api import Api

    cut = Api().cut_session(parse_session(args.session))
    if args.json:
        print_json(cut)
    else:
        print(f"{cut['id']} of {safe(cut['requester'])} at {safe(cut['target'])} is being ended.")
    return 0
