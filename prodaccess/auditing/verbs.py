"""The server's side of `prodaccess audit`: keys, verification, exports, and what an auditor keeps."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from access.errors import AccessError, BadInput, Unavailable
from access.model import parse_ref
from access.model import ref as as_ref
from audit.export.rows import ExportError
from audit.merkle import ProofError, leaf_hash, verify_inclusion
from audit.note import Note, NoteError, parse_note, verify
from audit.receipt import Receipt
from audit.tree import TreeDamaged
from notary.errors import BadSetting
from notary.signers.file import BadKeyFile
from prodaccess.__main__ import AUDIT_VERBS
from prodaccess.auditing.desk import Desk
from prodaccess.logs import masked
from prodaccess.settings import SettingsError
from store.log import SqlLog

TAMPERED, UNDECIDED, USAGE = 1, 2, 3
_FAILURES = (
    AccessError, SettingsError, BadSetting, BadKeyFile, NoteError, ExportError, ProofError, TreeDamaged,
)  # fmt: skip


def run(verb: str, arguments: list[str]) -> int:
    """Run one verb; returns the exit code."""
    verbs: dict[str, Callable[[list[str], Desk], int]] = {
        "keygen": _keygen, "verify": _verify, "export": _export, "replay-decisions": _replay,
        "checkpoint": _checkpoint, "receipt": _receipt,
    }  # fmt: skip
    try:
        return verbs[verb](arguments, Desk.of(os.environ))
    except SystemExit as leaving:  # argparse has said what it had to
        return leaving.code if isinstance(leaving.code, int) else USAGE
    except BrokenPipeError:  # the reader of our output has had enough
        raise
    except OSError as error:
        print(f"prodaccess: {masked(_told(error))}", file=sys.stderr)
        return UNDECIDED
    except _FAILURES as error:
        print(f"prodaccess: {masked(str(error))}", file=sys.stderr)
        return UNDECIDED
    except Exception as error:
        print(f"prodaccess: unexpected {type(error).__name__}: {masked(str(error))}", file=sys.stderr)
        return UNDECIDED


def _told(error: OSError) -> str:
    return f"{error.filename} cannot be opened ({error.strerror})." if error.filename and error.strerror else str(error)


class _Parser(argparse.ArgumentParser):
    """2 means something else here: what was typed wrongly is 3."""

    def __init__(self, verb: str, more: str) -> None:
        about = AUDIT_VERBS[verb]
        super().__init__(
            prog=f"prodaccess audit {verb}", description=f"{about[0].upper()}{about[1:]}.\n\n{more}",
            formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False,
        )  # fmt: skip
        self.add_argument("--json", action="store_true", help="for programs")

    def error(self, message: str) -> NoReturn:
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def _keygen(arguments: list[str], desk: Desk) -> int:
    parser = _Parser("keygen", "Nothing that is there is written over. Exit codes: 0 made, 2 not possible, 3 usage.")
    parser.add_argument("directory", metavar="DIR", help="where to; made if need be, closed to others")
    options = parser.parse_args(arguments)
    from prodaccess.auditing.keys import make_keys, settings_of

    keys = asyncio.run(make_keys(Path(options.directory).absolute(), desk.origin))
    _print(
        options.json, {"files": keys.files, "verifier_key": keys.verifier_key, "settings": settings_of(keys)}, str(keys)
    )
    return 0


def _verify(arguments: list[str], desk: Desk) -> int:
    parser = _Parser(
        "verify",
        "Every entry is hashed anew and held against every checkpoint; then what it means is checked: credentials\n"
        "only inside grants, grants only as approved, everything ended in time. It reads beside a running server.\n\n"
        "Exit codes: 0 verified, 1 tampering (the first bad entry is named), 2 cannot be decided, 3 usage.",
    )
    parser.add_argument("--deep", action="store_true", help="also the search index and people's words beside the log")
    parser.add_argument("--since", metavar="FILE", help="a checkpoint that was kept: the log must continue it")
    parser.add_argument("--key", metavar="KEY", help="the verifier key that was kept; else the signer is asked")
    parser.add_argument(
        "--recordings", metavar="DIR|s3://…", action="append", default=[],
        help="also every recording there, frame by frame, against the log; may be given several times",
    )  # fmt: skip
    options = parser.parse_args(arguments)
    from prodaccess.auditing.checks import Wanted, check_log

    return check_log(
        desk, Wanted(options.key or "", options.since or "", options.deep, options.json, tuple(options.recordings))
    )


def _export(arguments: list[str], desk: Desk) -> int:
    parser = _Parser(
        "export",
        "The file holds a piece of the log without gaps, and FILE.proof.json proves it against a signed checkpoint.\n"
        "A bundle has everything in it that an outsider needs to verify it. The export is an entry of the log too.\n\n"
        "Exit codes: 0 written, 2 not possible, 3 usage.",
    )
    parser.add_argument("--form", required=True, choices=("bundle", "tiles", "jsonl", "csv", "ocsf", "parquet"))
    parser.add_argument("--from", dest="first", metavar="SEQ|DATE", help="the first entry, or a day in UTC")
    parser.add_argument("--to", dest="last", metavar="SEQ|DATE", help="the last entry, or a day in UTC; both are in it")
    parser.add_argument("--ref", metavar="PA-7", help="from this request's first entry to its last, and all between")
    parser.add_argument("--since", metavar="FILE", help="bundle: also prove that it continues this kept checkpoint")
    parser.add_argument("--without-words", action="store_true", help="bundle: leave people's words out, provably")
    parser.add_argument("--out", required=True, metavar="FILE", help="a new file; nothing is written over")
    options = parser.parse_args(arguments)
    if options.ref and (options.first or options.last):
        parser.error("--ref says from where to where already")
    if options.form != "bundle" and (options.since or options.without_words):
        parser.error("--since and --without-words are for bundles")
    from prodaccess.auditing.bundle import BundleWish
    from prodaccess.auditing.export import Wish, export

    since = _note_in(parser, options.since) if options.since else None
    wish = Wish(
        options.form, options.out, options.first or "", options.last or "", options.ref or "",
        BundleWish(not options.without_words, since, _known_keys(desk) if options.form == "bundle" else ()),
    )  # fmt: skip
    with desk.log(words=not options.without_words) as log:
        done = export(log, wish)
    _print(options.json, done.as_dict(), str(done))
    return 0


def _note_in(parser: _Parser, path: str) -> Note:
    """A checkpoint that was kept."""
    try:
        return parse_note(Path(path).read_text("utf-8"))
    except (NoteError, ValueError):
        parser.error(f"{path} is no checkpoint, but something else: prodaccess audit checkpoint prints one")


def _known_keys(desk: Desk) -> tuple[str, ...]:
    """A convenience in the bundle; whoever checks it has the key from elsewhere. Without a signer, none."""
    try:
        return tuple(map(str, asyncio.run(desk.verifier_keys())))
    except (Unavailable, SettingsError, BadSetting):
        return ()


def _replay(arguments: list[str], desk: Desk) -> int:
    parser = _Parser(
        "replay-decisions",
        "Each decision in the log is made again from the inputs that the log recorded, by the policy text it names.\n\n"
        "Exit codes: 0 all the same, 1 there are differences, 2 cannot be decided, 3 usage.",
    )
    options = parser.parse_args(arguments)
    from prodaccess.auditing.replay import replay_decisions

    with desk.log() as log:
        return replay_decisions(log, as_json=options.json)


def _checkpoint(arguments: list[str], desk: Desk) -> int:
    parser = _Parser(
        "checkpoint",
        "Keep both outside: with them anybody can tell later whether the log was rewritten\n"
        "(prodaccess audit verify --since FILE --key KEY).\n\nExit codes: 0 printed, 2 there is none, 3 usage.",
    )
    options = parser.parse_args(arguments)
    with desk.log() as log:
        newest = asyncio.run(log.last_checkpoint())
    if newest is None:
        raise BadInput("Nothing is signed yet. A running `serve` signs within a second of the first entry.")
    keys = asyncio.run(desk.verifier_keys())
    verify(parse_note(newest.note), keys)
    key = keys[0]
    _print(
        options.json, {"note": newest.note, "size": newest.size, "at": newest.at.isoformat(), "verifier_key": str(key)},
        f"{newest.note}\n{key}",
    )  # fmt: skip
    return 0


def _receipt(arguments: list[str], desk: Desk) -> int:
    parser = _Parser(
        "receipt",
        "Of a request it is the receipt of its last entry. prodaccess-verify receipt checks it against a bundle.\n\n"
        "Exit codes: 0 printed, 2 not possible, 3 usage.",
    )
    parser.add_argument("what", metavar="PA-7|SEQ", help="a request, or the number of an entry")
    options = parser.parse_args(arguments)
    with desk.log() as log:
        receipt = asyncio.run(_receipt_of(log, options.what))
    _print(options.json, {"receipt": str(receipt), "seq": receipt.seq, "size": receipt.size}, str(receipt))
    return 0


async def _receipt_of(log: SqlLog, what: str) -> Receipt:
    """Proven against the stored tree before it is given. Raises BadInput, ProofError, NoteError."""
    seq = int(what) if what.isascii() and what.isdigit() else await _last_of(log, what)
    if seq > await log.head():
        raise BadInput(f"There is no entry {seq}: the log's last is {await log.head()}.")
    kept = await log.checkpoint_covering(seq)
    if kept is None:
        raise BadInput(f"Entry {seq} is not signed yet. A running `serve` signs within a second.")
    (body,) = await log.bodies(seq, seq + 1, 1)
    leaf = leaf_hash(body)
    verify_inclusion(seq, kept.size, leaf, kept.root, await log.inclusion(seq, kept.size))
    return Receipt(parse_note(kept.note).origin, kept.size, kept.root, seq, leaf)


async def _last_of(log: SqlLog, what: str) -> int:
    try:
        ref = as_ref(parse_ref(what))
    except BadInput:
        raise BadInput(f"“{what[:40]}” is neither a request nor an entry: they look like PA-7 and 812.") from None
    entries = await log.entries_of(ref)
    if not entries:
        raise BadInput(f"The log has no {ref}.")
    return entries[-1].seq


def _print(as_json: bool, value: dict[str, Any], text: str) -> None:  # noqa: FBT001 (the user's own choice)
    print(json.dumps(value, indent=2) if as_json else text)
