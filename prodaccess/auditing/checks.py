"""`prodaccess audit verify`: the stand-alone verifier on the configured database, and what only we can check.

The verification itself is the stand-alone verifier's, which shares no code with what wrote the log. Only what it
cannot know is added here: whether each decision would be made again, and whether the search index says what the log
says.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select
from sqlmodel import col

from access.errors import AccessError
from audit.log import Ledger
from audit.search.recheck import recheck
from audit.tables import LedgerPayload
from notary.errors import BadSetting
from prodaccess.auditing.desk import BadPayloadKey, Desk, in_transaction
from prodaccess.auditing.replay import judged_again
from prodaccess.settings import SettingsError
from verifier.notes import Checkpoint, Key, Malformed
from verifier.report import Finding, Report, Unreadable
from verifier.sources.database import Database
from verifier.walk import Wish, verify

USAGE = 3
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """As it was typed; empty: not said."""

    key: str
    since: str
    deep: bool
    as_json: bool
    recordings: tuple[str, ...] = ()  # directories and places in S3


def check_log(desk: Desk, wanted: Wanted) -> int:
    """Prints the report; returns its exit code."""
    try:
        wish = Wish(keys=_keys(desk, wanted.key), since=_kept(wanted.since), deep=wanted.deep)
        payload_key = desk.payload_key() if wanted.deep else None
    except (Malformed, BadPayloadKey) as error:
        print(f"prodaccess audit verify: {error}", file=sys.stderr)
        return USAGE
    try:
        source = Database(desk.database, deep=wanted.deep, payload_key=payload_key)
    except Unreadable as error:
        return _say(Report("the database", undecided=[str(error)]), as_json=wanted.as_json)
    try:
        report = verify(source, wish)
    finally:
        source.close()
    if not report.failures:
        _check_decisions(desk, report)
    if wanted.deep:
        _check_search(desk, report)
    if wanted.recordings:
        _check_recordings(desk, wanted.recordings, report)
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
    """Raises OSError, and Malformed also where it is no text at all."""
    try:
        return Checkpoint.parse(Path(path).read_text("utf-8")) if path else None
    except ValueError as error:
        raise Malformed(
            f"{path} is no checkpoint, but something else: prodaccess audit checkpoint prints one."
        ) from error


def _check_decisions(desk: Desk, report: Report) -> None:
    """Each is made again by our own rules, which the stand-alone verifier does not have."""
    try:
        with desk.log() as log:
            judged = judged_again(log)
    except (AccessError, SettingsError, OSError, ValueError) as error:
        report.undecided.append(f"The decisions could not be made again: {error}")
        return
    for each in judged.differences:
        report.fail(
            Finding(
                "decision",
                f"{each.tag}: {each.what} is {each.recorded}, and judged again {each.replayed}",
                each.seq,
                each.ref,
            )
        )
    skipped = f", {len(judged.skipped)} not judged again" if judged.skipped else ""
    report.remarks.append(f"decision: {judged.checked} made again by the policy of their time{skipped}")


def _check_search(desk: Desk, report: Report) -> None:
    """The projections are derived anew and compared. They are no part of the proof: they can be refilled any time."""
    try:
        with desk.log(words=True) as log:
            opens = in_transaction(log, lambda tx: _opens_any(tx, log.ledger))
            difference = in_transaction(log, lambda tx: recheck(tx, log.ledger)) if opens else None
    except (AccessError, SettingsError, OSError, ValueError) as error:
        report.undecided.append(f"The search index could not be checked: {error}")
        return
    if not opens:
        report.undecided.append("The payload key opens none of the texts, so the search index was not checked.")
    elif difference:
        report.fail(Finding("search", difference))
    else:
        report.remarks.append("search: the index was derived anew, and says the same")


def _check_recordings(desk: Desk, places: Sequence[str], report: Report) -> None:
    from prodaccess.auditing.recordings import check_recordings

    try:
        check_recordings(desk, places, report)
    except (AccessError, SettingsError, BadSetting, OSError, ValueError) as error:
        report.undecided.append(f"The recordings could not be checked: {error}")


def _opens_any(tx: Connection, ledger: Ledger) -> bool:
    """Whether the payload key is of this log: True as well where there is nothing to open."""
    sealed = select(col(LedgerPayload.seq)).where(col(LedgerPayload.seed).is_not(None))
    seqs = list(tx.execute(sealed.distinct()).scalars())
    return not seqs or any(ledger.texts(tx, seqs[i : i + _AT_ONCE]) for i in range(0, len(seqs), _AT_ONCE))


def _say(report: Report, *, as_json: bool) -> int:
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print(report.as_json() if as_json else report.as_text(colour=coloured))
    return report.exit
