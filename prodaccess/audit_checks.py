"""`prodaccess audit verify`: the stand-alone verifier on the configured database, and what only we can check.

The verification itself is the stand-alone verifier's, which shares no code with what wrote the log. Only what it
cannot know is added here: whether the search index says what the log says.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import make_url

from access.errors import AccessError
from access.secret import Secret
from audit.search.recheck import recheck
from notary.errors import BadSetting
from prodaccess.audit_desk import Desk
from prodaccess.settings import SettingsError
from verifier.notes import Checkpoint, Key, Malformed
from verifier.report import Finding, Report, Unreadable
from verifier.sources.database import Database
from verifier.walk import Wish, verify

_DATABASE = "PRODACCESS_DATABASE_URL"
USAGE = 3


@dataclass(frozen=True, slots=True)
class Wanted:
    """As it was typed; empty: not said."""

    key: str
    since: str
    deep: bool
    as_json: bool


def check_log(desk: Desk, wanted: Wanted) -> int:
    """Prints the report; returns its exit code."""
    try:
        wish = Wish(keys=_keys(desk, wanted.key), since=_kept(wanted.since), deep=wanted.deep)
    except Malformed as error:
        print(f"prodaccess audit verify: {error}", file=sys.stderr)
        return USAGE
    try:
        source = Database(desk.database, deep=wanted.deep, payload_key=desk.payload_key() if wanted.deep else None)
    except Unreadable as error:
        return _say(Report("the database", undecided=[str(error)]), as_json=wanted.as_json)
    try:
        report = verify(source, wish)
    finally:
        source.close()
    if wanted.deep:
        _check_search(desk, report)
    return _say(report, as_json=wanted.as_json)


def _keys(desk: Desk, given: str) -> tuple[Key, ...]:
    """Those that were kept, or those of the settings. Raises Malformed, and what `Desk` raises."""
    if given:
        return tuple(map(Key.parse, given.replace(",", " ").split()))
    try:
        keys = asyncio.run(desk.verifier_keys())
    except (AccessError, SettingsError, BadSetting) as error:
        raise SettingsError(f"{error}\nWith the verifier key that was kept it needs no signer: --key KEY") from error
    return tuple(Key.parse(str(key)) for key in keys)


def _kept(path: str) -> Checkpoint | None:
    return Checkpoint.parse(Path(path).read_text("utf-8")) if path else None


def _check_search(desk: Desk, report: Report) -> None:
    """The projections are derived anew and compared. They are no part of the proof: they can be dropped and refilled.

    An SQLite index checks itself only where it may write, so there a copy is checked, and the server goes on writing.
    """
    try:
        with _beside(desk) as beside, beside.log(words=True) as log:
            difference = log.database.transact(lambda tx: recheck(tx, log.ledger))
    except (AccessError, SettingsError, OSError, sqlite3.Error) as error:
        report.undecided.append(f"The search index could not be checked: {error}")
        return
    if difference:
        report.fail(Finding("search", difference))
    else:
        report.remarks.append("search: the index was derived anew, and says the same")


@contextmanager
def _beside(desk: Desk) -> Iterator[Desk]:
    url = make_url(desk.database)
    if url.get_backend_name() != "sqlite" or not url.database:
        yield desk
        return
    place = Path(url.database).absolute().parent  # as private as the database, and as large
    with tempfile.TemporaryDirectory(prefix=".verify-", dir=place) as directory:
        copy = Path(directory, "copy.db")
        copy.touch(mode=0o600)
        source, target = sqlite3.connect(f"file:{url.database}?mode=ro", uri=True), sqlite3.connect(copy)
        with closing(source), closing(target):
            source.backup(target)
        secrets = {**desk.settings.secrets, _DATABASE: Secret({"value": f"sqlite:///{copy}"})}
        files = {name: path for name, path in desk.settings.files.items() if name != _DATABASE}
        yield replace(desk, settings=replace(desk.settings, secrets=secrets, files=files))


def _say(report: Report, *, as_json: bool) -> int:
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print(report.as_json() if as_json else report.as_text(colour=coloured))
    return report.exit
