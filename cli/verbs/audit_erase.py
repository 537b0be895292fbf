"""audit erase: people's words about a request, gone on purpose."""

from __future__ import annotations

import argparse
import sys

from ..exits import CliError, Usage
from ..output import print_json, safe
from ..refs import parse_ref

ABOUT = """\
Destroys the keys of every private text of one request: its reason, the reason of a denial, statements and commands as
they were typed. Times, people, approvals, credentials and what was touched stay, and the log still verifies: it holds
only a commitment to each text. There is no way back. The request must be over. The log says who erased it and why;
Slack's copies are taken out by the bot.

On a terminal it asks first, and wants the request's name typed; elsewhere it wants --yes."""
EXAMPLES = """\
  prodaccess audit erase PA-7 --why "a customer's name in the reason; DPO-31"
  prodaccess audit erase PA-7 --why "DPO-31" --yes"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", metavar="PA-7", help="the request")
    parser.add_argument("--why", required=True, metavar="TEXT", help="why; this stays in the log")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(args: argparse.Namespace) -> int:
    from ..api import Api

    ref = parse_ref(args.ref)
    api = Api()
    if not args.yes:
        _must_be_meant(ref)
    answer = api.audit_erase(ref, args.why)
    if args.json:
        print_json(answer)
        return 0
    gone = [f"{safe(' and '.join(of['fields']))} of entry {of['seq']}" for of in answer["erased"]]
    print(f"{ref}: erased {', '.join(gone)}. The log still verifies." if gone else f"{ref}: nothing is left to erase.")
    return 0


def _must_be_meant(ref: str) -> None:
    if not sys.stdin.isatty():
        raise Usage("Nothing was erased. There is no way back, so say that you mean it: --yes")
    print(f"The words of {ref} will be gone for good. Type {ref} to erase them: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().upper() != ref:
        raise CliError(f"Nothing was erased: that was not {ref}.")
