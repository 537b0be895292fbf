"""What every format is made of: one row per entry, and the rule that the rows are a piece of the log without gaps."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, BinaryIO

from access.events import CATALOGUE, Erased, Event, RequestAsked
from access.model import Person
from audit.log import Entry
from audit.merkle import leaf_hash

_ENVELOPE = ("at", "ref", "by")
_OF_ITS_OWN = ("session", "host", "address", "coverage", "policy_hash")
_OF_THE_REQUEST = ("target", "role", "ticket")
_REMEMBERED = 10_000  # requests whose beginning is kept at hand

#: The columns of a table, in order. Names stay: only joined by new ones before `data`.
COLUMNS = (
    "seq", "recorded_at", "occurred_at", "type", "what", "ref", "n", "by_id", "by_name", "by_slack_id",
    "requester_id", "requester_name", *_OF_THE_REQUEST, *_OF_ITS_OWN, "data", "leaf", "body",
)  # fmt: skip


class ExportError(Exception):
    """An export that cannot be made, or must not be: the rows are not a piece of the log. Holds no text of an entry."""


@dataclass(frozen=True, slots=True)
class Row:
    """One entry, and the beginning of the request that it belongs to (None where it belongs to none)."""

    entry: Entry
    asked: RequestAsked | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """What a file holds: the entries [start, end), as `size` bytes with this SHA-256."""

    start: int
    end: int
    size: int
    sha256: str

    @property
    def rows(self) -> int:
        return self.end - self.start


class Subjects:
    """The beginnings of requests: seen in passing, or looked up when a range starts later."""

    def __init__(self, look_up: Callable[[str], RequestAsked | None]) -> None:
        self._look_up = look_up
        self._known: OrderedDict[str, RequestAsked | None] = OrderedDict()

    def row(self, entry: Entry) -> Row:
        return Row(entry, self._asked(entry.event))

    def _asked(self, event: Event) -> RequestAsked | None:
        if not event.ref:
            return None
        if event.ref not in self._known:
            self._known[event.ref] = event if isinstance(event, RequestAsked) else self._look_up(event.ref)
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return self._known[event.ref]


class Piece:
    """Passes rows on and keeps count. Raises ExportError where they are not the log's next entry."""

    def __init__(self, start: int) -> None:
        self.start = self.end = start

    def of(self, rows: Iterable[Row]) -> Iterator[Row]:
        for row in rows:
            entry = row.entry
            if entry.seq != self.end:
                raise ExportError(
                    f"Entry {self.end} is missing: the log gave {entry.seq} instead. Nothing is exported."
                )
            if leaf_hash(entry.body) != entry.leaf:
                raise ExportError(f"Entry {entry.seq} is not what its hash says. Run `prodaccess audit verify`.")
            self.end += 1
            yield row


class Counted:
    """A stream of bytes that knows the SHA-256 of what went through."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._hash, self.size = out, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        self._out.write(data)
        self._hash.update(data)
        self.size += len(data)
        return len(data)

    def written(self, piece: Piece) -> Written:
        return Written(piece.start, piece.end, self.size, self._hash.hexdigest())


def flat(row: Row) -> dict[str, Any]:
    """One entry as plain data with stable names: times in ISO 8601 UTC, durations in seconds, empty text for none."""
    entry, event, asked = row.entry, row.entry.event, row.asked
    by, requester = event.by, asked.by if asked else None
    fields: dict[str, Any] = {
        "seq": entry.seq, "recorded_at": iso(entry.recorded_at), "occurred_at": iso(event.at), "type": event.TAG,
        "what": SENTENCES[event.TAG], "ref": event.ref, "n": entry.n,
        "by_id": by.id if by else "", "by_name": by.name if by else "", "by_slack_id": by.slack_id if by else "",
        "requester_id": requester.id if requester else "", "requester_name": requester.name if requester else "",
    }  # fmt: skip
    for name in _OF_THE_REQUEST:
        fields[name] = getattr(event, name, "") or getattr(asked, name, "")
    for name in _OF_ITS_OWN:
        fields[name] = getattr(event, name, "")
    return fields | {"data": data(event), "leaf": entry.leaf.hex(), "body": entry.body.decode()}


def data(event: Event) -> dict[str, Any]:
    """The event's own fields as plain data; what is erased is named in `erased`."""
    names = OWN_FIELDS[event.TAG]
    values = {name: plain(value) for name in names if (value := getattr(event, name)) is not None}
    erased = [name for name in names if isinstance(getattr(event, name), Erased)]
    return values | ({"erased": erased} if erased else {})


def plain(value: Any) -> Any:
    match value:
        case datetime():
            return iso(value)
        case timedelta():
            return round(value.total_seconds())
        case Person():
            return {"id": value.id, "name": value.name, "slack_id": value.slack_id}
        case tuple():
            return [plain(item) for item in value]
        case Erased():
            return str.__str__(value)
    return value


def iso(moment: datetime) -> str:
    """ISO 8601, UTC, always with microseconds, so that text order is time order."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _first_sentence(text: str) -> str:
    end = text.find(". ")
    return text if end < 0 else text[: end + 1]


OWN_FIELDS = {
    tag: tuple(f.name for f in dataclasses.fields(cls) if f.name not in _ENVELOPE) for tag, cls in CATALOGUE.items()
}
#: What happened, in one sentence, by tag: the first of the class's docstring.
SENTENCES = {tag: _first_sentence(" ".join((cls.__doc__ or tag).split())) for tag, cls in CATALOGUE.items()}
