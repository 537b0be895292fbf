"""show: one request, and all that happened to it."""

from __future__ import annotations

import argparse

from ..output import at, print_json, safe, terminal_width, wrapped

ABOUT = "The timeline is the audit log itself: each line is one entry, with the number that it has there."
EXAMPLES = """\
  prodaccess show PA-7
  prodaccess show 7 --json"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", metavar="PA-7", help="the request")


def run(args: argparse.Namespace) -> int:
    from ..duration import in_words
    from ..refs import parse_ref
    from ..server.api import Api
    from ..telling import status, what

    api, ref = Api(), parse_ref(args.ref)
    request, history = api.request(ref), api.history(ref)
    if args.json:
        print_json({**request, "history": history})
        return 0
    print(f"{ref} · {what(request)} · {in_words(request['duration'])}")
    ticket = f" ({safe(request['ticket'])})" if request["ticket"] else ""
    print(f"{safe(request['requester'])}: {safe(request['reason'])}{ticket}")
    print(f"{status(request)}\n")
    columns = terminal_width()
    for fact in history:
        print(*wrapped(f"{at(fact['at'])}  ", safe(fact["text"]), f"[{fact['seq']}]", columns), sep="\n")
    return 0
