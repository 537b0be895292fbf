"""request: ask for access."""

from __future__ import annotations

import argparse
from typing import Any

from ..exits import CliError, Ended, Usage
from ..output import print_json, say
from ..words import AskWords, read_words

ABOUT = """\
Target, duration and ticket may stand in any order; the first word that is none of them begins the reason. The role
and the duration may be left out: then it is the target's first role, for its usual time. A ticket may be the link to
it. Quote a reason to have none of its words read as something else.

With --wait it waits for the decision; with a command after -- it waits too, and then becomes that command with the
credential (see prodaccess run). Ctrl-C leaves the request waiting."""
EXAMPLES = """\
  prodaccess request orders-db 1h OPS-412 "refunds stuck since deploy"
  prodaccess request orders-db/write OPS-412 refunds stuck --wait
  prodaccess request orders-db 1h OPS-412 "refunds stuck" -- psql"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("words", nargs="*", metavar="WORD", help="TARGET[/ROLE] [DURATION] [TICKET] REASON…")
    parser.add_argument("--role", help="the role, where it is not in the words")
    parser.add_argument("--duration", help="the duration, where it is not in the words")
    parser.add_argument("--ticket", help="the ticket, where it is not in the words")
    parser.add_argument("--wait", action="store_true", help="wait for the decision")


def run(args: argparse.Namespace) -> int:
    from ..credentials.launch import find_command
    from ..duration import in_words
    from ..server.api import Api
    from ..telling import what, who_decides
    from ..waiting import until_decided
    from .run import once_approved

    words = _with_options(read_words(args.words), args)
    if args.command:
        find_command(args.command)  # before anybody is asked to decide
    api = Api()
    request = api.ask(_ask(words))
    if not args.json:
        tell = say if args.command else _print_now  # the command's output must be its own
        tell(f"{request['ref']} asked: {what(request)} for {in_words(request['duration'])}; {who_decides(request)}")
    if args.command:
        return once_approved(api, request, args.command)
    if args.wait:
        request = until_decided(api, request)
    return _conclude(request, args)


def _print_now(text: str) -> None:
    print(text, flush=True)


def _with_options(words: AskWords, args: argparse.Namespace) -> AskWords:
    given = {name: getattr(args, name) for name in ("role", "duration", "ticket") if getattr(args, name)}
    found = words._replace(**given)
    if not found.target:
        usual = 'prodaccess request orders-db 1h OPS-412 "refunds stuck"'
        raise Usage(f"Say what you need access to, as in {usual}. `prodaccess targets` shows what there is.")
    return found


def _ask(words: AskWords) -> dict[str, str]:
    import secrets

    return {**{name: value for name, value in words._asdict().items() if value}, "key": secrets.token_hex(16)}


def _conclude(request: dict[str, Any], args: argparse.Namespace) -> int:
    from ..telling import how_to_use, status

    ref, state = request["ref"], request["state"]
    if args.json:
        print_json(request)
    elif state == "active":
        print(f"{ref}: {status(request)}. Use it: {how_to_use(request)}")
    if state in ("denied", "failed"):
        raise CliError(f"{ref}: {status(request)}")
    if state not in ("active", "pending", "issuing", "quarantine"):
        raise Ended(f"{ref}: {status(request)}")
    return 0
