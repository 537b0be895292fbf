"""audit erase: people's words about a request, gone on purpose."""

from __future__ import annotations

import argparse
import re
import sys

from ..exits import CliError, Usage
from ..output import print_json, safe
from ..refs import parse_ref

_ENTRY = re.compile(r"entry-([0-9]{1,18})", re.IGNORECASE)
ABOUT = """\
Destroys the keys of every private text of one request: its reason, the reason of a denial, statements and commands as
they were typed. Times, people, approvals, credentials and what was touched stay, and the log still verifies: it holds
only a commitment to each text. The keys of its sessions' recordings go as well: what there is of them, in S3 too,
nobody can read any more. There is no way back. The request must be over. The log says who erased it and why;
Slack's copies are taken out by the bot.

A refused ask and a search belong to no request: name such an entry itself, entry-1234, as `audit search` shows it.

On a terminal it asks first, and wants the name typed; elsewhere it wants --yes."""
EXAMPLES = """\
  prodaccess audit erase PA-7 --why "a customer's name in the reason; DPO-31"
  prodaccess audit erase entry-1234 --why "DPO-31" --yes"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", metavar="PA-7|entry-N", help="the request, or one entry")
    parser.add_argument("--why", required=True, metavar="TEXT", help="why; this stays in the log")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(args: argparse.Namespace) -> int:
    from ..server.api import Api

    entry = _ENTRY.fullmatch(args.ref)
    ref = f"entry-{int(entry[1])}" if entry else parse_ref(args.ref)
    api = Api()
    if not args.yes:
        _must_be_meant(ref)
    answer = api.audit_erase_entry(int(entry[1]), args.why) if entry else api.audit_erase(ref, args.why)
    if args.json:
        print_json(answer)
        return 0
    gone = [f"{safe(' and '.join(of['fields']))} of entry {of['seq']}" for of in answer["erased"]]
    gone += [f"the key of {safe(session)}'s recording" for session in answer["recordings"]]
    print(f"{ref}: erased {', '.join(gone)}. The log still verifies." if gone else f"{ref}: nothing is left to erase.")
    return 0


def _must_be_meant(ref: str) -> None:
    if not sys.stdin.isatty():
        raise Usage("Nothing was erased. There is no way back, so say that you mean it: --yes")
    print(f"The words of {ref} will be gone for good. Type {ref} to erase them: ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() != ref.lower():
        raise CliError(f"Nothing was erased: that was not {ref}.")
