"""What is kept of a PostgreSQL session: its acts in the recording at once, its statements in the log a moment later."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import msgspec

from access.events import Event, QueryRun
from audit.recording.form import Record
from audit.recording.writer import Recorder, RecorderFailed
from gateways.live import About
from gateways.postgres.conversation import Act, Answered, Asked, Settled
from gateways.postgres.runs import SKIPPED, Run, Runs
from gateways.postgres.statements import FULL, OPAQUE, Understood, understand

FORM = "sql"
HELD = 64  # answers that wait for the next write; what is lost with them is how a statement ended, never the statement
QUIET = 0.05  # seconds that they wait at most
FRAME = 1 << 20  # characters of texts and values that are written as one; more only where one statement has more
LONGEST_TEXT = 8_000  # characters of a statement in the log; the recording has it all
_MOST_TOUCHES = 100
_KINDS: dict[type, str] = {Asked: "asked", Answered: "answered", Settled: "settled"}
_CLASSES: dict[str, type] = {name: kind for kind, name in _KINDS.items()}


class SqlTape:
    """`gateways.postgres.relay.Tape` and `gateways.live.Tape`."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._runs = Runs()
        self._held: list[Record] = []
        self._over: list[Run] = []
        self._acts: list[tuple[int, Act]] = []  # that are not in `_runs` yet: there is time for that between statements
        self._timer: asyncio.TimerHandle | None = None
        self._failed: RecorderFailed | None = None  # at a write that nobody waited for

    def greeted(self, text: str) -> None:
        """What the client has set before its first statement. Raises RecorderFailed."""
        self.asked([Asked(0, text, size=len(text.encode())), Answered(0, "SET"), Settled("I")])

    # For the relay

    def asked(self, acts: Sequence[Act]) -> None:
        self._keep(acts)
        self.write()

    def answered(self, acts: Sequence[Act]) -> None:
        self._keep(acts)
        if len(self._held) >= HELD:
            self.write()
        elif self._held and self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(QUIET, self._write_what_waits)

    def _write_what_waits(self) -> None:
        self._timer = None
        try:
            self.write()
        except RecorderFailed as error:
            self._failed = error

    def _keep(self, acts: Sequence[Act]) -> None:
        at = self.recorder.at
        for act in acts:
            self._held.append(Record(at, _KINDS[type(act)], cast("dict[str, Any]", act)))  # of the same fields
            self._acts.append((at, act))
        if len(self._acts) >= HELD:
            self._take_up()

    def _take_up(self) -> None:
        for at, act in self._acts:
            self._over += self._runs.take(at, act)
        self._acts.clear()

    # For whoever keeps the session

    @property
    def waiting(self) -> int:
        self._take_up()
        return len(self._over)

    def write(self) -> None:
        """Raises RecorderFailed."""
        if self._failed is not None:
            raise self._failed
        held, self._held = self._held, []
        for together in _in_frames(held):
            self.recorder.write_all(together)

    def harvest(self, most: int | None = None) -> Sequence[Run]:
        """The statements that are over since, in the recording before they are in the log; the rest at the end."""
        self.write()
        self._take_up()
        if most is None:
            if self._timer is not None:
                self._timer.cancel()
            self._over += self._runs.rest()
            most = len(self._over)
        taken, self._over = self._over[:most], self._over[most:]
        return taken

    def events(self, acts: Sequence[Run], about: About) -> list[Event]:
        return [event_of(run, about) for run in acts]


def _in_frames(records: Sequence[Record]) -> Iterator[Sequence[Record]]:
    """As few as can be read back: one text may be run thousands of times in one piece of a stream."""
    begin = size = 0
    for place, record in enumerate(records):
        act: Any = record.data
        own = len(act.text) + sum(map(len, act.values)) if type(act) is Asked else 0
        if size + own > FRAME and begin < place:
            yield records[begin:place]
            begin, size = place, 0
        size += own
    if begin < len(records):
        yield records[begin:]


def read_back(records: Iterable[Record]) -> Iterator[Run]:
    """The statements of a recording, as `harvest` gave them."""
    runs = Runs()
    for record in records:
        if (kind := _CLASSES.get(record.kind)) is not None:
            yield from runs.take(record.at, msgspec.convert(record.data, kind))
    yield from runs.rest()


def event_of(run: Run, about: About) -> QueryRun:
    """As the log has it. The time is that of its last answer: what it took stands beside it."""
    asked, known = run.asked, understand(run.asked.text)
    cut = f"… ({asked.size} bytes, SHA-256 {asked.digest or 'in the recording'})"
    text = asked.text if len(asked.text) <= LONGEST_TEXT and not asked.digest else asked.text[:LONGEST_TEXT] + cut
    touches, coverage = _touched(run, known)
    return QueryRun(
        at=about.at(None if run.lasted is None else run.at + run.lasted),
        ref=about.ref, by=about.by, session=about.session, target=about.target, text=text,
        shape=known.shape, touches=touches, coverage=coverage, rows=run.rows, outcome=run.outcome,
        values=_shown(asked.values), kind=known.kind, flags=tuple(sorted(known.flags)), lasted=run.lasted,
        bytes_out=run.bytes_out, bytes_in=run.bytes_in, late=about.late,
    )  # fmt: skip


def _touched(run: Run, known: Understood) -> tuple[tuple[str, ...], str]:
    """What was skipped touched nothing; of a text that may not be what was run, nothing can be said."""
    if run.outcome == SKIPPED:
        return (), FULL
    if not run.asked.exact:
        return (), OPAQUE
    whole = not run.asked.digest and len(known.touches) <= _MOST_TOUCHES
    return known.touches[:_MOST_TOUCHES], known.coverage if whole else OPAQUE


def _shown(values: tuple[str, ...]) -> str:
    if not values:
        return ""
    text = json.dumps(values, ensure_ascii=False)
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}…"
