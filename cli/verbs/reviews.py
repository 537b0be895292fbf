"""reviews: what was done under grants and waits for a second pair of eyes."""

from __future__ import annotations

import argparse
from typing import Any

from ..output import at, print_json, safe, table

ABOUT = """\
Open reviews: those that you may close, and those of what you did yourself, which somebody else closes. A broken glass
is always reviewed, and so is a grant whose rule wants it."""
EXAMPLES = """\
  prodaccess reviews
  prodaccess reviews --json | jq -r '.[] | select(.yours | not) | .ref'"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(args: argparse.Namespace) -> int:
    from ..server.api import Api

    found = Api().reviews()
    if args.json:
        print_json(found)
    elif not found:
        print("Nothing waits for a review of yours, and nothing of yours waits for one.")
    else:
        header = ("REQUEST", "STATE", "SINCE", "ACCESS", "WHO", "WHY", "WHO CLOSES IT")
        print(table(header, [_row(review) for review in found]))
        if any(not review["yours"] for review in found):
            print('\nLook at one: prodaccess show PA-7. Then: prodaccess review PA-7 [--flag] [--note "…"]')
    return 0


def _row(review: dict[str, Any]) -> tuple[str, ...]:
    why = "break-glass" if review["why"] == "break_glass" else "its rule"
    closes = ", ".join(map(safe, review["reviewers"])) or "an admin"
    what = f"{safe(review['target'])} · {safe(review['role'])}"
    return (
        review["ref"], review["state"], at(review["opened_at"]), what, safe(review["requester"]), why,
        closes if review["yours"] else f"you, or {closes}",
    )  # fmt: skip
