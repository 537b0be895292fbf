"""The index over entries' tokens: the one place that knows SQLite's from PostgreSQL's.

SQLite's FTS5 walks a query's hits from the newest on and stops. PostgreSQL's GIN index cannot: it gathers all hits
of a word before the first is known, and a planner that is told to sort and limit may walk the table instead, for
seconds. So there the newest entries are looked through one by one, then windows are asked of the index, each sorted
only after it was gathered. A window is as large as lets expect what is still missing, by what was found before, so
that few hits are gathered. And so that a small window gathers only its own, each entry there has one more token,
`#12`, for the stretch of the log that it lies in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, text
from sqlmodel import SQLModel

from audit.search.rows import Row
from audit.search.tables import PARTITION, SearchEntry, SearchTouch
from audit.statement import inserting

#: the columns of search_entry, in the table's order
COLUMNS = (
    "seq", "at", "type", "ref", "actor_id", "actor", "target", "role", "ticket", "session", "host", "op", "coverage",
    "text",
)  # fmt: skip
_NEAR = 2_048  # entries looked through one by one on PostgreSQL, the newest
_STRETCH = 32_768  # entries with one `#` token
_MOST_STRETCHES = 24  # that are worth naming: beyond, whole partitions are asked
_GROWTH = 32  # a window is at most so many times what has been searched
_PAGES = 500  # of SQLite's index, merged in one step
_PATIENCE = 5_000  # milliseconds that PostgreSQL may take over one statement
# A generic plan or a compiled one would be made for other words than those that are asked.
_SETTINGS = "; ".join(
    f"SET LOCAL {setting}"
    for setting in (f"statement_timeout = {_PATIENCE}", "plan_cache_mode = force_custom_plan", "jit = off")
)

_INSERT = {name: inserting(model) for name, model in (("search_entry", SearchEntry), ("search_touch", SearchTouch))}
_INDEX = "INSERT INTO search_words (rowid, words) VALUES (?, ?)"
_UNINDEX = text("INSERT INTO search_words (search_words, rowid, words) VALUES ('delete', :seq, :words)")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the index is asked: tokens, places in the log `[low, high)` and times `[after, before)` in microseconds."""

    require: tuple[tuple[str, ...], ...]
    exclude: tuple[str, ...]
    low: int
    high: int
    after: int | None = None
    before: int | None = None


# Writing


def add(tx: Connection, entries: Sequence[Row], touches: Sequence[dict[str, Any]]) -> None:
    """Insert entries, index them, and insert what they touched. PostgreSQL's partitions must be there."""
    pack = packed if tx.dialect.name == "sqlite" else _as_tsvector
    stored = [
        {name: getattr(row, name) for name in COLUMNS} | {"words": pack(tokens(tx, row.seq, row.words))}
        for row in entries
    ]
    _insert(tx, "search_entry", stored)
    if tx.dialect.name == "sqlite":
        tx.exec_driver_sql(_INDEX, [(row["seq"], row["words"]) for row in stored])
    if touches:
        _insert(tx, "search_touch", touches)


def tokens(tx: Connection, seq: int, words: frozenset[str]) -> frozenset[str]:
    """What is stored of an entry's words."""
    return words if tx.dialect.name == "sqlite" else words | {f"#{seq // _STRETCH}"}


def _insert(tx: Connection, name: str, rows: Sequence[dict[str, Any]]) -> None:
    """PostgreSQL takes them as one value, in a fraction of the time that it needs for a statement for each."""
    if tx.dialect.name == "sqlite":
        _INSERT[name].run_many(tx, rows)
        return
    kinds = {
        str(column.name): str(column.type.compile(tx.dialect)) for column in SQLModel.metadata.tables[name].columns
    }
    columns = ", ".join(kinds)
    record = ", ".join(f"{column} {kind}" for column, kind in kinds.items())
    statement = text(
        f"INSERT INTO {name} ({columns}) SELECT {columns} FROM json_to_recordset(CAST(:rows AS json)) AS r ({record})"  # noqa: S608
    )
    tx.execute(statement, {"rows": msgspec.json.encode(rows).decode()})


def _as_tsvector(words: frozenset[str]) -> str:
    """No token holds a quote or a backslash."""
    return " ".join(f"'{word}'" for word in words)


def make_room(tx: Connection, first: int, last: int) -> None:
    """PostgreSQL's partitions for these entries."""
    if tx.dialect.name == "sqlite":
        return
    for number in range(first // PARTITION, last // PARTITION + 1):
        name, start = f"search_entry_{number}", number * PARTITION
        if tx.execute(text("SELECT to_regclass(:name)"), {"name": name}).scalar_one() is None:
            tx.exec_driver_sql(
                f"CREATE TABLE {name} PARTITION OF search_entry FOR VALUES FROM ({start}) TO ({start + PARTITION})"
            )


def strip(tx: Connection, seqs: Sequence[int], shown: str) -> None:
    """Leave entries only their terms, and another text to show."""
    query = text(f"SELECT seq, {words_column(tx)} AS words FROM search_entry WHERE seq IN :seqs")  # noqa: S608
    rows = tx.execute(query.bindparams(bindparam("seqs", expanding=True)), {"seqs": list(seqs)}).all()
    kept = {row.seq: _terms_of(unpacked(tx, row.words)) for row in rows}
    if not rows:
        return
    if tx.dialect.name != "sqlite":
        change = "UPDATE search_entry SET words = CAST(:words AS tsvector), text = :shown WHERE seq = :seq"
        tx.execute(text(change), [
            {"seq": seq, "words": _as_tsvector(tokens(tx, seq, words)), "shown": shown} for seq, words in kept.items()
        ])  # fmt: skip
        return
    tx.execute(_UNINDEX, [{"seq": row.seq, "words": row.words} for row in rows])
    change = "UPDATE search_entry SET words = :words, text = :shown WHERE seq = :seq"
    tx.execute(text(change), [{"seq": seq, "words": packed(words), "shown": shown} for seq, words in kept.items()])
    tx.exec_driver_sql(_INDEX, [(seq, packed(words)) for seq, words in kept.items()])


def _terms_of(words: frozenset[str]) -> frozenset[str]:
    return frozenset(word for word in words if "=" in word)


def clear(tx: Connection) -> None:
    if tx.dialect.name == "sqlite":
        tx.exec_driver_sql("INSERT INTO search_words (search_words) VALUES ('delete-all')")
        tx.exec_driver_sql("DELETE FROM search_entry")
    else:
        tx.exec_driver_sql("TRUNCATE search_entry")


def tidy(tx: Connection, step: int) -> int:
    """One short step of merging the whole index, which leaves out what was taken out of it.

    `step` is 1 at first; the next one is returned, 0 when all is done. PostgreSQL's vacuum does it by itself.
    """
    if tx.dialect.name != "sqlite":
        return 0
    before = _changes(tx)
    tx.exec_driver_sql(
        "INSERT INTO search_words (search_words, rank) VALUES ('merge', ?)", (-_PAGES if step == 1 else _PAGES,)
    )
    return 2 if step == 1 or _changes(tx) - before > 1 else 0


def _changes(tx: Connection) -> int:
    found: int = tx.exec_driver_sql("SELECT total_changes()").scalar_one()
    return found


def packed(words: frozenset[str]) -> str:
    """Tokens as SQLite keeps them."""
    return f" {' '.join(sorted(words))} "


def unpacked(tx: Connection, words: str) -> frozenset[str]:
    """Tokens as they come out of `words_column`."""
    return frozenset(words.split(" ")) - {""} if tx.dialect.name == "sqlite" else frozenset(words)


def words_column(tx: Connection) -> str:
    """The expression to read `words` by."""
    return "words" if tx.dialect.name == "sqlite" else "tsvector_to_array(words)"


# Asking


def newest(tx: Connection, wanted: Wanted, limit: int) -> list[int]:
    """The `seq` of at most `limit` entries, newest first."""
    if wanted.high <= wanted.low:
        return []
    if tx.dialect.name == "sqlite":
        return _newest_sqlite(tx, wanted, limit)
    tx.exec_driver_sql(_SETTINGS)
    return _newest_postgresql(tx, wanted, limit)


def _newest_sqlite(tx: Connection, wanted: Wanted, limit: int) -> list[int]:
    if wanted.require:
        source, place = "search_words w CROSS JOIN search_entry e ON e.seq = w.rowid", "w.rowid"
        holds = ["search_words MATCH :match"]
    else:
        source, place = "search_entry e", "e.seq"
        holds = [f"instr(e.words, :x{i}) = 0" for i in range(len(wanted.exclude))]
    if wanted.after is None and wanted.before is None and wanted.require:
        source = "search_words w"
    holds += [f"{place} >= :low", f"{place} < :high", *_times(wanted, "e.")]
    query = f"SELECT {place} FROM {source} WHERE {' AND '.join(holds)} ORDER BY {place} DESC LIMIT :limit"  # noqa: S608
    return list(tx.execute(text(query), {**_bound(wanted), "match": _match(wanted), "limit": limit}).scalars())


def _match(wanted: Wanted) -> str:
    every = " AND ".join(f"({_either(group)})" for group in wanted.require)
    return f"({every}) NOT ({_either(wanted.exclude)})" if wanted.exclude else every


def _either(tokens: Sequence[str]) -> str:
    return " OR ".join(f'"{token}"' for token in tokens)


def _newest_postgresql(tx: Connection, wanted: Wanted, limit: int) -> list[int]:
    holds = " AND ".join(["words @@ CAST(:match AS tsquery)"] * bool(_tsquery(wanted)) + _times(wanted, "") or ["true"])
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
    high, size = wanted.high, _NEAR
    while high > wanted.low and len(found) < limit:
        low, missing = max(wanted.low, high - size), limit - len(found)
        query = look if high == wanted.high or not wanted.require else ask
        match = _tsquery(wanted) + ("" if query is look else _in_stretches(low, high))
        bound = {**_bound(wanted), "low": low, "high": high, "match": match, "limit": missing}
        found += tx.execute(query, bound).scalars()
        high, size = low, _next_size(wanted.high - low, len(found), limit)
    return found


def _next_size(searched: int, found: int, limit: int) -> int:
    """Where twice as many as are missing may be expected, by what was found so far."""
    likely = 2 * searched * (limit - found) // found if found else searched * _GROWTH
    return max(_NEAR, min(searched * _GROWTH, likely))


def _in_stretches(low: int, high: int) -> str:
    numbers = range(low // _STRETCH, (high - 1) // _STRETCH + 1)
    if len(numbers) > _MOST_STRETCHES:
        return ""
    return " & (" + " | ".join(f"'#{number}'" for number in numbers) + ")"


def _tsquery(wanted: Wanted) -> str:
    groups = ["(" + " | ".join(f"'{token}'" for token in group) + ")" for group in wanted.require]
    return " & ".join([*groups, *(f"!'{token}'" for token in wanted.exclude)])


def _times(wanted: Wanted, of: str) -> list[str]:
    return [f"{of}at >= :after"] * (wanted.after is not None) + [f"{of}at < :before"] * (wanted.before is not None)


def _bound(wanted: Wanted) -> dict[str, Any]:
    bound: dict[str, Any] = {"low": wanted.low, "high": wanted.high, "after": wanted.after, "before": wanted.before}
    return bound | {f"x{i}": f" {token} " for i, token in enumerate(wanted.exclude)}
