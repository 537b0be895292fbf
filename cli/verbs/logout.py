"""logout: end this terminal's sign-in."""

from __future__ import annotations

import argparse

from ..output import print_json, say

ABOUT = """\
Ends the token at the server and removes the key, the token and every kept credential from this machine. The files
go even when the server does not answer; the exit code is then 5, and the token ends by itself within 10 hours.
Grants go on: end them with prodaccess end."""
EXAMPLES = "  prodaccess logout"


def arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(args: argparse.Namespace) -> int:
    from ..credentials.room import find_room
    from ..exits import NotSignedIn
    from ..server.api import Api
    from ..server.session import forget

    room = find_room()
    try:
        Api().sign_out()
    except NotSignedIn as error:  # it was over already
        if room is None:
            raise
        say(str(error))
    finally:
        if room is not None:
            forget(room)
    if args.json:
        print_json({"signed_in": False})
    else:
        print("Signed out. Nothing of the sign-in is left on this machine.")
    return 0
