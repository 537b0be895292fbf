"""The rows of one append, and where in the log they go.

Private texts are sealed while the database is asked for the place, bodies are made while it stores the sealed texts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import and_, bindparam, select, text, true, update
from sqlmodel import col

from access.events import Event
from audit.canonical import Writer, normal, private_fields
from audit.merkle import leaf_hash
from audit.payloads import PayloadKey, SealedText
from audit.statement import Runner, Statement, inserting
from audit.tables import LOG, LedgerEntry, LedgerFrontier, LedgerPayload, LedgerTile
from audit.tree import SqlTiles, full_tiles

LONGEST_BODY = 65_535  # bytes: the length that a C2SP entry bundle can state
Row = tuple[Any, ...]
_LEAF = 5  # the column's place in a row
_PIECE = 50  # events that PostgreSQL stores while the next ones are made

_OF_LOG = col(LedgerFrontier.log_id) == bindparam("log")
_LOCK = Statement(lambda _: select(col(LedgerFrontier.size)).where(_OF_LOG).with_for_update())
_ADVANCE = Statement(
    lambda _: update(LedgerFrontier).where(_OF_LOG).values(size=bindparam("size"), last_recorded_at=bindparam("at"))
)
_OF = (
    select(col(LedgerEntry.seq), col(LedgerEntry.body))
    .where(col(LedgerEntry.ref) == bindparam("ref"))
    .order_by(col(LedgerEntry.seq).desc())
    .limit(1)
)


def _place(_: str) -> Any:
    """The log's size, its last entry's time, and the last entry of a request, at once."""
    of, frontier, entry = _OF.subquery(), LedgerFrontier, LedgerEntry
    last = and_(col(entry.log_id) == col(frontier.log_id), col(entry.seq) == col(frontier.size) - 1)
    found = select(col(frontier.size), col(entry.recorded_at), of.c.seq, of.c.body).where(_OF_LOG)
    return found.outerjoin_from(frontier, entry, last).outerjoin(of, true())


def _last_of_many(dialect: str) -> Any:
    """The last entry of each of these requests: as one value, and answered in one on SQLite, where rows cost waits."""
    if dialect != "sqlite":
        last = "SELECT ref, seq, body FROM ledger_entry WHERE ref = r ORDER BY seq DESC LIMIT 1"
        return text(f"SELECT ref, seq, body FROM unnest(CAST(:refs AS text[])) r CROSS JOIN LATERAL ({last}) l")  # noqa: S608 (our own words)
    last = "e.log_id = :log AND e.seq = (SELECT max(seq) FROM ledger_entry WHERE ref = r.value)"
    found = f"json_each(:refs) r CROSS JOIN ledger_entry e WHERE {last}"
    return text(f"SELECT json_group_array(json_array(ref, seq, CAST(body AS TEXT))) FROM {found}")  # noqa: S608 (the same)


_PLACE, _LAST_OF_MANY = Statement(_place), Statement(_last_of_many)
_INSERT, _INSERT_TILE, _INSERT_PAYLOAD = (inserting(m) for m in (LedgerEntry, LedgerTile, LedgerPayload))


class _Counted(msgspec.Struct):
    """What an entry says about its place among those of its request, of whatever kind it is."""

    n: int


_counted = msgspec.json.Decoder(_Counted)
_Next = tuple[int, int | None]  # what a request's next entry says of its place: n and prev
_FIRST: _Next = (0, None)


class TooLong(ValueError):
    """An event that does not fit into one entry: a fault of whoever made it."""


class Place:
    """Where the log's next entries go. Nobody else can take it before the transaction ends."""

    def __init__(self, tx: Runner, refs: Collection[str]) -> None:
        """Asks; `look` waits for the answers. `refs`: the requests that the entries belong to."""
        first, *more = refs or ("",)
        self._is_sqlite = tx.dialect.name == "sqlite"
        if not self._is_sqlite:  # there, whoever writes is alone
            _LOCK.run(tx, {"log": LOG})
        self._asked = _PLACE.run(tx, {"log": LOG, "ref": first})  # sees what was written before the lock was had
        self._others = None
        if more:
            listed = json.dumps(more) if self._is_sqlite else more
            self._others = _LAST_OF_MANY.run(tx, {"log": LOG, "refs": listed})
        self.size = 0
        self.last: int | None = None  # the last entry's recorded_at; None in an empty log
        self._next: dict[str, _Next] = dict.fromkeys(refs, _FIRST)

    def look(self) -> None:
        ((self.size, self.last, *of_first),) = self._asked.all()
        first = next(iter(self._next), "")
        for ref, seq, body in ((first, *of_first), *self._of_others()):
            if ref and seq is not None:
                self._next[ref] = _counted.decode(body).n + 1, seq

    def _of_others(self) -> Iterable[tuple[str, int, bytes | str]]:
        if self._others is None:
            return ()
        if not self._is_sqlite:
            found: Sequence[tuple[str, int, bytes]] = self._others.all()
            return found
        return msgspec.json.decode(self._others.scalar_one(), type=list[tuple[str, int, str]])

    def following(self, ref: str, seq: int) -> _Next:
        """Of a request's next entry, which is this one."""
        n, prev = self._next[ref]
        self._next[ref] = n + 1, seq
        return n, prev


class Batch(NamedTuple):
    """The events of one append, and in whose name and under which key they are written."""

    origin: str
    key: PayloadKey | None
    events: Sequence[Event]

    @property
    def refs(self) -> Collection[str]:
        return dict.fromkeys(event.ref for event in self.events if event.ref)

    def write(self, tx: Runner, place: Place, when: Callable[[], int]) -> None:
        """Store the entries, their sealed texts and the tiles that they fill, and move the log's end.

        `when` looks at the place, whose answer has had time until then, and says what `recorded_at` is.
        """
        recorded_at, leaves = 0, list[bytes]()
        piece = len(self.events) if tx.dialect.name == "sqlite" else _PIECE
        for start in range(0, len(self.events), piece):
            events = self.events[start : start + piece]
            texts = _sealed(self.key, events)
            recorded_at = recorded_at or when()
            first = place.size + start
            if texts:
                _INSERT_PAYLOAD.run_rows(tx, [(c, first + i, name, t, seed, None) for i, name, (c, t, seed) in texts])
            commitments = (sealed.commitment.hex() for _, _, sealed in texts)
            writer = Writer(self.origin, recorded_at, lambda *_, each=commitments: next(each))
            rows = _rows(place, writer, first, events)
            _INSERT.run_rows(tx, rows)
            leaves += [row[_LEAF] for row in rows]
        for tile in full_tiles(place.size, leaves, SqlTiles(tx)):
            _INSERT_TILE.run_rows(tx, ((LOG, tile.level, tile.index, tile.root, tile.hashes),))
        _ADVANCE.run(tx, {"log": LOG, "size": place.size + len(leaves), "at": recorded_at})


def _sealed(key: PayloadKey | None, events: Sequence[Event]) -> list[tuple[int, str, SealedText]]:
    """Their private texts, in the order in which the bodies commit to them: event, field and text."""
    found = [
        (i, name, normal(text))
        for i, event in enumerate(events)
        for name in private_fields(event.TAG)
        if (text := getattr(event, name))
    ]
    if not found:
        return []
    if key is None:
        raise ValueError("private text cannot be written without the payload key")
    sealed = key.seal_all([text for _, _, text in found])
    return [(i, name, each) for (i, name, _), each in zip(found, sealed, strict=True)]


def _rows(place: Place, writer: Writer, first: int, events: Sequence[Event]) -> list[Row]:
    rows, body_of, at = [], writer.body, writer.recorded_at
    for seq, event in enumerate(events, first):
        ref = event.ref
        n, prev = place.following(ref, seq) if ref else (None, None)
        body = body_of(event, seq, n, prev)
        if len(body) > LONGEST_BODY:
            raise TooLong(f"{event.TAG} makes an entry of {len(body)} bytes, and {LONGEST_BODY} is the most")
        rows.append((LOG, seq, at, event.TAG, ref, leaf_hash(body), body))
    return rows
