"""run: start a command with a credential that only it holds."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..exits import Ended, Usage
from ..output import at, safe, say
from ..refs import parse_ref

if TYPE_CHECKING:
    from ..credentials.credential import Credential
    from ..server.api import Api

ABOUT = """\
Gets a fresh credential and becomes the command, so that no other process keeps the secret.

A database password is in an anonymous file in memory that the command inherits (PGPASSFILE); host, port, database,
user and PGAPPNAME=PA-7 are in its environment. Where the system has no such files (macOS) the password is in the
environment of that one process (PGPASSWORD). AWS keys are in its environment. A command that closes inherited files
before it starts psql loses the password: use prodaccess creds --format url there.

The command also has PRODACCESS_REF and PRODACCESS_EXPIRES_AT. The exit code is the command's own."""
EXAMPLES = """\
  prodaccess run PA-7 -- psql
  prodaccess run PA-7 -- psql -c 'select count(*) from orders'
  prodaccess run PA-9 --kill-at-expiry -- aws s3 ls
  prodaccess run PA-7 -- sh -c 'pg_dump --schema-only > schema.sql'"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", metavar="PA-7", help="the grant")
    parser.add_argument(
        "--kill-at-expiry",
        action="store_true",
        help="stay as the parent and end the command with the grant: SIGTERM, 10 s later SIGKILL",
    )


def run(args: argparse.Namespace) -> int:
    return start(parse_ref(args.ref), args.command, kill_at_expiry=args.kill_at_expiry)


def start(ref: str, command: Sequence[str], *, kill_at_expiry: bool = False) -> int:
    """Does not return when it becomes the command."""
    from ..credentials.launch import find_command
    from ..server.api import Api

    if not command:
        raise Usage(f"Say what to start: prodaccess run {ref} -- psql")
    find_command(command)  # before a credential is made for it
    return become_with(Api().collect(ref), command, kill_at_expiry=kill_at_expiry)


def once_approved(api: Api, request: dict[str, Any], command: Sequence[str]) -> int:
    """Wait for the decision; then the same, through the gateway where it is used through one."""
    from ..waiting import until_collected, until_decided
    from . import connect

    if not request.get("gateway"):
        return become_with(until_collected(api, request), command)
    decided = until_decided(api, request)
    if decided["state"] != "active":
        from ..telling import status

        raise Ended(f"{decided['ref']}: {status(decided)}")
    return connect.start(api, decided["ref"], command, decided["gateway"])


def become_with(credential: Credential, command: Sequence[str], *, kill_at_expiry: bool = False) -> int:
    """The same with a credential that is there; it is emptied."""
    import time

    from ..credentials.credential import ends_at, seconds_left
    from ..credentials.launch import become, find_command, prepare, watch
    from ..duration import in_words

    path, left = find_command(command), seconds_left(credential)
    holder = "a credential in its environment" if credential["kind"] != "postgres" else "a credential of its own"
    until = f"until {at(ends_at(credential))} ({in_words(left)})"
    say(f"{credential['ref']}: {until}; {safe(command[0])} starts with {holder}")
    prepared = prepare(credential)
    credential.clear()
    if kill_at_expiry:
        return watch(path, command, prepared, time.time() + left)
    return become(path, command, prepared)
