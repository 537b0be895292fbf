"""Writing the index over entries' tokens. Only here and in `newest`, which asks it, are SQLite and PostgreSQL two."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, text
from sqlmodel import SQLModel

from audit.search import common
from audit.search.rows import Row
from audit.search.tables import PARTITION, SearchEntry, SearchTouch
from audit.statement import inserting

#: the columns of search_entry, in the table's order
COLUMNS = (
    "seq", "at", "type", "ref", "actor_id", "actor", "target", "role", "ticket", "session", "host", "op", "coverage",
    "text",
)  # fmt: skip
STRETCH = 32_768  # entries that have one `#` token on PostgreSQL
_PAGES = 500  # of SQLite's index, merged in one step

_INSERT = {name: inserting(model) for name, model in (("search_entry", SearchEntry), ("search_touch", SearchTouch))}
_INDEX = "INSERT INTO search_words (rowid, words) VALUES (?, ?)"
_UNINDEX = text("INSERT INTO search_words (search_words, rowid, words) VALUES ('delete', :seq, :words)")


def add(tx: Connection, entries: Sequence[Row], touches: Sequence[dict[str, Any]]) -> None:
    """Insert entries, index them, and insert what they touched. PostgreSQL's partitions must be there."""
    dialect = tx.dialect.name
    rows = [
        {name: getattr(row, name) for name in COLUMNS} | {"words": stored(dialect, row.seq, row.words)}
        for row in entries
    ]
    _insert(tx, "search_entry", rows)
    if dialect == "sqlite":
        tx.exec_driver_sql(_INDEX, [(row["seq"], row["words"]) for row in rows])
    if touches:
        _insert(tx, "search_touch", touches)


def stored(dialect: str, seq: int, words: Iterable[str]) -> str:
    """An entry's words as the database takes them."""
    return packed(words) if dialect == "sqlite" else _as_tsvector((*words, _stretch(seq)))


def tokens(dialect: str, seq: int, words: frozenset[str]) -> frozenset[str]:
    """An entry's words as they come back."""
    return words if dialect == "sqlite" else words | {_stretch(seq)}


def _stretch(seq: int) -> str:
    return f"#{seq // STRETCH}"


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


def _as_tsvector(words: Iterable[str]) -> str:
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
    kept = {row.seq: terms_of(unpacked(tx, row.words)) for row in rows}
    if not rows:
        return
    for row in rows:
        common.forget(tx, row.seq, sorted(unpacked(tx, row.words) - kept[row.seq]))
    if tx.dialect.name != "sqlite":
        change = "UPDATE search_entry SET words = CAST(:words AS tsvector), text = :shown WHERE seq = :seq"
        tx.execute(text(change), [
            {"seq": seq, "words": stored(tx.dialect.name, seq, words), "shown": shown} for seq, words in kept.items()
        ])  # fmt: skip
        return
    tx.execute(_UNINDEX, [{"seq": row.seq, "words": row.words} for row in rows])
    change = "UPDATE search_entry SET words = :words, text = :shown WHERE seq = :seq"
    tx.execute(text(change), [{"seq": seq, "words": packed(words), "shown": shown} for seq, words in kept.items()])
    tx.exec_driver_sql(_INDEX, [(seq, packed(words)) for seq, words in kept.items()])


def terms_of(words: Iterable[str]) -> frozenset[str]:
    """Of an entry's words, what it is found by besides those that were written."""
    return frozenset(word for word in words if "=" in word)


def words_of(tx: Connection, first: int, count: int) -> Iterator[tuple[int, frozenset[str]]]:
    """Of neighbouring entries, each with its place."""
    query = text(f"SELECT seq, {words_column(tx)} AS words FROM search_entry WHERE seq >= :low AND seq < :high")  # noqa: S608
    for seq, words in tx.execute(query, {"low": first, "high": first + count}):
        yield seq, unpacked(tx, words) - {_stretch(seq)}


def among(tx: Connection, values: Sequence[int] | Sequence[str], kind: str = "bigint") -> tuple[str, object]:
    """What holds for these, and its parameter `values`: one, as a thousand take longer to read than to look up.

    `kind` is PostgreSQL's name for what they are; of none at all nothing else tells it.
    """
    if tx.dialect.name == "sqlite":
        return "IN (SELECT value FROM json_each(:values))", msgspec.json.encode(values).decode()
    return f"= ANY(CAST(:values AS {kind}[]))", f"{{{','.join(map(_element, values))}}}"


def _element(value: int | str) -> str:
    """As in PostgreSQL's own notation of an array, which its client takes long to write."""
    if isinstance(value, int):
        return str(value)
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


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


def packed(words: Iterable[str]) -> str:
    """Tokens as SQLite keeps them."""
    return f" {' '.join(sorted(words))} "


def unpacked(tx: Connection, words: str) -> frozenset[str]:
    """Tokens as they come out of `words_column`."""
    return frozenset(words.split(" ")) - {""} if tx.dialect.name == "sqlite" else frozenset(words)


def words_column(tx: Connection) -> str:
    """The expression to read `words` by."""
    return "words" if tx.dialect.name == "sqlite" else "tsvector_to_array(words)"
