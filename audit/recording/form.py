"""How a recording lies on disk. Pure.

One line of JSON (`Header`), then frames: four bytes of length, and AES-256-GCM of some JSON lines, one for each
`Record`. A frame's nonce is how often its writing had failed before (four bytes) and its number (eight); its associated
data are the header's hash, its number and whether it is the last (the STREAM construction,
https://eprint.iacr.org/2015/189): frames cannot be exchanged, left out or cut off unnoticed. The running hash starts as
SHA-256 of the header line, and each frame makes SHA-256(hash || frame) of it: it goes into
the audit log while the session runs, so that what has been written by then is bound to the log.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import product
from struct import Struct
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VERSION = 1
KEY = 32  # bytes
TRIES = 8  # at writing one frame, before no more is written
TAG = 16  # bytes that a frame is longer than its lines
LENGTH = Struct(">I")
LONGEST = 1 << 24  # bytes of a frame
_AAD = Struct(">Q?")
_line = msgspec.json.Encoder(order="deterministic")


class Broken(Exception):
    """The bytes are not a recording, or not the one that was written; the text says what and where."""


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """Whose session it is. `form`: how its records are to be read, `sql` or `terminal`.

    Not `raw`: secrets were taken out before it was written.
    """

    version: int = VERSION
    session: str
    ref: str
    form: str
    started_at: int  # microseconds since the epoch
    raw: bool = True

    def line(self) -> bytes:
        return _line.encode(self) + b"\n"


class Record(msgspec.Struct, frozen=True, array_like=True):
    """Something that happened `at` microseconds after the beginning."""

    at: int
    kind: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Sealer:
    """Makes frames out of records, and records out of frames."""

    key: AESGCM
    header_hash: bytes

    @classmethod
    def of(cls, key: bytes, header_line: bytes) -> Sealer:
        return cls(AESGCM(key), sha256(header_line).digest())

    def seal(self, number: int, plain: bytes, *, last: bool, failed: int = 0) -> bytes:
        """Of the lines of its records. `failed`: so many others with this number could not be written."""
        sealed = self.key.encrypt(_nonce(number, failed), plain, self.header_hash + _AAD.pack(number, last))
        return LENGTH.pack(len(sealed)) + sealed

    def open(self, number: int, sealed: bytes) -> tuple[list[Record], bool]:
        """The records, and whether this is the last frame. Raises Broken."""
        for failed, last in product(range(TRIES), (False, True)):
            try:
                plain = self.key.decrypt(_nonce(number, failed), sealed, self.header_hash + _AAD.pack(number, last))
            except InvalidTag:
                continue
            return [_record.decode(line) for line in plain.split(b"\n") if line], last
        raise Broken(f"frame {number} is not the one that was written, or the key is another one")


def lines_of(records: Sequence[Record]) -> bytes:
    return _line.encode_lines(records)


_record = msgspec.json.Decoder(Record)
_header = msgspec.json.Decoder(Header)


def header_of(line: bytes) -> Header:
    """Raises Broken."""
    try:
        header = _header.decode(line)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise Broken(f"this is no recording ({error})") from None
    if header.version != VERSION:
        raise Broken(f"this recording is of version {header.version}; {VERSION} is understood here")
    return header


def grown(running: bytes, frame: bytes) -> bytes:
    """The running hash after one more frame, its length included."""
    return sha256(running + frame).digest()


def _nonce(number: int, failed: int) -> bytes:
    """A piece of a frame may stand on a disk for ever: what is written in its place is sealed with another one."""
    return failed.to_bytes(4, "big") + number.to_bytes(8, "big")
