"""The SQL that reads the stored tree: leaf hashes, tiles, and roots of tiles, each alone or many in one answer."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import bindparam, literal_column, select, union_all
from sqlmodel import col

from audit.statement import Statement
from audit.tables import LedgerEntry, LedgerTile

LEAVES = Statement(
    lambda _: (
        select(col(LedgerEntry.leaf))
        .where(
            col(LedgerEntry.log_id) == bindparam("log_id"),
            col(LedgerEntry.seq) >= bindparam("start"),
            col(LedgerEntry.seq) < bindparam("end"),
        )
        .order_by(col(LedgerEntry.seq))
    )
)
TILE = Statement(
    lambda _: select(col(LedgerTile.hashes)).where(
        col(LedgerTile.log_id) == bindparam("log_id"),
        col(LedgerTile.level) == bindparam("level"),
        col(LedgerTile.idx) == bindparam("idx"),
    )
)
ROOTS = Statement(
    lambda _: (
        select(col(LedgerTile.root))
        .where(
            col(LedgerTile.log_id) == bindparam("log_id"),
            col(LedgerTile.level) == bindparam("level"),
            col(LedgerTile.idx) >= bindparam("start"),
            col(LedgerTile.idx) < bindparam("end"),
        )
        .order_by(col(LedgerTile.idx))
    )
)


@cache
def pieces(tables: tuple[str, ...]) -> Statement:
    """Rows of piece, place and hash, in no order; `tables` says of each piece what it consists of.

    Its rows are of `level0` and from `start0` to before `end0`, the next one's of `level1`, and so on.
    """
    return Statement(lambda _: union_all(*(_select(table, n) for n, table in enumerate(tables))))


def _select(table: str, n: int) -> Any:
    entry, tile = (col(LedgerEntry.log_id), col(LedgerEntry.seq)), (col(LedgerTile.log_id), col(LedgerTile.idx))
    (log, place), hashed = {
        "leaf": (entry, col(LedgerEntry.leaf)),
        "root": (tile, col(LedgerTile.root)),
        "tile": (tile, col(LedgerTile.hashes)),
    }[table]
    among = (log == bindparam("log_id"), place >= bindparam(f"start{n}"), place < bindparam(f"end{n}"))
    query: Any = select(literal_column(str(n)), place, hashed).where(*among)
    return query if table == "leaf" else query.where(col(LedgerTile.level) == bindparam(f"level{n}"))
