"""creds: print a credential."""

from __future__ import annotations

import argparse

from ..credentials.collect import kept_or_fresh
from ..credentials.credential import FORMATS, rendered
from ..refs import parse_ref

ABOUT = """\
Prints the secret: prefer prodaccess run, which gives it to one process and nobody else. A credential that was just
printed is kept in memory (never on a disk) and printed again until it ends; --fresh asks for a new one.

Formats: text for reading; json; env for `eval` (PGHOST …, AWS_ACCESS_KEY_ID …); url for a libpq connection URI;
pgpass for one line of a password file. --json is the same as --format json."""
EXAMPLES = """\
  prodaccess creds PA-7
  eval "$(prodaccess creds PA-7 --format env)"
  psql "$(prodaccess creds PA-7 --format url)\""""


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ref", metavar="PA-7", help="the grant")
    parser.add_argument("--format", choices=FORMATS, default="text", help="how to print it")
    parser.add_argument("--fresh", action="store_true", help="a new credential, even if the kept one is still good")


def run(args: argparse.Namespace) -> int:
    credential = kept_or_fresh(parse_ref(args.ref), fresh=args.fresh)
    print(rendered(credential, "json" if args.json else args.format))
    return 0
