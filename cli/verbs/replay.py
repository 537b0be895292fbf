"""replay: what was done in a recorded connection."""

from __future__ import annotations

import argparse
import os
import sys
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..exits import Usage
from ..output import print_json, print_line, safe, say

if TYPE_CHECKING:
    from ..server.api import Api

ABOUT = """\
Statements and commands, one line each, oldest first: when it was sent, how long it took, what it gave, and its text
with the values that went with it. Errors and what changes something stand out. A recorded terminal is played on
yours as it was; what could do something to your terminal is left out of it. For the requester, the approvers, admins
and auditors; each look is an entry of the audit log.

While it plays: space pauses, c goes to the next command, e to the next error, / searches, + and - change the speed,
q ends it. With --step it is one statement after the other: Enter, w (next that changes something), e, /TEXT, q."""
EXAMPLES = """\
  prodaccess replay PA-7-2
  prodaccess replay PA-7-2 --only writes
  prodaccess replay PA-7-2 --raw --search refunds       from the recording itself, with the database's error texts
  prodaccess replay PA-8-1 --speed 4 --idle 2           a terminal; --timeline for its commands as lines
  prodaccess replay PA-8-1 --terminal 2                 the second, where ssh has opened several over one connection
  prodaccess replay PA-8-1 --asciicast PA-8-1.cast      for asciinema and other players
  prodaccess replay PA-7-2 --json | jq -r '.entries[].facts.text'"""
_MOST_SPEED = 1000.0


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("session", metavar="PA-7-2", help="the session")
    parser.add_argument("--only", choices=("writes", "errors"), help="leave out everything else")
    parser.add_argument("--full", action="store_true", help="each statement with its own lines, and all of it")
    parser.add_argument(
        "--search", metavar="TEXT", default="", help="what has this in it; a terminal is played from there"
    )
    parser.add_argument("--step", action="store_true", help="one after the other, at your pace")
    parser.add_argument("--raw", action="store_true", help="from the recording itself, and not from the audit log")
    parser.add_argument("--timeline", action="store_true", help="of a terminal the commands, instead of playing it")
    parser.add_argument("--speed", type=float, default=1.0, metavar="N", help="so many times as fast")
    parser.add_argument("--idle", type=float, metavar="SECONDS", help="no pause is longer than this")
    parser.add_argument("--terminal", type=int, metavar="N", help="of several terminals the N-th, and not the first")
    parser.add_argument("--asciicast", metavar="FILE", help="write a terminal to a new file (`-`: to the output)")


def run(args: argparse.Namespace) -> int:
    from ..refs import parse_session
    from ..server.api import Api

    if not 0 < args.speed <= _MOST_SPEED or (args.idle is not None and args.idle < 0):
        raise Usage("--speed is more than 0 and at most 1000, --idle at least 0.")
    if args.terminal is not None and args.terminal < 1:
        raise Usage("--terminal is 1 for the first one.")
    api, session = Api(), parse_session(args.session)
    if args.asciicast:
        return _export(api, session, args)
    if args.raw and args.json:
        for line in api.recording(session, "records"):
            print_line(line)
        return 0
    told = api.replay(session)
    if args.json:
        print_json(told)
    elif _is_terminal(told, args):
        _play(api, session, args)
    else:
        _print(api, told, args)
    return 0


def _is_terminal(told: dict[str, Any], args: argparse.Namespace) -> bool:
    """Whether it is to be played: only where somebody looks, or says which."""
    if args.terminal:
        return True
    asked = args.timeline or args.only or args.step or args.raw or args.full
    has_one = any(fact["facts"].get("kind") == "shell" for fact in told["entries"] if fact["kind"] == "host.command")
    return not asked and has_one and sys.stdout.isatty()


def _play(api: Api, session: str, args: argparse.Namespace) -> None:
    from ..recordings.player import Wish, play, read_cast
    from ..recordings.recorded import bounded

    cast = read_cast(bounded(api.recording(session, "asciicast", args.terminal or 1)))
    play(cast, Wish(args.speed, args.idle, args.search))


def _print(api: Api, told: dict[str, Any], args: argparse.Namespace) -> None:
    from ..recordings.statements import Look, page, step_through

    if args.raw and told["session"]["gateway"] != "postgres":
        from ..recordings.recorded import records_of

        for line in records_of(api.recording(told["session"]["id"], "records")):
            if args.search.casefold() in line.casefold():
                print(line)
        return
    trouble = ""
    if args.raw:
        from ..recordings.recorded import bounded, facts_of

        if args.only == "writes":
            raise Usage("What changes something is told by the log, not by the recording: leave out --raw.")
        began = datetime.fromisoformat(told["session"]["opened_at"])
        told["entries"], trouble = facts_of(bounded(api.recording(told["session"]["id"], "records")), began)
    look = Look(args.only or "", args.search, full=args.full)
    if args.step:
        step_through(told, look)
    else:
        print(page(told, look))
    if trouble:
        say(safe(trouble))


def _export(api: Api, session: str, args: argparse.Namespace) -> int:
    path, lines = args.asciicast, api.recording(session, "asciicast", args.terminal or 1)
    if path == "-":
        for line in lines:
            print_line(line)
        return 0
    first = next(lines, b"")  # a file is made only where there is something for it
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise Usage(f"{safe(path)} cannot be written ({error.strerror}). Nothing is written over.") from None
    with os.fdopen(number, "wb") as file:
        file.write(first)
        file.writelines(lines)
    say(f"{safe(path)} holds what was shown on the terminal of {session}.")
    return 0
