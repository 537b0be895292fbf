"""watch: recorded connections while they run."""

from __future__ import annotations

import argparse
from typing import Any

ABOUT = """\
One line for each statement, command and file as soon as it is in the audit log, which is about a second after it is
over; what is flagged, and what failed, stands out. Of one session, of a grant, or of all that you may see: your own,
and everybody’s for admins and auditors. Of somebody else’s grant approvers may watch, too. A watch is an entry of the
log, and again every ten minutes. It ends with the session or the grant that it is about."""
EXAMPLES = """\
  prodaccess watch PA-7
  prodaccess watch PA-7-2
  prodaccess watch --json | jq -c 'select(.facts.flags != [])'"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("of", metavar="PA-7 or PA-7-2", nargs="?", help="the grant, or one session of it")


def run(args: argparse.Namespace) -> int:
    from ..recordings.following import follow, printed
    from ..refs import parse_either
    from ..server.api import Api

    of = parse_either(args.of) if args.of else ""

    def show(fact: dict[str, Any]) -> None:
        print(_as_json(fact) if args.json else printed(fact, of=of), flush=True)

    follow(Api(), of, show)
    return 0


def _as_json(fact: dict[str, Any]) -> str:
    """One line each, so that a program can read it as it comes."""
    import json

    return json.dumps(fact, separators=(",", ":"))
