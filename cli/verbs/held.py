"""held: statements that wait until somebody lets them run."""

from __future__ import annotations

import argparse
from typing import Any

from ..output import at, print_json, safe, table

ABOUT = """\
What waits in recorded sessions until an approver lets it run; with an id, all that one of them says. For its requester,
those who may approve its grant, and admins."""
EXAMPLES = """\
  prodaccess held
  prodaccess held PA-7-2.3
  prodaccess decide PA-7-2.3 allow"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("held", metavar="PA-7-2.3", nargs="?", help="one of them")


def run(args: argparse.Namespace) -> int:
    from ..refs import parse_held
    from ..server.api import Api

    found: Any = Api().held_in_full(parse_held(args.held)) if args.held else Api().held()
    if args.json:
        print_json(found)
    elif args.held:
        _tell(found)
    elif not found:
        print("Nothing waits.")
    else:
        rows = [(held["id"], at(held["asked_at"]), at(held["lapses_at"])) for held in found]
        print(table(("ID", "SINCE", "REFUSED BY ITSELF"), rows))
    return 0


def _tell(held: dict[str, Any]) -> None:
    waits = held["state"] == "waiting"
    state = f"waits until {at(held['lapses_at'])}" if waits else f"{held['state']} {safe(held['by'])}".strip()
    print(f"{held['id']} of {safe(held['requester'])}: {state}, held for {', '.join(map(safe, held['flags']))}")
    if held["tables"]:
        print(f"touches {', '.join(map(safe, held['tables']))}")
    if held["coverage"] != "full":
        print("may touch more than it names")
    if held["in_transaction"]:
        print("the locks of an open transaction are held meanwhile")
    print()
    for line in held["text"].split("\n"):
        print(f"  {safe(line)}")
    if held["values"]:
        print(f"  with {safe(held['values'])}")
    if waits:
        print(f"\nprodaccess decide {held['id']} allow    or    refuse")
