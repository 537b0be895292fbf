"""login: sign this terminal in with a one-time code from Slack."""

from __future__ import annotations

import argparse
import re
import sys

from ..exits import Usage
from ..output import at, print_json, safe

ABOUT = """\
Type /prodaccess login in Slack: it shows a code that is good for a minute and for one terminal. Give it here.
The terminal makes a key and keeps it, with the token, in a directory that lives in memory only (mode 0700); the
token is worth nothing without the key. A sign-in lasts 10 hours. A code that somebody else asks you for is a fraud."""
EXAMPLES = """\
  prodaccess login ABCD-EFGH --server https://prodaccess.example.com
  prodaccess login"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("code", nargs="?", help="the code from Slack; asked for when left out")
    parser.add_argument("--server", metavar="URL", help="where the server is; remembered after the first time")
    parser.add_argument(
        "--insecure-storage",
        action="store_true",
        help="keep the key on disk where nothing is kept in memory only; credentials are not kept then",
    )


def run(args: argparse.Namespace) -> int:
    import platform

    from ..credentials.room import make_room
    from ..server.api import sign_in
    from ..server.proof import new_key, public_half
    from ..server.session import Session, remember_server, save, server_url

    server = server_url(args.server)
    room = make_room(insecure=args.insecure_storage)  # before the code is spent
    code, key = _code(args.code or _asked_for()), new_key()
    answer = sign_in(server, code, platform.node()[:80] or "unnamed", public_half(key))
    save(Session(server, answer["token"], key, answer["person"], answer["expires_at"]), room)
    remember_server(server)
    if args.json:
        print_json({"server": server, "person": answer["person"], "expires_at": answer["expires_at"]})
    else:
        print(f"Signed in as {safe(answer['person'])} at {server} until {at(answer['expires_at'])}.")
    return 0


def _code(text: str) -> str:
    """As the server wants it, with the hyphen, a space or neither. Raises Usage."""
    if not re.fullmatch(r"[A-Za-z2-7]{4}[ -]?[A-Za-z2-7]{4}", text.strip()):
        raise Usage(f"“{text[:40]}” is not a code. They look like ABCD-EFGH; /prodaccess login in Slack shows one.")
    return text.strip()


def _asked_for() -> str:
    if not sys.stdin.isatty():
        raise Usage("Give the code that /prodaccess login shows in Slack: prodaccess login ABCD-EFGH")
    print("Code from /prodaccess login in Slack: ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip()
