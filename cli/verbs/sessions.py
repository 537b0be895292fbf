"""sessions: recorded connections."""

from __future__ import annotations

import argparse
from typing import Any

from ..output import at, print_json, safe, table

ABOUT = """\
Those that are open now: yours; everybody's for admins and auditors. With a grant: all of that one, for its requester,
its approvers, admins and auditors. `prodaccess watch` follows them."""
EXAMPLES = """\
  prodaccess sessions
  prodaccess sessions PA-7
  prodaccess sessions --of linus --target orders-db
  prodaccess sessions PA-7 --json | jq -r '.[] | select(.closed_at == null) | .id'"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", metavar="PA-7", nargs="?", help="the grant")
    parser.add_argument("--open", action="store_true", help="of a grant: only those that are open")
    parser.add_argument("--of", metavar="PERSON", default="", help="only this person's")
    parser.add_argument("--target", default="", help="only those to this target")


def run(args: argparse.Namespace) -> int:
    from ..refs import parse_ref
    from ..server.api import Api

    found = [each for each in Api().sessions(parse_ref(args.ref) if args.ref else "") if _is_wanted(each, args)]
    if args.json:
        print_json(found)
    elif not found:
        print(
            "There are none."
            if args.ref
            else "No recorded connection is open. Those of a grant: prodaccess sessions PA-7"
        )
    else:
        header = ("SESSION", "OPENED", "WHO", "TARGET", "FROM", "CLIENT", "ACTS", "ENDED")
        print(table(header, [_row(session) for session in found], ["" if s["closed_at"] else "active" for s in found]))
    return 0


def _is_wanted(session: dict[str, Any], args: argparse.Namespace) -> bool:
    of, target = (name.casefold() for name in (args.of, args.target))
    return (
        (not args.open or session["closed_at"] is None)
        and of in ("", session["requester"].casefold())
        and target in ("", session["target"].casefold())
    )


def _row(session: dict[str, Any]) -> tuple[str, ...]:
    ended = f"{at(session['closed_at'])} {safe(session['why'])}" if session["closed_at"] else "open"
    who, target, address, client = (safe(session[name]) for name in ("requester", "target", "address", "client"))
    return session["id"], at(session["opened_at"]), who, target, address, client, str(session["actions"]), ended
