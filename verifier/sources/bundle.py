"""An evidence bundle: one zip with a contiguous range of entries and all that is needed to check it offline."""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
import zlib
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, TypeVar

from ..report import Tampered, Unreadable
from ..tree import WIDTH, levels_between
from . import Anchor, Block, Payload, Signed, Source

SEPARATOR = "----\n"  # on a line of its own between two notes
_LONGEST = 1 << 16  # bytes of one line: entries are shorter than 64 KiB
_LONGEST_TEXT = 1 << 24
_Row = TypeVar("_Row")
_BROKEN = (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError)


class Bundle(Source):
    """The manifest says which range it is and names the files; whether that is true, the signed root says."""

    has_payloads = has_policies = True

    def __init__(self, path: str) -> None:
        self.name = path
        try:
            self._zip = zipfile.ZipFile(path)
            manifest, span = self._json("manifest.json"), self._json("range.json")
            self.start, self.end, self.size = manifest["from"], manifest["to"], manifest["size"]
            self.root = bytes.fromhex(manifest["root"])
            self.keys, self._files = [str(key) for key in manifest["keys"]], manifest["files"]
            self.left = [bytes.fromhex(each) for each in span["left"]]
            self.right = [bytes.fromhex(each) for each in span["right"]]
            self.proofs = {int(old): [bytes.fromhex(h) for h in proof] for old, proof in span["consistency"].items()}
            self._check_span()
        except (*_BROKEN, TypeError, AttributeError) as error:
            raise Unreadable(f"{path} is no bundle that can be read: {error}.") from error

    def _check_span(self) -> None:
        if not 0 <= self.start <= self.end <= self.size:
            raise ValueError("its range is not one")
        if len(self.right) != len(levels_between(self.end, self.size)) or len(self.left) != self.start.bit_count():
            raise ValueError("range.json has too few or too many hashes")
        if any(len(each) != 32 for each in (*self.left, *self.right)):
            raise ValueError("range.json holds something that is no hash")

    def check_files(self) -> int:
        there = set(self._zip.namelist()) - {"manifest.json"}
        if len(self._zip.namelist()) != len(there) + 1:
            raise Tampered("files", "a name stands twice in the zip")
        for name in sorted(there ^ set(self._files)):
            raise Tampered("files", f"{name} is {'not in the manifest' if name in there else 'missing'}")
        for name, said in self._files.items():
            found = hashlib.sha256()
            for chunk in self._chunks(name):
                found.update(chunk)
            if found.hexdigest() != said["sha256"]:
                raise Tampered("files", f"{name} is not what the manifest says")
        return len(there)

    def blocks(self) -> Iterator[Block]:
        lines = self._lines("entries.jsonl", _LONGEST)
        first = WIDTH - self.start % WIDTH
        while bodies := list(islice(lines, first)):
            yield Block(bodies)
            first = WIDTH

    def checkpoints(self) -> Iterator[Signed]:
        text = ""
        for line in self._lines("checkpoints.txt", _LONGEST, end=b"\n"):
            if line.decode() != SEPARATOR:
                text += line.decode()
                continue
            yield _signed(text)
            text = ""
        if text:
            yield _signed(text)

    def anchors(self) -> Iterator[Anchor]:
        return self._rows("anchors.jsonl", _anchor)

    def payloads(self) -> Iterator[Payload]:
        return self._rows("payloads.jsonl", _payload)

    def policies(self) -> Iterator[tuple[str, bytes]]:
        for name in self._files:
            if name.startswith("policies/"):
                yield name.removeprefix("policies/").removesuffix(".yml"), b"".join(self._chunks(name))

    def close(self) -> None:
        self._zip.close()

    def _json(self, name: str) -> Any:
        with self._zip.open(name) as file:
            return json.loads(file.read(_LONGEST_TEXT))

    def _rows(self, name: str, made: Callable[[Any], _Row]) -> Iterator[_Row]:
        try:
            for line in self._lines(name, _LONGEST_TEXT):
                yield made(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise Unreadable(f"{name} cannot be read: {error}.") from error

    def _lines(self, name: str, longest: int, end: bytes = b"") -> Iterator[bytes]:
        try:
            with self._zip.open(name) as file:
                while line := file.readline(longest + 1):
                    if not line.endswith(b"\n"):
                        raise ValueError("a line is cut short or too long")
                    yield line[:-1] + end
        except _BROKEN as error:
            raise Unreadable(f"{name} cannot be read: {error}.") from error

    def _chunks(self, name: str) -> Iterator[bytes]:
        try:
            with self._zip.open(name) as file:
                while chunk := file.read(1 << 20):
                    yield chunk
        except _BROKEN as error:
            raise Unreadable(f"{name} cannot be read: {error}.") from error


def _anchor(row: Any) -> Anchor:
    return Anchor(int(row["size"]), str(row["sink"]), str(row["ref"]), base64.b64decode(row["proof"]))


def _payload(row: Any) -> Payload:
    if "text" not in row:
        return Payload(int(row["seq"]), str(row["field"]), str(row["state"]))
    return Payload(int(row["seq"]), str(row["field"]), "shown", None, bytes.fromhex(row["salt"]) + row["text"].encode())


def _signed(note: str) -> Signed:
    lines = note.split("\n", 2)
    if len(lines) < 3 or not lines[1].isdecimal():
        raise Tampered("signature", "checkpoints.txt holds something that is no checkpoint")
    return Signed(int(lines[1]), note)
