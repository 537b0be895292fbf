"""comment: say something about a request."""

from __future__ import annotations

import argparse

from ..exits import Usage
from ..output import print_json

ABOUT = """\
Whoever may see a request may say something about it: whoever asked, who decides it, admins. It stands in the request's
thread in Slack; whoever asked gets it as a message, and what they say themselves goes to those who are to decide."""
EXAMPLES = '  prodaccess comment PA-7 "only public.refunds, since the deploy"'


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", metavar="PA-7", help="the request")
    parser.add_argument("words", nargs="*", metavar="WORD", help="what to say")


def run(args: argparse.Namespace) -> int:
    from ..refs import parse_ref
    from ..server.api import Api

    ref, text = parse_ref(args.ref), " ".join(args.words).strip()
    if not text:
        raise Usage(f'Write what you want to say: prodaccess comment {ref} "only public.refunds"')
    request = Api().comment(ref, text)
    if args.json:
        print_json(request)
    else:
        print(f"{ref}: your comment is in its thread.")
    return 0
