"""An evidence bundle: one zip that an outsider can check alone, with the verifier that is in it or with their own.

    manifest.json     what this is: log, range [from, to), tree size and root, and SHA-256, bytes and lines of each file
    entries.jsonl     the entries' bodies, their exact bytes, one a line
    checkpoints.txt   signed notes, each but the last followed by a line `----`
    range.json        hashes that lead from the range to the root (`left`, `right`), and consistency proofs by old size
    payloads.jsonl    private texts: {seq, field, salt, text}, or {seq, field, state: "erased" | "withheld"}
    anchors.jsonl     where those checkpoints stand elsewhere: {size, sink, ref, proof (base64), at}
    policies/         the text of each policy that decided, named by its SHA-256
    verify/           the verifier's source; README.txt says how to run it

Entries and checkpoints stream through; nothing of them is held in memory.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO, Any, BinaryIO

from audit.canonical import fields_of
from audit.checkpoint import Anchored
from audit.export.proof import RangeProof
from audit.export.rows import ExportError, Written, iso
from audit.merkle import Range, leaf_hash
from audit.note import parse_note
from audit.payloads import OpenedText
from audit.tree import TILE_WIDTH

VERSION = 1
SEPARATOR = "----\n"
_VERIFIER = Path(__file__).parents[2] / "verifier"
_RUN = "import sys\n\nfrom prodaccess_verify.main import main\n\nsys.exit(main(sys.argv[1:]))\n"
_README = """\
Entries {first} to {last} of the audit log {origin}, with what it takes to check them.

With Python 3.11 or newer and its package `cryptography`, offline:

    python3 -m zipfile -e THIS.zip check
    python3 check/verify bundle THIS.zip --key-file KEY

KEY is a file with the log's verifier key. Take it from somebody you trust, not out of this zip. The verifier in here
is a convenience: whoever altered the entries could have altered it too. `pip install prodaccess-verify` gives yours.
"""

Texts = Callable[[Sequence[int]], Mapping[str, OpenedText]]
"""Gives the private texts of the entries with these `seq` that can be opened, by their commitment in hex."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What goes in. All of it should come from one snapshot of the log."""

    bodies: Iterable[bytes]  # of the entries [proof.start, proof.end)
    proof: RangeProof
    checkpoint: str  # the signed note of `proof.size`
    made_at: datetime
    made_by: str  # program and version
    checkpoints: Iterable[str] = ()  # more of them, in order of size; those of sizes within the range are taken
    texts: Texts | None = None  # None withholds every private text
    anchors: Iterable[Anchored] = ()  # in order of size; those of the checkpoints that are taken
    policies: Mapping[str, str] = field(default_factory=dict)  # text by hash
    keys: Sequence[str] = ()  # verifier keys: what the log says of itself, for those who have nothing better
    consistency: Mapping[int, Sequence[bytes]] = field(default_factory=dict)  # old size → proof to `proof.size`


def write_bundle(path: Path, contents: Contents) -> Written:
    """Write the zip, which must not exist. Raises ExportError, and then leaves nothing."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:  # people's words
            _Bundle(out, contents).write()
        return _written(path, contents.proof)
    except FileExistsError:
        raise ExportError(f"{path} exists already. Name another file.") from None
    except BaseException:
        path.unlink(missing_ok=True)
        raise


class _Bundle:
    def __init__(self, out: BinaryIO, contents: Contents) -> None:
        self._contents = contents
        self._note = parse_note(contents.checkpoint)
        self._zip = zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED)
        self._files: dict[str, dict[str, int | str]] = {}
        self._tree = Range(contents.proof.start, contents.proof.left)
        self._sizes = {contents.proof.size}  # of the checkpoints that are in it

    def write(self) -> None:
        contents, proof = self._contents, self._contents.proof
        with self._zip, tempfile.TemporaryFile() as payloads:
            self._add("entries.jsonl", self._entries(payloads))
            if self._tree.size != proof.end or self._note.size != proof.size:
                raise ExportError("The log gave fewer or more entries than the bundle is to hold. Nothing is exported.")
            payloads.seek(0)
            self._add("payloads.jsonl", payloads)
            self._add("checkpoints.txt", self._checkpoints())
            self._add("range.json", [_json(self._range())])
            self._add("anchors.jsonl", self._anchors())
            for hash_, text in contents.policies.items():
                self._add(f"policies/{hash_}.yml", [text.encode()])
            self._add_verifier()
            self._add("manifest.json", [json.dumps(self._manifest(), indent=1, ensure_ascii=False).encode()])

    def _entries(self, payloads: IO[bytes]) -> Iterator[bytes]:
        bodies, seq = iter(self._contents.bodies), self._contents.proof.start
        while batch := list(islice(bodies, TILE_WIDTH)):
            self._tree = self._tree.plus([leaf_hash(body) for body in batch])
            for line in self._payloads(seq, batch):
                payloads.write(line)
            yield from (body + b"\n" for body in batch)
            seq += len(batch)

    def _payloads(self, first: int, bodies: Sequence[bytes]) -> Iterator[bytes]:
        private = {
            seq: held for seq, body in enumerate(bodies, first) if b'":{"commit":"' in body and (held := _private(body))
        }
        texts = {} if self._contents.texts is None else self._contents.texts(tuple(private))
        gone = "withheld" if self._contents.texts is None else "erased"
        for seq, held in private.items():
            for name, commitment in held:
                opened = texts.get(commitment)
                shown = {"state": gone} if opened is None else {"salt": opened.salt.hex(), "text": opened.text}
                yield _json({"seq": seq, "field": name, **shown})

    def _checkpoints(self) -> Iterator[bytes]:
        proof = self._contents.proof
        for note in self._contents.checkpoints:
            size = parse_note(note).size
            if proof.start <= size <= proof.end and size != proof.size:  # of another size, nobody could check it
                self._sizes.add(size)
                yield note.encode() + SEPARATOR.encode()
        yield self._contents.checkpoint.encode()

    def _anchors(self) -> Iterator[bytes]:
        return (_json(_anchor(each)) for each in self._contents.anchors if each.size in self._sizes)

    def _range(self) -> dict[str, Any]:
        proof = self._contents.proof
        return {
            "left": [each.hex() for each in proof.left],
            "right": [each.hex() for each in proof.right],
            "consistency": {
                str(old): [each.hex() for each in hashes] for old, hashes in self._contents.consistency.items()
            },
        }

    def _add_verifier(self) -> None:
        proof = self._contents.proof
        about = {"first": proof.start, "last": proof.end - 1, "origin": self._note.origin}
        self._add("verify/README.txt", [_README.format(**about).encode()])
        self._add("verify/__main__.py", [_RUN.encode()])
        sources = sorted(_VERIFIER.rglob("*.py"))
        if not sources:
            raise ExportError(f"The verifier's source is not at {_VERIFIER}, so the bundle cannot bring it.")
        for source in sources:
            self._add(f"verify/prodaccess_verify/{source.relative_to(_VERIFIER).as_posix()}", [source.read_bytes()])

    def _manifest(self) -> dict[str, Any]:
        proof, contents = self._contents.proof, self._contents
        return {
            "v": VERSION, "origin": self._note.origin, "from": proof.start, "to": proof.end, "size": proof.size,
            "root": self._note.root.hex(), "made_by": contents.made_by, "made_at": iso(contents.made_at),
            "keys": list(contents.keys), "files": self._files,
        }  # fmt: skip

    def _add(self, name: str, chunks: Iterable[bytes]) -> None:
        info = zipfile.ZipInfo(name, self._contents.made_at.timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED
        hashed, size, lines = hashlib.sha256(), 0, 0
        with self._zip.open(info, "w", force_zip64=True) as file:
            for chunk in chunks:
                file.write(chunk)
                hashed.update(chunk)
                size += len(chunk)
                lines += chunk.count(b"\n")
        self._files[name] = {"sha256": hashed.hexdigest(), "bytes": size, "rows": lines}


def _private(body: bytes) -> list[tuple[str, str]]:
    """Field and commitment of each private text, in the body's order."""
    data: dict[str, Any] = fields_of(body)["data"]
    return [(name, value["commit"]) for name, value in data.items() if isinstance(value, dict)]


def _anchor(each: Anchored) -> dict[str, Any]:
    proof = base64.b64encode(each.proof).decode()
    return {"size": each.size, "sink": each.sink, "ref": each.ref, "proof": proof, "at": iso(each.at)}


def _json(row: Mapping[str, Any]) -> bytes:
    return json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _written(path: Path, proof: RangeProof) -> Written:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Written(proof.start, proof.end, path.stat().st_size, digest)
