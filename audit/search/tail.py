"""The entries that stand in the log but not yet in the index.

They are read and judged one by one, so that the newest is never missed; where that is too much, the answer says
which entries were not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from audit import log
from audit.search.facts import Reader, read_facts
from audit.search.projector import indexed_to, recall
from audit.search.rows import row_of

TAIL = 5_000  # entries that one answer looks through


@dataclass(frozen=True, slots=True)
class Looked:
    """How far an answer reaches: indexed up to an entry, and read up to the log's head but for `missed`."""

    indexed_to: int
    head: int
    missed: tuple[int, int] | None = None  # first and last entry that were not looked at


class Tail:
    """The entries behind the index, newest first, and how far that makes an answer reach."""

    def __init__(self, tx: Connection, ledger: Reader, length: int = TAIL) -> None:
        indexed, head = indexed_to(tx), log.head(tx)
        start = max(indexed, head - length)
        self.looked = Looked(indexed, head, (indexed + 1, start) if start > indexed else None)
        facts = read_facts(tx, ledger, start, length) if head > start else []
        subjects = recall(tx, facts)
        self.rows = [row_of(f, subjects) for f in facts][::-1]
        self.grants = tuple(subjects.grants.values())
        self.sessions = tuple(subjects.sessions.values())
