"""OpenSSH's key revocation list: bytes in, value out, and back. The format is PROTOCOL.krl of OpenSSH.

An entry stays until the certificates it names have ended by themselves. The format has no field for that, so the ends
stand in the list's own comment, as JSON. A list whose bytes are not exactly what its comment says is not ours.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

_MAGIC = b"SSHKRL\n\x00"
_FORMAT = 1
_HEADER = struct.Struct(">8sIQQQ")  # magic, format, version of the list, when it was made, flags
_CERTIFICATES, _BY_SERIAL, _BY_KEY_ID = 1, 0x20, 0x23
_ANY_CA = b""  # also certificates of a CA that has been replaced since


class KrlFault(ValueError):
    """These bytes are not a list of ours; the text says why."""


@dataclass(frozen=True)
class Krl:
    """What is revoked, each with the second since 1970 from which on it need not be any more."""

    version: int = 0
    made_at: int = 0  # seconds since 1970
    key_ids: Mapping[str, int] = field(default_factory=dict)
    serials: Mapping[int, int] = field(default_factory=dict)

    def joined(self, other: Krl) -> Krl:
        """Whatever one of the two revokes, for as long as one of them does."""
        key_ids, serials = dict(self.key_ids), dict(self.serials)
        for key_id, until in other.key_ids.items():
            key_ids[key_id] = max(until, key_ids.get(key_id, 0))
        for serial, until in other.serials.items():
            serials[serial] = max(until, serials.get(serial, 0))
        return replace(self, key_ids=key_ids, serials=serials)

    def needed(self, now: datetime) -> Krl:
        """Without what has ended by itself."""
        at = now.timestamp()
        return replace(
            self,
            key_ids={key_id: until for key_id, until in self.key_ids.items() if until > at},
            serials={serial: until for serial, until in self.serials.items() if until > at},
        )

    def covers(self, other: Krl) -> bool:
        """Whether all that the other revokes is revoked here, and for as long."""
        key_ids = all(self.key_ids.get(key_id, -1) >= until for key_id, until in other.key_ids.items())
        return key_ids and all(self.serials.get(serial, -1) >= until for serial, until in other.serials.items())

    def following(self, earlier: Krl, now: datetime) -> Krl:
        """The same as the next version after `earlier`."""
        return replace(self, version=earlier.version + 1, made_at=int(now.timestamp()))


def write_krl(krl: Krl) -> bytes:
    """The list as sshd reads it; the same value always gives the same bytes."""
    ends = {"ids": krl.key_ids, "serials": {str(serial): until for serial, until in krl.serials.items()}}
    comment = "prodaccess " + json.dumps(ends, sort_keys=True, separators=(",", ":"))
    header = _HEADER.pack(_MAGIC, _FORMAT, krl.version, krl.made_at, 0)
    return header + _string(b"") + _string(comment.encode()) + _section(krl)


def read_krl(data: bytes) -> Krl:
    """Raises KrlFault."""
    if data[: len(_MAGIC)] != _MAGIC:
        raise KrlFault("it is not a key revocation list")
    try:
        _, _, version, made_at, _ = _HEADER.unpack_from(data)
        _, rest = _take(data[_HEADER.size :])
        comment, _ = _take(rest)
        ends = json.loads(comment.decode().removeprefix("prodaccess "))
        krl = Krl(
            version, made_at, dict(ends["ids"]), {int(serial): until for serial, until in ends["serials"].items()}
        )
        same = write_krl(krl) == data
    except (struct.error, ValueError, KeyError, TypeError, AttributeError):
        same = False
    if not same:
        raise KrlFault("somebody else has written or changed it")
    return krl


def _section(krl: Krl) -> bytes:
    if not krl.key_ids and not krl.serials:
        return b""
    body = _string(_ANY_CA) + _string(b"")
    if krl.serials:
        body += _typed(_BY_SERIAL, (struct.pack(">Q", serial) for serial in sorted(krl.serials)))
    if krl.key_ids:
        body += _typed(_BY_KEY_ID, (_string(key_id.encode()) for key_id in sorted(krl.key_ids)))
    return _typed(_CERTIFICATES, (body,))


def _typed(kind: int, parts: Iterable[bytes]) -> bytes:
    return bytes([kind]) + _string(b"".join(parts))


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _take(data: bytes) -> tuple[bytes, bytes]:
    (length,) = struct.unpack_from(">I", data)
    end = 4 + length
    if end > len(data):
        raise KrlFault("it is cut short")
    return data[4:end], data[end:]
