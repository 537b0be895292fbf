"""The command: arguments in, report and exit code out."""

from __future__ import annotations

import argparse
import base64
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from . import __version__
from .notes import Checkpoint, Key, Malformed, Receipt
from .report import CHECKS, USAGE, Report, Unreadable
from .sources import Source
from .sources.bundle import Bundle
from .sources.database import Database
from .sources.tiles import TileDirectory
from .walk import Wish, verify

_ABOUT = """\
Checks an audit log of prodaccess, offline and without trusting prodaccess.

  prodaccess-verify bundle q3.zip --key-file prodaccess.vkey --since q2.checkpoint
  prodaccess-verify database var/prodaccess.db --key prodaccess/audit+1a2b3c4d+AbCd…
  prodaccess-verify tiles export/ --key-file prodaccess.vkey
  prodaccess-verify receipt 'PA1:prodaccess/audit:81205:…' --in q3.zip

Take the key from somebody you trust, not from whoever gives you the log.
"""
_EXITS = """
exit codes:
  0  verified (entries behind the last checkpoint are told as not yet signed)
  1  tampering: the first bad entry and the check that failed are named
  2  cannot decide: not readable, no key, or no checkpoint
  3  not understood
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(USAGE, f"{self.prog}: {message}\n")


def main(words: Sequence[str]) -> int:
    """Runs one verb and prints its report. Returns the exit code."""
    args = _parser().parse_args(words)
    try:
        wish = _wish(args)
        source = _source(args)
    except Malformed as error:
        print(f"prodaccess-verify: {error}", file=sys.stderr)
        return USAGE
    except Unreadable as error:
        return _say(args, Report(str(args.source), undecided=[str(error)]))
    try:
        return _say(args, verify(source, wish))
    finally:
        source.close()


def _say(args: argparse.Namespace, report: Report) -> int:
    is_coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print(report.as_json() if args.json else report.as_text(colour=is_coloured))
    return report.exit


def _wish(args: argparse.Namespace) -> Wish:
    """Raises Malformed where an argument is wrong, Unreadable where a file is."""
    keys = (*map(Key.parse, args.key), *_keys_in(args.key_file))
    receipt = Receipt.parse(args.receipt) if args.verb == "receipt" else None
    return Wish(
        keys=keys, trust_first=args.trust_first, witnesses=tuple(map(Key.parse, args.witness)),
        since=_kept(args.since, keys), receipt=receipt, tolerance=args.tolerance,
        quick=args.quick or receipt is not None, deep=args.deep,
    )  # fmt: skip


def _keys_in(path: Path | None) -> list[Key]:
    lines = [] if path is None else _text(path).split("\n")
    try:
        return [Key.parse(line) for line in lines if line.strip() and not line.startswith("#")]
    except Malformed as error:
        raise Unreadable(f"{path}: {error}.") from error


def _kept(path: Path | None, keys: Sequence[Key]) -> Checkpoint | None:
    if path is None:
        return None
    try:
        since = Checkpoint.parse(_text(path))
    except Malformed as error:
        raise Unreadable(f"{path}: {error}.") from error
    if keys and not since.is_signed_by(keys):
        raise Unreadable(f"{path} is not signed by the given key.")
    return since


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreadable(f"{path} cannot be read: {error}.") from error


def _source(args: argparse.Namespace) -> Source:
    where = args.source
    if args.verb == "tiles" or Path(where).is_dir():
        return TileDirectory(where)
    if args.verb == "bundle" or where.endswith(".zip"):
        return Bundle(where)
    key = None if args.payload_key_file is None else _payload_key(args.payload_key_file)
    return Database(where, quick=args.quick, deep=args.deep, payload_key=key)


def _payload_key(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error}.") from error
    try:
        key = raw if len(raw) == 32 else base64.b64decode(raw.strip(), validate=True)
    except ValueError:
        key = b""
    if len(key) != 32:
        raise Malformed(f"{path} holds no payload key: 32 bytes are expected, plain or in base64.")
    return key


def _parser() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    checks = "\nchecks:\n" + "\n".join(f"  {name:<12}{about}" for name, about in CHECKS.items()) + "\n"
    parser = _Parser("prodaccess-verify", description=_ABOUT, epilog=checks + _EXITS, formatter_class=raw)
    parser.add_argument("--version", action="version", version=f"prodaccess-verify {__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB", parser_class=_Parser)
    for verb, about, name in (
        ("bundle", "an evidence bundle (.zip)", "source"),
        ("database", "prodaccess's own database", "source"),
        ("tiles", "a directory of C2SP tiles", "source"),
        ("receipt", "one receipt, against a log", "receipt"),
    ):
        each = verbs.add_parser(verb, help=about, description=about, epilog=_EXITS, formatter_class=raw)
        each.add_argument(name, metavar={"bundle": "ZIP", "database": "URL|FILE", "tiles": "DIR"}.get(verb, "PA1:…"))
        if verb == "receipt":
            each.add_argument("--in", dest="source", required=True, metavar="SOURCE", help="bundle, database or tiles")
        _add_options(each)
    return parser


def _add_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--key", action="append", default=[], help="the log's verifier key (again for each key it has had)")
    add("--key-file", type=Path, help="a file of such keys, one a line")
    add("--trust-first", action="store_true", help="take the log's own word for its key; proves only consistency")
    add("--witness", action="append", default=[], metavar="KEY", help="a witness that must have cosigned")
    add("--since", type=Path, metavar="FILE", help="a checkpoint kept from an earlier time: the log must continue it")
    add("--tolerance", type=int, default=60, metavar="SECONDS", help="how late an ending is still in time (60)")
    add("--quick", action="store_true", help="hashes, roots and the last signature only; entries are not read")
    add("--deep", action="store_true", help="read every entry whole; in a database, also account for every private "
        "text (and open each, with --payload-key-file)")  # fmt: skip
    add("--payload-key-file", type=Path, metavar="FILE", help="the installation's key for private texts")
    add("--json", action="store_true", help="the same as JSON")
