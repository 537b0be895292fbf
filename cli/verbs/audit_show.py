"""audit show: one request as the audit log has it."""

from __future__ import annotations

import argparse

from ..output import print_json

ABOUT = """\
One line for each entry, oldest first, in your own time zone: who asked, who decided, which credentials were issued
where, what was done in recorded sessions, and how it ended, with what was checked at the provider. The number at the
end is the entry's in the log. Your own requests are yours to see; anybody's are for auditors and admins, and that look
is an entry of the log itself."""
EXAMPLES = """\
  prodaccess audit show PA-7
  prodaccess audit show PA-7 --json | jq -r '.entries[] | select(.kind == "credential.issued") | .facts.public_id'"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", metavar="PA-7", help="the request")


def run(args: argparse.Namespace) -> int:
    from ..refs import parse_ref
    from ..server.api import Api
    from ..timeline import timeline

    answer = Api().audit_timeline(parse_ref(args.ref))
    if args.json:
        print_json(answer)
    else:
        print(timeline(answer["ref"], answer["entries"]))
    return 0
