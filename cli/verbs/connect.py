"""connect: through a recorded gateway, with any tool."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..exits import Usage
from ..refs import parse_ref

if TYPE_CHECKING:
    from ..api import Api
    from ..credential import Credential

ABOUT = """\
For what is used through a gateway: the connection is recorded, and the database's own password is never here. Makes a
password on this machine (the server sees only what checks it) that lets any number of connections through the gateway
until the grant ends, and becomes the command with it: PGHOST, PGPORT, PGUSER, PGDATABASE, PGSSLMODE, PGSSLROOTCERT, and
the password in an anonymous file in memory (PGPASSFILE).

For a graphical tool, --show prints where to connect, as whom, and the password. The file that it names under
sslrootcert is what the gateway's certificate is checked with; it lies beside the sign-in of this terminal."""
EXAMPLES = """\
  prodaccess connect PA-7 -- psql
  prodaccess connect PA-7 -- pg_dump --schema-only
  prodaccess connect PA-7 --show
  eval "$(prodaccess connect PA-7 --show --format env)\""""
_FORMATS = ("text", "json", "env", "url", "pgpass")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", metavar="PA-7", help="the grant")
    parser.add_argument("--show", action="store_true", help="print what a tool needs, the password too")
    parser.add_argument("--format", choices=_FORMATS, default="text", help="how to print it")


def run(args: argparse.Namespace) -> int:
    from ..api import Api
    from ..credential import rendered

    ref = parse_ref(args.ref)
    if args.show == bool(args.command):
        raise Usage(f"Say what to start: prodaccess connect {ref} -- psql; or --show what a tool needs.")
    if args.command:
        return start(Api(), ref, args.command)
    print(rendered(pass_for(Api(), ref), "json" if args.json else args.format))
    return 0


def start(api: Api, ref: str, command: Sequence[str]) -> int:
    """Does not return when it becomes the command."""
    from ..launch import find_command
    from .run import become_with

    find_command(command)  # before a pass is made for it
    return become_with(pass_for(api, ref), command)


def pass_for(api: Api, ref: str) -> Credential:
    """In the shape of a credential; the password was made here."""
    from ..scram import new_password, verifier

    password = new_password()
    given = api.give_pass(ref, "postgres", verifier(password))
    return {
        **{name: given[name] for name in ("ref", "target", "role", "kind", "expires_at", "expires_in")},
        "public_id": given["name"],
        "not_after": given["expires_at"],
        "secret": {"username": given["name"], "password": password},
        "hints": {**given["hints"], **_certificate(api, given)},
    }


def _certificate(api: Api, given: dict[str, Any]) -> dict[str, str]:
    """The file with it; without one of its own, those that this machine trusts."""
    if given["hints"]["sslmode"] == "disable":
        return {}
    if not given["certificate"]:
        return {"sslrootcert": "system"}
    return {"sslrootcert": str(api.room.write_text(f"gateway-{given['kind']}.pem", given["certificate"]))}
