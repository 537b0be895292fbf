"""`prodaccess audit replay-decisions`: every recorded decision made again, by the policy text of its time."""

from __future__ import annotations

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

from access.afterwards.replay import Report, replay
from access.policy import Policy
from audit.log import Entry
from prodaccess.auditing.desk import in_transaction
from prodaccess.policies.file import PolicyError, parse_policy
from store.log import SqlLog

DIFFERENT = 1
_AT_ONCE = 500


def replay_decisions(log: SqlLog, *, as_json: bool) -> int:
    """Prints what was found. Exit code 0, or 1 where a decision would be another."""
    report = judged_again(log)
    print(json.dumps(_as_dict(report), indent=2) if as_json else _as_text(report))
    return DIFFERENT if report.differences else 0


def judged_again(log: SqlLog) -> Report:
    """Every decision of the log."""
    return replay(_entries(log), _policies(log))


def _entries(log: SqlLog) -> Iterator[Entry]:
    after = -1
    while entries := _read(log, after):
        yield from entries
        after = entries[-1].seq


def _read(log: SqlLog, after: int) -> tuple[Entry, ...]:
    return in_transaction(log, lambda tx: log.ledger.read(tx, after, _AT_ONCE))


def _policies(log: SqlLog) -> dict[str, Policy]:
    """One that cannot be read any more is told; its decisions are then among the skipped."""
    found = {}
    for hash_, text in asyncio.run(log.policies()).items():
        try:
            found[hash_] = parse_policy(text, hash_)
        except PolicyError as error:
            print(f"prodaccess: a policy of the log cannot be read any more: {error}", file=sys.stderr)
    return found


def _as_dict(report: Report) -> dict[str, object]:
    return {"decisions": report.checked, "differences": [asdict(each) for each in report.differences],
            "skipped": [asdict(each) for each in report.skipped]}  # fmt: skip


def _as_text(report: Report) -> str:
    count = len(report.differences)
    reasons = Counter(each.why for each in report.skipped)
    return "\n".join([
        *map(str, report.differences),
        *(f"not judged again: {number} ({why})" for why, number in reasons.most_common()),
        f"{report.checked} decisions, {count} difference{'' if count == 1 else 's'}",
    ])  # fmt: skip
