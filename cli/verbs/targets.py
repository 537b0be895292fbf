"""targets: what may be asked for, and who decides."""

from __future__ import annotations

import argparse
from typing import Any

from ..duration import in_words
from ..output import print_json, safe, table

ABOUT = "Only what you may ask for. Where no duration is given, a request is for the usual one."
EXAMPLES = """\
  prodaccess targets
  prodaccess targets --json | jq -r '.[].target'"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(args: argparse.Namespace) -> int:
    from ..server.api import Api

    found = Api().targets()
    if args.json:
        print_json(found)
    elif not found:
        print("There is nothing that you may ask for. The policy names who may ask; an admin can change it.")
    else:
        print(table(("ASK FOR", "USUALLY", "WHAT HAPPENS", ""), [row for target in found for row in _rows(target)]))
    return 0


def _rows(target: dict[str, Any]) -> list[tuple[str, ...]]:
    title = safe(target["title"]) if target["title"] != target["target"] else ""
    return [
        (f"{target['target']}/{safe(role['role'])}", in_words(role["default"]), safe(role["explanation"]), title)
        for role in target["roles"]
    ]
