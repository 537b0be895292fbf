"""list: requests, newest first."""

from __future__ import annotations

import argparse
from typing import Any

from ..output import print_json, safe, table

ABOUT = """\
Your own requests, the latest 50. With --all also those that you may see: what you decide as an approver, everything
as an admin."""
EXAMPLES = """\
  prodaccess list
  prodaccess list --all --json | jq -r '.[] | select(.state == "active") | .ref'"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="everything that you may see, not only your own")


def run(args: argparse.Namespace) -> int:
    from ..server.api import Api
    from ..telling import left, state_of, what

    found = Api().requests(everybody=args.all)
    if args.json:
        print_json(found)
        return 0
    if not found:
        print(
            'Nothing yet. Ask: prodaccess request TARGET 1h OPS-123 "why you need it"; `targets` shows what there is.'
        )
        return 0
    rows = [(r["ref"], state_of(r), left(r), what(r), *_who(r, args), safe(r["reason"])) for r in found]
    header = ("REQUEST", "STATE", "LEFT", "ACCESS", *(["WHO"] if args.all else []), "WHY")
    print(table(header, rows, [r["state"] for r in found]))
    return 0


def _who(request: dict[str, Any], args: argparse.Namespace) -> list[str]:
    return [safe(request["requester"])] if args.all else []
