"""The catalogue of events as a page: what is written, when, what it holds, and whom it answers to.

`python -m audit.catalogue` prints docs/events.md; with `--names`, the tags, field names and types that are stored
for ever (tests/audit/catalogue.json), against which every later version is held.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any, get_type_hints

from access.events import CATALOGUE, SCHEMA_VERSION, Event, Private
from audit.catalogue_words import ENVELOPE, FIELDS, QUESTIONS, WORDS
from audit.export.ocsf_table import SHAPES
from audit.export.rows import OWN_FIELDS

_TYPES = {
    "str": "text",
    "int": "whole number",
    "bool": "true or false",
    "datetime": "time",
    "timedelta": "duration",
    "tuple": "list of texts",
    "Person": "person",
}
_UNITS = {"time": "µs since 1970-01-01 UTC", "duration": "seconds"}
_FRONT = """\
# Events

Every kind of entry of the audit log: version {version} of the catalogue, {count} kinds. This page is printed by
`python -m audit.catalogue` out of the code that writes the entries, and a test holds the two together. Tags and field
names are stored for ever: they are never renamed or removed, only joined by new ones.

An entry that belongs to a request carries its `ref`; through it, the request's first entry (`request.asked`) answers
who asked, why, for what, under which policy and which ticket. Fields marked **erasable** hold people's words: the log
holds a commitment to them, and the text itself lies beside it, encrypted, and can be destroyed without breaking any
proof. What an entry does not know is left out of it. No entry ever holds a secret.

OCSF is the class of version 1.8.0 that the entry becomes for a SIEM. The controls are those that the entry is evidence
for; they do not by themselves make anybody compliant.

## What every entry has

"""


def page() -> str:
    """The whole of docs/events.md."""
    parts = [
        _FRONT.format(version=SCHEMA_VERSION, count=len(CATALOGUE)),
        *_table(("field", "type", "meaning"), ENVELOPE),
    ]
    parts += ["\n## All kinds\n\n", *_table(("tag", "what happened", "OCSF"), map(_in_short, CATALOGUE))]
    for tag in CATALOGUE:
        parts += ["\n", *_section(tag)]
    return "".join(parts)


def names() -> dict[str, Any]:
    """What is stored for ever: each tag with its fields and their types."""
    events = {tag: {name: _kind(cls, name) for name in OWN_FIELDS[tag]} for tag, cls in CATALOGUE.items()}
    return {"version": SCHEMA_VERSION, "events": events}


def lost(before: dict[str, Any], now: dict[str, Any]) -> tuple[str, ...]:
    """What was stored once and is no longer there, or no longer the same: a sentence each."""
    faults = []
    for tag, fields in before["events"].items():
        left = now["events"].get(tag)
        if left is None:
            faults.append(f"{tag} is gone: entries of this kind are stored and could not be read")
            continue
        for name, kind in fields.items():
            if left.get(name) != kind:
                faults.append(f"{tag}: {name} was {kind} and is {left.get(name, 'gone')}")
    return tuple(faults)


def answers(tag: str) -> list[tuple[str, str]]:
    """Each question with the field that answers it; through the request where the entry itself does not."""
    own = ("type", "at", "by", *OWN_FIELDS[tag])
    rows = []
    for question, fields, through in QUESTIONS:
        found = [f"`{_stored(name)}`" for name in fields if name in own]
        if question == "approved by" and tag == "approval.given":
            found = ["`by`"]
        if not found and through and WORDS[tag].of_request and not through.endswith(f"`{tag}`"):
            found = [through]
        if found:
            rows.append((question, ", ".join(found)))
    return rows


def _section(tag: str) -> Iterator[str]:
    cls = CATALOGUE[tag]
    yield f"## `{tag}`\n\n{' '.join((cls.__doc__ or '').split())}\n\n"
    yield f"Written {WORDS[tag].when}. OCSF: {_ocsf(tag)}. Controls: {WORDS[tag].controls}.\n\n"
    fields = [(f"`{name}`", _words(cls, name), FIELDS[name]) for name in OWN_FIELDS[tag]]
    yield from _table(("field", "type", "meaning"), fields) if fields else ["It has no fields of its own.\n"]
    yield "\n" + "; ".join(f"**{question}**: {field}" for question, field in answers(tag)) + ".\n"


def _in_short(tag: str) -> tuple[str, str, str]:
    words = " ".join((CATALOGUE[tag].__doc__ or "").split())
    return f"[`{tag}`](#{tag.replace('.', '').lower()})", words, _ocsf(tag)


def _ocsf(tag: str) -> str:
    shape = SHAPES[tag]
    return f"{shape.kind.name} ({shape.kind.uid}), activity {shape.activity}"


def _kind(cls: type[Event], name: str) -> str:
    """The stored type: `text`, `erasable text`, `time`, `whole number or absent` …"""
    hint = get_type_hints(cls, include_extras=True)[name]
    if hint == Private:
        return "erasable text"
    kinds = [getattr(k, "__name__", str(k)) for k in getattr(hint, "__args__", ()) if k is not type(None)]
    is_optional = type(None) in getattr(hint, "__args__", ())
    bare = kinds[0] if is_optional else getattr(hint, "__name__", str(hint))
    return _TYPES[bare] + (" or absent" if is_optional else "")


def _words(cls: type[Event], name: str) -> str:
    kind = _kind(cls, name)
    unit = _UNITS.get(kind.removesuffix(" or absent"), "")
    return kind.replace("erasable", "**erasable**") + (f", {unit}" if unit else "")


def _stored(name: str) -> str:
    return "occurred_at" if name == "at" else name


def _table(heads: tuple[str, ...], rows: Any) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |\n|{' --- |' * len(heads)}\n"
    for row in rows:
        yield f"| {' | '.join(row)} |\n"


def main(arguments: list[str]) -> int:
    text = json.dumps(names(), indent=1) + "\n" if arguments == ["--names"] else page()
    sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
