"""Audit entries as canonical bytes, and back.

JCS (RFC 8785) restricted to ASCII keys and integers: times are microseconds since the epoch, durations whole
seconds, text is NFC, nothing is null. The same event gives the same bytes on every database and in every
version of Python, so the leaf hash can be recomputed by anybody. A private text is not in the bytes: they hold
its salted commitment and its length, so that it can be erased and the hash still stands.
"""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from operator import attrgetter
from types import NoneType
from typing import Any, NamedTuple, get_args, get_type_hints

import msgspec

from access.events import CATALOGUE, Erased, Event, Private
from access.model import Person

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ENVELOPE = ("at", "ref", "by")
_encoder = msgspec.json.Encoder(order="deterministic")

Seal = Callable[[str, str], str]  # field's name and text -> commitment, in hex
Texts = Mapping[str, str]  # commitment in hex -> text


def micros(moment: datetime) -> int:
    """Microseconds since the epoch; exact, without floats."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(value: int) -> datetime:
    """The UTC datetime of `micros`."""
    return _EPOCH + timedelta(microseconds=value)


def canonical(fields: Mapping[str, Any]) -> bytes:
    """The canonical bytes of plain data (str, int, bool, list, dict with ASCII keys)."""
    return _encoder.encode(fields)


def encode(event: Event, place: Mapping[str, Any], seal: Seal) -> bytes:
    """The body of one entry: `place` (v, log, seq, recorded_at, n, prev) and the event's own fields."""
    form = _form(type(event))
    values = form.values(event)
    data: dict[str, Any] = dict(zip(form.names, values, strict=True))
    if None in values:
        data = {name: value for name, value in data.items() if value is not None}
    for name, write in form.writers:
        if name in data:
            data[name] = write(data[name])
    for name in form.private:
        data[name] = _committed(name, _text(getattr(event, name)), seal)
    body = {**place, "type": event.TAG, "occurred_at": micros(event.at), "data": data}
    if event.ref:
        body["ref"] = event.ref
    if event.by is not None:
        body["by"] = _person(event.by)
    written = _encoder.encode(body)
    return written if written.isascii() else _encoder.encode(_normal(body))


def fields_of(body: bytes) -> dict[str, Any]:
    """The plain fields of a body. Raises ValueError when it is not one of ours."""
    fields = msgspec.json.decode(body)
    if not isinstance(fields, dict) or fields.get("type") not in CATALOGUE:
        raise ValueError(f"unknown kind of audit entry: {fields.get('type') if isinstance(fields, dict) else fields!r}")
    return fields


def commitments(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """Those of the private texts that these fields hold."""
    held = (fields["data"].get(name) for name in _form(CATALOGUE[fields["type"]]).private)
    return tuple(value["commit"] for value in held if isinstance(value, dict))


def event_of(fields: Mapping[str, Any], texts: Texts) -> Event:
    """The event that these fields describe; a text that is not among `texts` is `Erased`."""
    cls = CATALOGUE[fields["type"]]
    form = _form(cls)
    values = {name: form.readers[name](plain) for name, plain in fields["data"].items() if name in form.readers}
    for name in form.private:
        values[name] = _uncommitted(fields["data"].get(name, ""), texts)
    by = Person(**fields["by"]) if "by" in fields else None
    return cls(at=moment(fields["occurred_at"]), ref=fields.get("ref", ""), by=by, **values)


def _committed(name: str, text: str, seal: Seal) -> str | dict[str, Any]:
    return {"commit": seal(name, text), "size": len(text)} if text else ""


def _uncommitted(plain: Any, texts: Texts) -> str:
    if isinstance(plain, str):
        return plain
    found = texts.get(plain["commit"])
    return Erased(plain["size"]) if found is None else found


# How each kind of event is written and read, worked out once


class _Form(NamedTuple):
    names: tuple[str, ...]
    values: Callable[[Event], tuple[Any, ...]]
    writers: tuple[tuple[str, Callable[[Any], Any]], ...]  # of what JSON does not have
    private: tuple[str, ...]
    readers: Mapping[str, Callable[[Any], Any]]


def _form(cls: type[Event]) -> _Form:
    return _form_of(cls.TAG)


@cache
def _form_of(tag: str) -> _Form:
    cls = CATALOGUE[tag]
    hints = get_type_hints(cls, include_extras=True)
    names = [f.name for f in dataclasses.fields(cls) if f.name not in _ENVELOPE]
    private = tuple(name for name in names if hints[name] == Private)
    kinds = {name: _KINDS[_bare(hints[name])] for name in names if name not in private}
    writers = tuple((name, kind[0]) for name, kind in kinds.items() if kind[0] is not _same)
    readers = {name: kind[1] for name, kind in kinds.items()}
    return _Form(tuple(kinds), _getter(tuple(kinds)), writers, private, readers)


def _getter(names: tuple[str, ...]) -> Callable[[Event], tuple[Any, ...]]:
    match names:
        case ():
            return lambda _: ()
        case (name,):
            return lambda event: (getattr(event, name),)
    return attrgetter(*names)


def _bare(hint: Any) -> Any:
    """The type of which a field may also be None."""
    kinds = [kind for kind in get_args(hint) if kind is not NoneType]
    return kinds[0] if NoneType in get_args(hint) else hint


def _same(value: Any) -> Any:
    return value


def _text(value: str) -> str:
    return value if value.isascii() else unicodedata.normalize("NFC", value)


def _normal(plain: Any) -> Any:
    """All text in NFC. Most bodies are ASCII throughout, and need no such look."""
    match plain:
        case str():
            return unicodedata.normalize("NFC", plain)
        case dict():
            return {name: _normal(value) for name, value in plain.items()}
        case list() | tuple():
            return [_normal(value) for value in plain]
    return plain


def _person(value: Person) -> dict[str, str]:
    return {"id": value.id, "name": value.name, "slack_id": value.slack_id}


_KINDS: dict[Any, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    str: (_same, _same),
    int: (_same, _same),
    bool: (_same, _same),
    datetime: (micros, moment),
    timedelta: (lambda value: round(value.total_seconds()), lambda seconds: timedelta(seconds=seconds)),
    Person: (_person, lambda fields: Person(**fields)),
    tuple[str, ...]: (_same, tuple),
}
