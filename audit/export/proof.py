"""What lies beside an export: the proof that its rows are exactly the entries [a, b) of the signed log.

The hashes left of the range, the rows' own leaf hashes and the hashes right of it give the root of the checkpoint
(RFC 6962). A row that is missing, added, changed or moved gives another root.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from audit.export.rows import ExportError, Written
from audit.note import parse_note
from audit.tree import Tree

VERSION = 1


@dataclass(frozen=True, slots=True)
class RangeProof:
    """`left`: the perfect subtrees of [0, start), largest first. `right`: those that complete [end, size), in order."""

    start: int
    end: int
    size: int
    left: tuple[bytes, ...]
    right: tuple[bytes, ...]


def proof_of_range(start: int, end: int, size: int, tree: Tree) -> RangeProof:
    """The proof of [start, end) in the tree of `size` entries. Raises ExportError when the tree does not reach it."""
    if not 0 <= start <= end <= size:
        raise ExportError(f"The checkpoint covers {size} entries, the export ends before entry {end}. Sign first.")
    return RangeProof(start, end, size, tree.hashes(0, start, size), tree.hashes(end, size, size))


def proof_file(name: str, form: str, written: Written, proof: RangeProof, note: str) -> bytes:
    """The text of `FILE.proof.json`; `note` is the signed checkpoint of the tree that the proof leads to."""
    signed = parse_note(note)
    if (signed.size, written.start, written.end) != (proof.size, proof.start, proof.end):
        raise ExportError("The file, its proof and the checkpoint do not speak of the same entries.")
    fields = {
        "v": VERSION, "file": name, "form": form, "sha256": written.sha256, "bytes": written.size,
        "rows": written.rows, "origin": signed.origin, "from": proof.start, "to": proof.end, "size": proof.size,
        "root": signed.root.hex(),
        "left": [h.hex() for h in proof.left], "right": [h.hex() for h in proof.right], "checkpoint": note,
    }  # fmt: skip
    return (json.dumps(fields, indent=1, ensure_ascii=False) + "\n").encode()
