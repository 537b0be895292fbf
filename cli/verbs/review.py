"""review: say that you have looked at what was done under a grant."""

from __future__ import annotations

import argparse

from ..exits import Usage
from ..output import print_json, safe

ABOUT = """\
Closes a review: you have looked at what was done, and it is in order. With --flag it stays open, admins and auditors
are told, and --note says what you saw. Those who may decide such a request review it, and admins; never the person
who asked for it. `prodaccess show PA-7` has all that happened."""
EXAMPLES = """\
  prodaccess review PA-7
  prodaccess review PA-7 --note "two rows, as the ticket says"
  prodaccess review PA-7 --flag --note "a table was dropped\""""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", metavar="PA-7", help="what to review")
    parser.add_argument("--flag", action="store_true", help="something has to be looked into")
    parser.add_argument("--note", default="", metavar="TEXT", help="what you saw; it stands in the thread")


def run(args: argparse.Namespace) -> int:
    from ..refs import parse_ref
    from ..server.api import Api

    ref = parse_ref(args.ref)
    if args.flag and not args.note.strip():
        raise Usage(f'Say what you saw: prodaccess review {ref} --flag --note "a table was dropped"')
    answer = Api().review(ref, flag=args.flag, note=args.note)
    if args.json:
        print_json(answer)
    elif args.flag:
        print(f"{ref}: flagged. Admins and auditors are told; the review stays open until somebody closes it.")
    else:
        print(f"{ref}: reviewed. What {safe(answer['requester'])} did there is closed.")
    return 0
