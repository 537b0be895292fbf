"""decide: let a statement that waits run, or refuse it."""

from __future__ import annotations

import argparse

from ..output import print_json

ABOUT = """\
A statement or command that waits in a recorded session runs once somebody lets it who may approve the grant, and never
its requester. Refused, it fails there, and the session goes on. The first decision counts. Read it first:
prodaccess held PA-7-2.3"""
EXAMPLES = """\
  prodaccess decide PA-7-2.3 allow
  prodaccess decide PA-7-2.3 refuse"""
WORDS = "allow refuse"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("held", metavar="PA-7-2.3", help="what waits")
    parser.add_argument("what", choices=("allow", "refuse"), help="whether it is to run")


def run(args: argparse.Namespace) -> int:
    from ..refs import parse_held
    from ..server.api import Api

    decided = Api().decide(parse_held(args.held), allow=args.what == "allow")
    if args.json:
        print_json(decided)
    else:
        print(f"{decided['id']} {'is let run' if decided['state'] == 'allowed' else 'does not run'}.")
    return 0
