"""Audit entries as canonical bytes, and back.

JCS (RFC 8785) restricted to ASCII keys and integers: times are microseconds since the epoch, durations whole
seconds, text is NFC, nothing is null. The same event gives the same bytes on every database and in every
version of Python, so the leaf hash can be recomputed by anybody.
"""

from __future__ import annotations

import dataclasses
import hashlib
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, get_type_hints

import msgspec

from access.events import CATALOGUE, Event
from access.model import Person

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ENVELOPE = ("at", "ref", "by")
_encoder = msgspec.json.Encoder(order="deterministic")


def micros(moment: datetime) -> int:
    """Microseconds since the epoch; exact, without floats."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(value: int) -> datetime:
    """The UTC datetime of `micros`."""
    return _EPOCH + timedelta(microseconds=value)


def leaf_hash(body: bytes) -> bytes:
    """RFC 6962 §2.1: SHA-256(0x00 || body)."""
    return hashlib.sha256(b"\x00" + body).digest()


def canonical(fields: Mapping[str, Any]) -> bytes:
    """The canonical bytes of plain data (str, int, bool, list, dict with ASCII keys)."""
    return _encoder.encode(fields)


def encode(event: Event, place: Mapping[str, Any]) -> bytes:
    """The body of one entry: `place` (v, log, seq, recorded_at, n, prev) and the event's own fields."""
    names = [f.name for f in dataclasses.fields(event) if f.name not in _ENVELOPE]
    data = {name: plain for name in names if (plain := _plain(getattr(event, name))) is not None}
    body = {**place, "type": event.TAG, "occurred_at": micros(event.at), "data": data}
    if event.ref:
        body["ref"] = event.ref
    if event.by is not None:
        body["by"] = _plain(event.by)
    return canonical(body)


def decode(body: bytes) -> tuple[dict[str, Any], Event]:
    """The plain fields and the event. Raises ValueError when the body is not one of ours."""
    fields = msgspec.json.decode(body)
    cls = CATALOGUE.get(fields.get("type"))
    if cls is None:
        raise ValueError(f"unknown kind of audit entry: {fields.get('type')!r}")
    hints = get_type_hints(cls)
    values = {name: _value(hints[name], plain) for name, plain in fields["data"].items() if name in hints}
    by = _value(Person, fields["by"]) if "by" in fields else None
    return fields, cls(at=moment(fields["occurred_at"]), ref=fields.get("ref", ""), by=by, **values)


def _plain(value: Any) -> Any:
    match value:
        case bool() | int() | None:
            return value
        case str():
            return unicodedata.normalize("NFC", value)
        case datetime():
            return micros(value)
        case timedelta():
            return round(value.total_seconds())
        case Person():
            return {"id": value.id, "name": _plain(value.name), "slack_id": value.slack_id}
        case tuple() | list():
            return [_plain(item) for item in value]
    raise TypeError(f"an audit entry cannot hold {type(value).__name__}")


_READERS: dict[Any, Callable[[Any], Any]] = {
    datetime: moment,
    timedelta: lambda seconds: timedelta(seconds=seconds),
    Person: lambda fields: Person(**fields),
    tuple[str, ...]: tuple,
}


def _value(hint: Any, plain: Any) -> Any:
    kinds = getattr(hint, "__args__", ()) if hint not in _READERS else ()
    kind = next((k for k in kinds if k in _READERS), hint)
    return _READERS.get(kind, lambda same: same)(plain)
