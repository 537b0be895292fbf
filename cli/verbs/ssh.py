"""ssh: a shell or a command on a host, through the recorded gateway."""

from __future__ import annotations

import argparse

from ..refs import parse_ref

ABOUT = """\
Makes a key in memory, asks the server for a pass with it, and starts ssh with an agent that has this key alone and
lives as long as ssh does. The gateway is known by the key that the server names; no file of yours is changed, and what
you have configured for ssh holds. What follows PA-7 is ssh's own: options, then the command. So is the exit code.

For scp, sftp, rsync, git and ansible: prodaccess connect PA-7 -- scp …; for editors: prodaccess connect PA-7 --agent"""
EXAMPLES = """\
  prodaccess ssh PA-8
  prodaccess ssh PA-8 uptime
  prodaccess ssh PA-8 -o ServerAliveInterval=30 -t 'sudo journalctl -fu app'"""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", metavar="PA-7", help="the grant")


def run(args: argparse.Namespace) -> int:
    from ..credentials.launch import find_command
    from ..server.api import Api
    from ..through.ssh import shell

    find_command(["ssh"])  # before a pass is made for it
    return shell(Api(), parse_ref(args.ref), args.command)
