"""connect: through a recorded gateway, with any tool."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..exits import Usage
from ..refs import parse_ref

if TYPE_CHECKING:
    from ..server.api import Api

ABOUT = """\
For what is used through a gateway: the connection is recorded, and the target's own credential is never here. Makes a
key in memory, and asks the server for a pass that is bound to it: it ends with the command, at the latest with the
grant, and lets in nobody who has not the key.

PostgreSQL: opens a socket that only you can reach, and hands what comes there to the gateway over TLS with the key. The
command finds it by PGHOST, PGPORT, PGUSER, PGDATABASE, and a password of its own in an anonymous file in memory
(PGPASSFILE). For tools that know no sockets (JDBC), --tcp opens a port of this machine instead. For a graphical tool,
--show prints where to connect, and stays until Ctrl-C. --unbound, where the server allows it, is for what runs on
another machine: a name and a password, good for whoever is given them.

SSH: an agent of its own (SSH_AUTH_SOCK), and a configuration that knows the gateway under the names of the grant, the
target and its host. ssh, scp and sftp are given it with -F, rsync, git and ansible by their variables; others find it
in PRODACCESS_SSH_CONFIG. --agent puts the key into your own agent until the grant ends, for editors and plain ssh."""
EXAMPLES = """\
  prodaccess connect PA-7 -- psql
  prodaccess connect PA-7 -- pg_dump --schema-only
  prodaccess connect PA-7 --tcp -- ./gradlew flywayMigrate
  prodaccess connect PA-7 --show --format url
  prodaccess connect PA-8 -- scp PA-8:/var/log/app.log .
  prodaccess connect PA-8 -- ansible-playbook -i web-1, site.yml
  prodaccess connect PA-8 --agent >> ~/.ssh/config"""
_FORMATS = ("text", "json", "env", "url", "pgpass")


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", metavar="PA-7", help="the grant")
    parser.add_argument("--show", action="store_true", help="print what a tool needs, the password too, and stay")
    parser.add_argument("--format", choices=_FORMATS, default="text", help="how to print it")
    parser.add_argument("--tcp", action="store_true", help="by a port of this machine, instead of a socket")
    parser.add_argument("--unbound", action="store_true", help="a pass without a key, straight to the gateway")
    parser.add_argument("--agent", action="store_true", help="the key goes into the SSH agent that runs here")


def run(args: argparse.Namespace) -> int:
    from ..server.api import Api

    ref = parse_ref(args.ref)
    if sum((args.show, args.agent, bool(args.command))) != 1:
        raise Usage(f"Say what to start: prodaccess connect {ref} -- psql; or --show what a tool needs, or --agent.")
    api = Api()
    gateway = api.request(ref)["gateway"]
    if args.agent or gateway == "ssh":
        return _ssh(api, ref, args, gateway)
    from ..through.postgres import Ways, show, start

    ways = Ways(args.tcp, args.unbound)
    if args.command:
        _find(args.command)
        return start(api, ref, args.command, ways)
    show(api, ref, ways, "json" if args.json else args.format)
    return 0


def start(api: Api, ref: str, command: Sequence[str], gateway: str) -> int:
    """The tool's exit code."""
    from ..through import postgres, ssh

    _find(command)
    if gateway == "ssh":
        return ssh.start(api, ref, command)
    return postgres.start(api, ref, command, postgres.Ways())


def _ssh(api: Api, ref: str, args: argparse.Namespace, gateway: str) -> int:
    from ..output import at, print_json, say
    from ..through.ssh import into_agent

    if gateway != "ssh" or args.show or args.tcp or args.unbound:
        what = "--agent is for SSH" if gateway != "ssh" else "SSH knows no --show, --tcp or --unbound"
        raise Usage(f"{what}. `prodaccess connect --help` says more.")
    if args.command:
        return start(api, ref, args.command, gateway)
    given = into_agent(api, ref)
    if args.json:
        print_json(given)
        return 0
    hints = given["hints"]
    say(f"{ref}: the key is in your agent until {at(given['expires_at'])}. With this in ~/.ssh/config: ssh {ref}")
    say(f"Without it: ssh -p {hints['port']} {ref}@{hints['host']}")
    print(given["config"], end="")
    return 0


def _find(command: Sequence[str]) -> None:
    """Before a pass is made for it."""
    from ..credentials.launch import find_command

    find_command(command)
