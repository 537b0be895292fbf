"""Asking the index: the newest entries with these tokens.

SQLite's FTS5 walks a query's hits from the newest on and stops. PostgreSQL's GIN index cannot: it gathers all hits
of a word before the first is known, and a planner that is told to sort and limit may walk the table instead, for
seconds. So there the newest entries are looked through one by one, then windows are asked of the index, each sorted
only after it was gathered. A window is as large as lets expect what is still missing, by what was found before, so
that few hits are gathered. And so that a small window gathers only its own, each entry there has one more token,
`#12`, for the stretch of the log that it lies in.

Both walk through all hits of a word that stands with another too seldom. Where all that is asked for is common, its
bits say in which entries it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import isqrt
from typing import Any

from sqlalchemy import Connection, text

from audit.search import common
from audit.search.index import STRETCH, among
from audit.search.tables import BLOCK

_FEW = 16  # blocks whose bits are looked at first
_NEAR = 2_048  # entries looked through one by one on PostgreSQL, the newest
_MOST_STRETCHES = 24  # that are worth naming: beyond, whole partitions are asked
_GROWTH = 32  # a window is at most so many times the one before, or what has been searched
_PATIENCE = 5_000  # milliseconds that PostgreSQL may take over one statement
# A generic plan or a compiled one would be made for other words than those that are asked.
_SETTINGS = "; ".join(
    f"SET LOCAL {setting}"
    for setting in (f"statement_timeout = {_PATIENCE}", "plan_cache_mode = force_custom_plan", "jit = off")
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the index is asked: tokens, places in the log `[low, high)` and times `[after, before)` in microseconds."""

    require: tuple[tuple[str, ...], ...]
    exclude: tuple[str, ...]
    low: int
    high: int
    after: int | None = None
    before: int | None = None


def newest(tx: Connection, wanted: Wanted, limit: int) -> list[int]:
    """The `seq` of at most `limit` entries, newest first."""
    if wanted.high <= wanted.low:
        return []
    if tx.dialect.name != "sqlite":
        tx.exec_driver_sql(_SETTINGS)
    blocks, search = range(wanted.low // BLOCK, wanted.high // BLOCK), _Search(tx, wanted.high)
    if not _is_combined(wanted) or not common.are_common(tx, wanted.require, blocks):
        return search.through_index(wanted, limit)
    found = _behind_blocks(search, replace(wanted, low=max(wanted.low, blocks.stop * BLOCK)), limit)
    for some in _parts(blocks):
        if len(found) == limit:
            break
        part = replace(wanted, low=max(wanted.low, some.start * BLOCK), high=some.stop * BLOCK)
        found += _in_blocks(search, part, some, limit - len(found))
    return found


def _is_combined(wanted: Wanted) -> bool:
    """Of one word the index gives what there is."""
    return len(wanted.require) > 1 or bool(wanted.require and wanted.exclude)


def _parts(blocks: range) -> Iterator[range]:
    """The newest first, and few of them."""
    stop, size = blocks.stop, _FEW
    while stop > blocks.start:
        yield range(max(blocks.start, stop - size), stop)
        stop, size = stop - size, size * _GROWTH


def _in_blocks(search: _Search, wanted: Wanted, blocks: range, limit: int) -> list[int]:
    together = common.together(search.tx, wanted.require, wanted.exclude, blocks)
    found = _confirmed(search.tx, wanted, together.entries, limit)
    if together.others:
        low = found[-1] if len(found) == limit else wanted.low  # what is older is not asked for
        others = replace(wanted, require=(*wanted.require, together.others), low=low)
        found = sorted({*found, *_Search(search.tx, search.start).through_index(others, limit)}, reverse=True)[:limit]
    return found


# One by one


def _behind_blocks(search: _Search, wanted: Wanted, limit: int) -> list[int]:
    """FTS5 cannot be told where to stop while it finds nothing, but for each word on its own."""
    if search.tx.dialect.name != "sqlite" or wanted.high <= wanted.low:
        return search.through_index(wanted, limit)
    matches = [_either(group) for group in wanted.require]
    each = "SELECT rowid FROM search_words WHERE search_words MATCH :m{} AND rowid >= :low AND rowid < :high"
    query = " INTERSECT ".join(each.format(i) for i in range(len(matches))) + " ORDER BY rowid DESC"
    bound = {f"m{i}": match for i, match in enumerate(matches)} | {"low": wanted.low, "high": wanted.high}
    return _confirmed(search.tx, wanted, iter(search.tx.execute(text(query), bound).scalars().all()), limit)


def _confirmed(tx: Connection, wanted: Wanted, entries: Iterator[int], limit: int) -> list[int]:
    """Those that are within the places and times, and do not have what is left out."""
    found: list[int] = []
    while len(found) < limit and (some := list(islice(entries, 2 * limit))):
        found += sorted(_of_these(tx, wanted, some), reverse=True)
    return found[:limit]


def _of_these(tx: Connection, wanted: Wanted, seqs: Sequence[int]) -> list[int]:
    named, values = among(tx, seqs)
    bound = _bound(wanted) | {"values": values, "match": _tsquery(wanted)}
    holds = _has_tokens(wanted) if tx.dialect.name == "sqlite" else ["words @@ CAST(:match AS tsquery)"]
    holds += ["seq >= :low", *_times(wanted, "")]
    fence = "LIMIT -1 OFFSET 0" if tx.dialect.name == "sqlite" else "OFFSET 0"
    query = (
        f"SELECT seq FROM (SELECT seq, at, words FROM search_entry WHERE seq {named} {fence}) these"  # noqa: S608
        f" WHERE {' AND '.join(holds)}"
    )
    return list(tx.execute(text(query), bound).scalars().all())


def _has_tokens(wanted: Wanted) -> list[str]:
    """For SQLite; the parameters are in `_bound`."""
    groups = [
        " OR ".join(f"instr(words, :w{i}_{j}) > 0" for j in range(len(group))) for i, group in enumerate(wanted.require)
    ]
    return [*(f"({group})" for group in groups), *_lacks_tokens(wanted, "")]


def _lacks_tokens(wanted: Wanted, of: str) -> list[str]:
    return [f"instr({of}words, :x{i}) = 0" for i in range(len(wanted.exclude))]


# Through the index


@dataclass(slots=True)
class _Search:
    """One question on its way from the newest entries on; `found` so many since place `start`."""

    tx: Connection
    start: int
    found: int = 0

    def through_index(self, wanted: Wanted, limit: int) -> list[int]:
        if self.tx.dialect.name == "sqlite":
            return _newest_sqlite(self.tx, wanted, limit)
        return self._newest_postgresql(wanted, limit)

    def _newest_postgresql(self, wanted: Wanted, limit: int) -> list[int]:
        holds = " AND ".join(
            ["words @@ CAST(:match AS tsquery)"] * bool(_tsquery(wanted)) + _times(wanted, "") or ["true"]
        )
        # OFFSET 0 keeps the condition outside: the entries are read in order, and no index of words is thought of
        look = text(
            "SELECT seq FROM (SELECT seq, at, words FROM search_entry WHERE seq >= :low AND seq < :high"  # noqa: S608
            f" ORDER BY seq DESC OFFSET 0) near WHERE {holds} LIMIT :limit"
        )
        ask = text(
            "WITH hit AS MATERIALIZED (SELECT seq FROM search_entry WHERE seq >= :low AND seq < :high"  # noqa: S608
            f" AND {holds}) SELECT seq FROM hit ORDER BY seq DESC LIMIT :limit"
        )
        found: list[int] = []
        high = wanted.high
        while high > wanted.low and len(found) < limit:
            low = max(wanted.low, high - self._size(high, limit - len(found)))
            query = look if high == self.start or not wanted.require else ask
            match = _tsquery(wanted) + ("" if query is look else _in_stretches(low, high))
            bound = {**_bound(wanted), "low": low, "high": high, "match": match, "limit": limit - len(found)}
            new = self.tx.execute(query, bound).scalars().all()
            found += new
            self.found += len(new)
            high = low
        return found

    def _size(self, high: int, missing: int) -> int:
        """Where more than what is missing may be expected, by what was found so far."""
        searched = self.start - high
        enough = missing + 3 * isqrt(missing)
        likely = searched * enough // self.found if self.found else searched * _GROWTH
        return max(_NEAR, min(searched * _GROWTH, likely))


def _newest_sqlite(tx: Connection, wanted: Wanted, limit: int) -> list[int]:
    if wanted.require:
        source, place = "search_words w CROSS JOIN search_entry e ON e.seq = w.rowid", "w.rowid"
        holds = ["search_words MATCH :match"]
    else:
        source, place = "search_entry e", "e.seq"
        holds = _lacks_tokens(wanted, "e.")
    if wanted.after is None and wanted.before is None and wanted.require:
        source = "search_words w"
    holds += [f"{place} >= :low", f"{place} < :high", *_times(wanted, "e.")]
    query = f"SELECT {place} FROM {source} WHERE {' AND '.join(holds)} ORDER BY {place} DESC LIMIT :limit"  # noqa: S608
    return list(tx.execute(text(query), {**_bound(wanted), "match": _match(wanted), "limit": limit}).scalars().all())


def _match(wanted: Wanted) -> str:
    every = " AND ".join(f"({_either(group)})" for group in wanted.require)
    return f"({every}) NOT ({_either(wanted.exclude)})" if wanted.exclude else every


def _either(tokens: Sequence[str]) -> str:
    return " OR ".join(f'"{token}"' for token in tokens)


def _in_stretches(low: int, high: int) -> str:
    numbers = range(low // STRETCH, (high - 1) // STRETCH + 1)
    if len(numbers) > _MOST_STRETCHES:
        return ""
    return " & (" + " | ".join(f"'#{number}'" for number in numbers) + ")"


def _tsquery(wanted: Wanted) -> str:
    groups = ["(" + " | ".join(f"'{token}'" for token in group) + ")" for group in wanted.require]
    return " & ".join([*groups, *(f"!'{token}'" for token in wanted.exclude)])


def _times(wanted: Wanted, of: str) -> list[str]:
    return [f"{of}at >= :after"] * (wanted.after is not None) + [f"{of}at < :before"] * (wanted.before is not None)


def _bound(wanted: Wanted) -> dict[str, Any]:
    """SQLite's tokens as `instr` takes them: between the spaces that `words` has around each."""
    bound: dict[str, Any] = {"low": wanted.low, "high": wanted.high, "after": wanted.after, "before": wanted.before}
    bound |= {f"x{i}": f" {token} " for i, token in enumerate(wanted.exclude)}
    groups = enumerate(wanted.require)
    return bound | {f"w{i}_{j}": f" {token} " for i, group in groups for j, token in enumerate(group)}
