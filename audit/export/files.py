"""An export as a file: written under another name, handed over whole, with its proof beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from audit.export import csv, jsonl, ocsf, parquet
from audit.export.proof import proof_file, proof_of_range
from audit.export.rows import ExportError, Row, Written
from audit.note import parse_note
from audit.tree import Tree

FORMS = ("jsonl", "csv", "ocsf", "parquet")


@dataclass(frozen=True, slots=True)
class Export:
    """What is wanted: the log's entries from `start` on, in one form. `origin` is the log's name."""

    form: str
    start: int
    origin: str


def write(export: Export, rows: Iterable[Row], out: BinaryIO) -> Written:
    """The rows as bytes of that form. Raises ExportError."""
    writers: dict[str, Callable[[Iterable[Row], BinaryIO, int], Written]] = {
        "jsonl": jsonl.write,
        "csv": csv.write,
        "ocsf": partial(ocsf.write, origin=export.origin),
        "parquet": parquet.write,
    }
    if export.form not in writers:
        raise ExportError(f"“{export.form}” is not a form of export. There are: {', '.join(FORMS)}.")
    return writers[export.form](rows, out, export.start)


@contextmanager
def draft(path: Path) -> Iterator[BinaryIO]:
    """A new file that takes its name only when the body ends well; otherwise nothing is left of it.

    Only its owner can read it. Raises ExportError where a file of that name stands.
    """
    part = path.with_name(f"{path.name}.part")
    if path.exists():
        raise ExportError(f"{path} exists. Choose another name, or remove it first.")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:  # noqa: PTH123 (a mode)
            yield out
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


def prove(path: Path, export: Export, written: Written, tree: Tree, note: str) -> Path:
    """Put `FILE.proof.json` beside the file; `note` is a signed checkpoint that covers it. Raises ExportError."""
    signed = parse_note(note)
    proof = proof_of_range(written.start, written.end, signed.size, tree)
    if tree.root(signed.size) != signed.root:
        raise ExportError("The stored tree is not the one that was signed. Run `prodaccess audit verify`.")
    beside = path.with_name(f"{path.name}.proof.json")
    with draft(beside) as out:
        out.write(proof_file(path.name, export.form, written, proof, note))
    return beside
