"""JSON Lines: one object per entry, with its exact bytes (`body`), so that the file can be checked without us."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, BinaryIO

import msgspec

from audit.export.rows import Counted, Piece, Row, Written, flat

_encoder = msgspec.json.Encoder()


def write(rows: Iterable[Row], out: BinaryIO, start: int) -> Written:
    """The rows from entry `start` on. Raises ExportError."""
    counted, piece = Counted(out), Piece(start)
    for row in piece.of(rows):
        counted.write(line(flat(row)) + b"\n")
    return counted.written(piece)


def line(fields: dict[str, Any]) -> bytes:
    """One line, without its end."""
    return _encoder.encode(fields)
