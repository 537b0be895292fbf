"""A recording for somebody who may look: decrypted as it is read, and held against what the log knows of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import msgspec

from access.errors import BadInput, Unavailable
from access.sessions.model import Session
from audit.canonical import micros
from audit.payloads import PayloadKey
from audit.recording.form import Broken, Record
from audit.recording.reader import Known, Recording
from gateways.keeping import Depot
from gateways.recordings import key_of
from gateways.ssh.acts import Act, Screen, Started, act_of
from gateways.ssh.asciicast import asciicast
from gateways.ssh.text import harmless

ASCIICAST = "asciicast"
_MOST = 50  # terminals that are listed
_LONGEST = 60  # characters of what runs in one
_line = msgspec.json.Encoder()


@dataclass(frozen=True)
class Library:
    """`access.sessions.place.Recordings`: from the disk where it is here, or from where it was stored."""

    place: Path
    key: PayloadKey
    depot: Depot | None = None

    def lines(self, session: Session, form: str, terminal: int = 1) -> Iterator[bytes]:
        """Its first record is read before this returns. Raises Unavailable, BadInput.

        `records`: `[at, kind, data]` each, and at last `{"whole": …}`: whether it has its end; or `{"broken": …}`.
        `asciicast`: one of its terminals, by version 3 of that format; comments (`#`) say what is wrong, and at last,
        where it has several, `# Terminal …` of each.
        """
        try:
            recording = self._recording(session)
            records = (record for _, record in recording.read())
            first = next(records, None)
        except (Broken, OSError) as error:
            raise Unavailable(f"The recording of {session.id} cannot be read: {error}.") from error
        found = chain(() if first is None else (first,), records)
        return _cast(session, found, terminal) if form == ASCIICAST else _told(recording, found)

    def _recording(self, session: Session) -> Recording:
        """Raises Broken, Unavailable."""
        key, known = key_of(session, self.key), Known([(session.size, session.recording)])
        here = next(iter(self.place.glob(f"*/{session.id}.rec")), None)
        if here is not None:
            return Recording(here, key, known)
        if session.stored and self.depot is not None:
            depot, place = self.depot, session.stored
            return Recording(lambda: depot.open(place), key, known)
        if session.stored:
            raise Unavailable(f"The recording of {session.id} is at {session.stored}, which this server cannot read.")
        if session.removed_at is not None:
            raise Unavailable(f"The recording of {session.id} is not kept any more. What was done is in the log.")
        raise Unavailable(f"The recording of {session.id} is on its gateway's disk, which this server cannot read.")


def _told(recording: Recording, records: Iterator[Record]) -> Iterator[bytes]:
    try:
        for record in records:
            yield _line.encode(record) + b"\n"
    except (Broken, OSError, Unavailable) as error:
        yield _line.encode({"broken": str(error)}) + b"\n"
    else:
        yield _line.encode({"whole": recording.reading.complete}) + b"\n"


@dataclass
class _Terminals:
    """Those of one session, numbered in the order in which they were begun; of so many, what runs in them."""

    count: int = 0
    lines: list[str] = field(default_factory=list)

    def see(self, record: Record) -> Act | None:
        act = act_of(record.kind, record.data)
        if isinstance(act, Started) and act.screen is not None:
            self.count += 1
            if self.count <= _MOST:
                what = " ".join(harmless(act.text[:_LONGEST]).split()) or act.what
                self.lines.append(f"after {record.at / 1e6:.0f} s: {what}")
        return act

    def told(self) -> Iterator[bytes]:
        """A comment each, where there are several."""
        if self.count > 1:
            for number, line in enumerate(self.lines, 1):
                yield f"# Terminal {number} of {self.count}, {line}\n".encode()


def _cast(session: Session, records: Iterator[Record], terminal: int) -> Iterator[bytes]:
    """Raises BadInput where it has no such terminal."""
    terminals = _Terminals()
    for record in records:
        act = terminals.see(record)
        if terminals.count == terminal and isinstance(act, Started) and act.screen is not None:
            began = (micros(session.opened_at) + record.at) // 1_000_000
            return _played(act.screen, began, terminals, _of(record.at, act.n, terminals, records))
    if terminals.count:
        raise BadInput(f"There are {terminals.count} terminals in the recording of {session.id}, and no more.")
    raise BadInput(f"There is no terminal in the recording of {session.id}.")


def _played(screen: Screen, began: int, terminals: _Terminals, acts: Iterator[tuple[int, Act]]) -> Iterator[bytes]:
    try:
        for text in asciicast(screen, began, acts):
            yield text.encode() + b"\n"
    except (Broken, OSError, Unavailable) as error:
        yield f"# {error}\n".encode()
    yield from terminals.told()


def _of(since: int, n: int, terminals: _Terminals, records: Iterator[Record]) -> Iterator[tuple[int, Act]]:
    for record in records:
        act = terminals.see(record)
        if act is not None and getattr(act, "n", n) == n:
            yield record.at - since, act
