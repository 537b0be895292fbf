"""extend: ask for more time."""

from __future__ import annotations

import argparse
from typing import Any

from ..exits import CliError, Ended, Usage
from ..output import at, print_json, safe

ABOUT = """\
Asks to prolong a grant of yours, before it ends. It is a request of its own, decided like the first one, and never past
what the rule gives in all. The ticket is the one from before unless you name another.

What was handed out before keeps its own end: a command that runs already loses its access then. Start it again once the
extension is approved, and it has the new end."""
EXAMPLES = """\
  prodaccess extend PA-7 1h "the import still runs"
  prodaccess extend PA-7 --for 30m --reason "one more check" --wait"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", metavar="PA-7", help="the grant")
    parser.add_argument("words", nargs="*", metavar="WORD", help="[DURATION] REASON…")
    parser.add_argument("--for", dest="duration", help="how much longer, where it is not in the words")
    parser.add_argument("--reason", help="why, where it is not in the words")
    parser.add_argument("--ticket", default="", help="another ticket than before")
    parser.add_argument("--wait", action="store_true", help="wait for the decision")


def run(args: argparse.Namespace) -> int:
    from ..duration import in_words
    from ..refs import parse_ref
    from ..server.api import Api
    from ..telling import who_decides
    from ..waiting import until_decided

    ref = parse_ref(args.ref)
    ask = _ask(ref, args)
    api = Api()
    request = api.extend(ref, ask)
    if request["state"] == "pending" and not args.json:
        asked = f"{request['ref']} asked: {in_words(request['duration'])} more for {ref}; {who_decides(request)}"
        print(asked, flush=True)
    if args.wait:
        request = until_decided(api, request)
    return _conclude(api, ref, request, as_json=args.json)


def _ask(ref: str, args: argparse.Namespace) -> dict[str, str]:
    import secrets

    duration, reason = _words(args)
    if not duration:
        raise Usage(f'Say how much longer, and why: prodaccess extend {ref} 1h "the import still runs"')
    return {"duration": duration, "reason": reason, "ticket": args.ticket, "key": secrets.token_hex(16)}


def _words(args: argparse.Namespace) -> tuple[str, str]:
    """Duration and reason: the options, or the first word and the others."""
    from ..duration import looks_like_duration

    words = list(args.words)
    duration = args.duration or (words.pop(0) if words and looks_like_duration(words[0]) else "")
    if words and words[0].lower() == "because":
        words.pop(0)
    return duration, args.reason or " ".join(words)


def _conclude(api: Any, ref: str, request: dict[str, Any], *, as_json: bool) -> int:
    from ..credentials.cache import drop
    from ..telling import how_to_use, status

    if request["state"] == "approved":
        drop(api.room, ref)  # what is kept here ends earlier than what can be had now
    if as_json:
        print_json(request)
    elif request["state"] == "approved":
        longer = api.request(ref)
        ends = at(longer["grant"]["expires_at"])
        print(f"{ref} is active until {ends} now. Start again what is to last so long: {how_to_use(longer)}")
    if request["state"] == "denied":
        raise CliError(f"{request['ref']}: {status(request)}")
    if request["state"] not in ("approved", "pending"):
        raise Ended(f"{request['ref']}: {safe(request['note']) or status(request)}")
    return 0
