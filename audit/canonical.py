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

from access.events import CATALOGUE, SCHEMA_VERSION, Erased, Event, Private
from access.model import Person

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ENVELOPE = ("at", "ref", "by")
_encode = msgspec.json.Encoder(order="deterministic").encode

Seal = Callable[[int, str, str], str]  # entry's seq, field's name and text -> commitment, in hex
Texts = Mapping[str, str]  # commitment in hex -> text


def micros(moment: datetime) -> int:
    """Microseconds since the epoch; exact, without floats."""
    return (moment - _EPOCH) // _MICROSECOND


def moment(value: int) -> datetime:
    """The UTC datetime of `micros`."""
    return _EPOCH + timedelta(microseconds=value)


class Writer:
    """Writes the bodies of one append: they have the log, the time (µs) and whoever seals private texts in common."""

    def __init__(self, log: str, recorded_at: int, seal: Seal) -> None:
        self.recorded_at = recorded_at
        self._body = _Body(log=log, recorded_at=recorded_at, v=SCHEMA_VERSION)  # filled anew for each
        self._seal = seal
        self._by: Person | None = None

    def body(self, event: Event, seq: int, n: int | None = None, prev: int | None = None) -> bytes:
        """`n` and `prev`, where it belongs to a request: how many of it come before, and the last of those."""
        form, body = _form_of(event.TAG), self._body
        values = list(form.values(event))
        for i, write in form.writers:
            if values[i] is not None:
                values[i] = write(values[i])
        for i, name in form.private:
            if values[i]:
                values[i] = self._committed(seq, name, values[i])
        if event.by is not self._by:
            self._by = event.by
            body.by = event.by and _person(event.by)
        body.data, body.type = form.data(*values), event.TAG
        body.seq, body.n, body.prev, body.ref = seq, n, prev, event.ref or None
        body.occurred_at = micros(event.at)
        written = _encode(body)
        return written if written.isascii() else _encode(_all_normal(msgspec.json.decode(written)))

    def _committed(self, seq: int, name: str, text: str) -> _Commitment:
        text = normal(text)
        return _Commitment(self._seal(seq, name, text), len(text))


def private_fields(tag: str) -> tuple[str, ...]:
    """Names of an event's private texts, in the order in which `Writer` has them sealed."""
    return _form_of(tag).private_names


def normal(text: str) -> str:
    """The text in NFC, as it is committed to."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def fields_of(body: bytes) -> dict[str, Any]:
    """The plain fields of a body. Raises ValueError when it is not one of ours."""
    fields = msgspec.json.decode(body)
    if not isinstance(fields, dict) or fields.get("type") not in CATALOGUE:
        raise ValueError(f"unknown kind of audit entry: {fields.get('type') if isinstance(fields, dict) else fields!r}")
    return fields


def commitments(fields: Mapping[str, Any]) -> tuple[str, ...]:
    """Those of the private texts that these fields hold."""
    form = _form_of(fields["type"])
    held = (fields["data"].get(name) for _, name in form.private)
    return tuple(value["commit"] for value in held if isinstance(value, dict))


def event_of(fields: Mapping[str, Any], texts: Texts) -> Event:
    """The event that these fields describe; a text that is not among `texts` is `Erased`."""
    cls, form = CATALOGUE[fields["type"]], _form_of(fields["type"])
    values = {name: form.readers[name](plain) for name, plain in fields["data"].items() if name in form.readers}
    for _, name in form.private:
        values[name] = _uncommitted(fields["data"].get(name, ""), texts)
    by = Person(**fields["by"]) if "by" in fields else None
    return cls(at=moment(fields["occurred_at"]), ref=fields.get("ref", ""), by=by, **values)


def _uncommitted(plain: Any, texts: Texts) -> str:
    if isinstance(plain, str):
        return plain
    found = texts.get(plain["commit"])
    return Erased(plain["size"]) if found is None else found


# What is encoded in one go. Fields stand in the order of their names, and what is None is left out


class _Person(msgspec.Struct, gc=False):
    id: str
    name: str
    slack_id: str


class _Commitment(msgspec.Struct, gc=False):
    commit: str
    size: int


class _Body(msgspec.Struct, omit_defaults=True, gc=False):
    by: Any = None
    data: Any = None
    log: Any = None
    n: Any = None
    occurred_at: Any = None
    prev: Any = None
    recorded_at: Any = None
    ref: Any = None
    seq: Any = None
    type: Any = None
    v: Any = None


# How each kind of event is written and read, worked out once


class _Form(NamedTuple):
    values: Callable[[Event], tuple[Any, ...]]
    data: Callable[..., msgspec.Struct]
    writers: tuple[tuple[int, Callable[[Any], Any]], ...]  # place among the values, and how: what JSON does not have
    private: tuple[tuple[int, str], ...]  # place, and name
    private_names: tuple[str, ...]
    readers: Mapping[str, Callable[[Any], Any]]


@cache
def _form_of(tag: str) -> _Form:
    cls = CATALOGUE[tag]
    hints = get_type_hints(cls, include_extras=True)
    names = tuple(sorted(f.name for f in dataclasses.fields(cls) if f.name not in _ENVELOPE))
    kinds = {name: _KINDS[_bare(hints[name])] for name in names if hints[name] != Private}
    return _Form(
        _getter(names),
        msgspec.defstruct(cls.__name__, [(name, Any, None) for name in names], omit_defaults=True, gc=False),
        tuple((at, kinds[name][0]) for at, name in enumerate(names) if name in kinds and kinds[name][0] is not _same),
        tuple((at, name) for at, name in enumerate(names) if name not in kinds),
        tuple(name for name in names if name not in kinds),
        {name: kind[1] for name, kind in kinds.items()},
    )


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


def _all_normal(plain: Any) -> Any:
    """All text in NFC. Most bodies are ASCII throughout, and need no such look."""
    match plain:
        case str():
            return normal(plain)
        case dict():
            return {name: _all_normal(value) for name, value in plain.items()}
        case list() | tuple():
            return [_all_normal(value) for value in plain]
    return plain


def _person(value: Person) -> _Person:
    return _Person(value.id, value.name, value.slack_id)


_KINDS: dict[Any, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = {
    str: (_same, _same),
    int: (_same, _same),
    bool: (_same, _same),
    datetime: (micros, moment),
    timedelta: (lambda value: round(value.total_seconds()), lambda seconds: timedelta(seconds=seconds)),
    Person: (_person, lambda fields: Person(**fields)),
    tuple[str, ...]: (_same, tuple),
}
