"""CSV (RFC 4180) that a spreadsheet cannot run: a cell that begins like a formula begins with an apostrophe instead.

`body` and `data` begin with a brace and are never changed, so the exact bytes of an entry survive.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import Any, BinaryIO

from audit.export.jsonl import line
from audit.export.rows import COLUMNS, Counted, Piece, Row, Written, flat

# OWASP, CSV injection: the ASCII ones, and the full-width forms that some spreadsheets take for them
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write(rows: Iterable[Row], out: BinaryIO, start: int) -> Written:
    """The rows from entry `start` on, after a line of column names. Raises ExportError."""
    counted, piece = Counted(out), Piece(start)
    table = csv.writer(_Text(counted), lineterminator="\r\n")
    table.writerow(COLUMNS)
    for row in piece.of(rows):
        fields = flat(row)
        fields["data"] = line(fields["data"]).decode()
        table.writerow([safe(fields[name]) for name in COLUMNS])
    return counted.written(piece)


def safe(cell: Any) -> Any:
    """The cell as a spreadsheet shows it, never as it would calculate it."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


class _Text:
    """Bytes as the text that `csv` writes."""

    def __init__(self, counted: Counted) -> None:
        self._counted = counted

    def write(self, text: str) -> int:
        return self._counted.write(text.encode())
