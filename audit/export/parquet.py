"""Parquet for large ranges: one row per entry, in the log's order, zstd. Needs the extra `parquet` (pyarrow)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from itertools import islice
from typing import Any, BinaryIO

from audit.export.jsonl import line
from audit.export.rows import COLUMNS, Counted, ExportError, Piece, Row, Written, flat

ROWS_AT_ONCE = 65_536  # rows of one row group: what is held in memory
_WHOLE = frozenset({"seq", "n"})
_MOMENTS = frozenset({"recorded_at", "occurred_at"})


def write(rows: Iterable[Row], out: BinaryIO, start: int) -> Written:
    """The rows from entry `start` on. Raises ExportError, also when pyarrow is not installed."""
    pa, pq = _arrow()
    counted, piece = Counted(out), Piece(start)
    schema = _schema(pa)
    order = pq.SortingColumn.from_ordering(schema, [("seq", "ascending")])
    sink = pa.PythonFile(_Sink(counted), mode="w")
    with pq.ParquetWriter(sink, schema, compression="zstd", sorting_columns=order) as writer:
        for group in _groups(piece.of(rows)):
            writer.write_table(pa.Table.from_pylist([_cells(row) for row in group], schema=schema))
    return counted.written(piece)


def _arrow() -> tuple[Any, Any]:
    try:
        return import_module("pyarrow"), import_module("pyarrow.parquet")
    except ImportError as error:
        raise ExportError("Parquet needs pyarrow: install `prodaccess[parquet]`, or export jsonl or csv.") from error


def _schema(pa: Any) -> Any:
    moment = pa.timestamp("us", tz="UTC")
    kinds = {name: pa.int64() if name in _WHOLE else moment if name in _MOMENTS else pa.string() for name in COLUMNS}
    return pa.schema([pa.field(name, kind, nullable=False) for name, kind in kinds.items()])


def _cells(row: Row) -> dict[str, Any]:
    fields = flat(row)
    moments = {"recorded_at": row.entry.recorded_at, "occurred_at": row.entry.event.at}
    return fields | moments | {"data": line(fields["data"]).decode()}


def _groups(rows: Iterator[Row]) -> Iterator[list[Row]]:
    while group := list(islice(rows, ROWS_AT_ONCE)):
        yield group


class _Sink:
    """`Counted` as the file object that pyarrow writes to; closing it leaves the file to its owner."""

    closed = False

    def __init__(self, counted: Counted) -> None:
        self._counted = counted

    def write(self, data: Any) -> int:
        return self._counted.write(bytes(data))

    def flush(self) -> None: ...

    def close(self) -> None:
        self.closed = True

    def tell(self) -> int:
        return self._counted.size

    def readable(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False
