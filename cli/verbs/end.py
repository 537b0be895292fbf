"""end: hand access back early, or take a request back."""

from __future__ import annotations

import argparse

from ..output import print_json

ABOUT = """\
Ends a grant before its deadline: the credential is revoked, and that is proven. A request that still waits is taken
back. Approvers and admins may end other people's grants too. One that has ended already is exit code 4."""
EXAMPLES = "  prodaccess end PA-7"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", metavar="PA-7", help="the grant or the waiting request")


def run(args: argparse.Namespace) -> int:
    from ..credentials.cache import drop
    from ..refs import parse_ref
    from ..server.api import Api
    from ..telling import status, what

    api, ref = Api(), parse_ref(args.ref)
    drop(api.room, ref)  # first: what is kept here must not outlive the wish to end it
    ended = api.end(ref)
    if args.json:
        print_json(ended)
    else:
        print(f"{ref} · {what(ended)}: {status(ended)}")
    return 0
