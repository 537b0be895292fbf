"""What is kept of a PostgreSQL session: its acts in the recording at once, its statements in the log a moment later."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

import msgspec
from msgspec import structs

from access.events import Event, QueryRun
from access.sessions.flags import BULK
from audit.recording.form import Record
from audit.recording.redaction import MASK, Redacted
from audit.recording.redaction_sql import names_secret
from audit.recording.writer import Recorder, RecorderFailed, failure
from gateways.live import About
from gateways.postgres.acts import Act, Answered, Asked, Exchange, Settled
from gateways.postgres.plain import Answer, Carried
from gateways.postgres.runs import OK, SKIPPED, Run, Runs
from gateways.postgres.statements import FULL, OPAQUE, OTHER, READ, SESSION, SHORT, Understood, understand, unread

FORM = "sql"
HELD = 64  # answers that wait for the next write; what is lost with them is how a statement ended, never the statement
QUIET = 0.05  # seconds that they wait at most
FRAME = 1 << 20  # characters of texts and values that are written as one; more only where one statement has more
HASTE = 0.5  # seconds after which only short statements of a batch are still looked into
LONGEST_TEXT = 8_000  # characters of a statement in the log; the recording has it all
UNTOLD = "in the recording"
_MOST_TOUCHES = 100
_MOST_SECRET = 1_000
_KINDS: dict[type, str] = {Asked: "asked", Answered: "answered", Settled: "settled"}
_CLASSES: dict[str, type] = {name: kind for kind, name in _KINDS.items()}
_runs = msgspec.json.Decoder(list[Run])


class SqlTape:
    """`gateways.postgres.relay.Tape` and `gateways.live.Tape`."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._runs = Runs()
        self._held: list[Record] = []
        self._lines: list[bytes] = []  # that wait in the same way, of what needs no more looking at
        self._alone: Exchange | None = None  # is running, and written down
        self._carried: Carried | None = None  # what records without us now
        self._over: list[Run] = []
        self._acts: list[
            tuple[int, Act | Answer]
        ] = []  # that are not in `_runs` yet: there is time for that between statements
        self._timer: asyncio.TimerHandle | None = None
        self._failed: RecorderFailed | None = None  # at a write that nobody waited for
        self._redacts = not recorder.redaction.raw
        self._kept_quiet: set[int] = set()  # statements whose words an error must not repeat

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

    def asked_line(self, line: bytes, one: Exchange) -> None:
        if self._held or self._failed is not None:
            self.write()
        self._lines.append(line)
        lines, self._lines = self._lines, []
        self.recorder.write_lines(b"".join(lines), 2 * len(lines) - 1)
        self._alone = one

    def answered_lines(self, lines: bytes, answer: Answer) -> None:
        self._alone = None
        self._lines.append(lines)
        self._acts.append((answer.at, answer))
        if len(self._acts) >= HELD:
            self._take_up()
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(QUIET, self._write_what_waits)

    def carry(self, carried: Carried) -> None:
        self.write()
        self._carried = carried

    def carried_back(self, alone: Exchange | None) -> None:
        self._take_up()
        self._carried, self._alone = None, alone

    def _write_what_waits(self) -> None:
        self._timer = None
        try:
            self.write()
        except RecorderFailed as error:
            self._failed = error

    def _keep(self, acts: Sequence[Act]) -> None:
        if self._lines:
            self.write()
        self._join()
        at = self.recorder.at
        for act in acts:
            if self._redacts and (type(act) is Asked or self._kept_quiet or (type(act) is Answered and act.message)):
                act = self._without_secrets(act)  # noqa: PLW2901 (this is done millions of times)
            self._held.append(Record(at, _KINDS[type(act)], cast("dict[str, Any]", act)))  # of the same fields
            self._acts.append((at, act))
        if len(self._acts) >= HELD:
            self._take_up()

    def _join(self) -> None:
        """What was alone is answered like anything else, or not at all."""
        one, self._alone = self._alone, None
        if one is not None:
            self._acts.append((one.at, one.asked))

    def _without_secrets(self, act: Act) -> Act:
        if type(act) is Asked:
            if self.recorder.redaction.suspects(act.text, act.values):
                found = self.recorder.redaction.sql(act.text, act.values, exact=act.exact)
                if found.count or names_secret(act.text):
                    self._kept_quiet.add(act.n)
                if found.count:
                    digest = UNTOLD if act.digest else ""  # of a text whose rest is known it would give the secret away
                    return structs.replace(
                        act, text=found.text, values=found.values, redacted=found.count, digest=digest
                    )
        elif type(act) is Answered and act.message:
            if act.n in self._kept_quiet or (self._kept_quiet and not act.n):
                return structs.replace(act, message=MASK)
            if self.recorder.redaction.suspects(act.message):
                return structs.replace(act, message=self.recorder.redaction.line(act.message)[0])
        elif type(act) is Settled and act.state == "I" and len(self._kept_quiet) > _MOST_SECRET:
            self._kept_quiet.clear()
        return act

    def _take_up(self) -> None:
        for at, act in self._acts:
            self._over += (_run_of(act),) if isinstance(act, Answer) else self._runs.take(at, act)
        self._acts.clear()
        if self._carried is not None:
            self._over += _runs.decode(self._carried.told())

    # For whoever keeps the session

    @property
    def waiting(self) -> int:
        self._take_up()
        return len(self._over)

    def write(self) -> None:
        """Raises RecorderFailed."""
        if self._failed is not None:
            raise self._failed
        lines, self._lines = self._lines, []
        if lines:
            self.recorder.write_lines(b"".join(lines), 2 * len(lines))
        held, self._held = self._held, []
        for together in _in_frames(held):
            self.recorder.write_all(together)
        if self._carried is not None:
            try:
                self._carried.flush()
            except OSError as error:
                raise failure(error) from error

    def harvest(self, most: int | None = None) -> Sequence[Run]:
        """The statements that are over since, in the recording before they are in the log; the rest at the end."""
        self.write()
        if most is None:
            self._join()
        self._take_up()
        if most is None:
            if self._timer is not None:
                self._timer.cancel()
            self._over += self._runs.rest()
            most = len(self._over)
        taken, self._over = self._over[:most], self._over[most:]
        return taken

    def events(self, acts: Sequence[Run], about: About) -> list[Event]:
        """What takes too long to be read is told unread: all other sessions wait for it."""
        until = time.monotonic() + HASTE
        return [event_of(run, about, hurries=time.monotonic() > until) for run in acts]


def _run_of(answer: Answer) -> Run:
    one = answer.of
    return Run(one.at, one.asked, answer.at - one.at, answer.rows, OK, bytes_out=answer.bytes_out)


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


def event_of(run: Run, about: About, *, hurries: bool = False) -> QueryRun:
    """As the log has it. The time is that of its last answer: what it took stands beside it."""
    asked = run.asked
    said = _said(asked, about)
    known = unread(said.text) if hurries and len(said.text) > SHORT else understand(said.text)
    cut = f"… ({asked.size} bytes, SHA-256 {(not said.count and asked.digest) or UNTOLD})"
    text = said.text if len(said.text) <= LONGEST_TEXT and not asked.digest else said.text[:LONGEST_TEXT] + cut
    touches, coverage = _touched(run, known)
    return QueryRun(
        at=about.at(None if run.lasted is None else run.at + run.lasted),
        ref=about.ref, by=about.by, session=about.session, target=about.target, text=text,
        shape=known.shape, touches=touches, coverage=coverage, rows=run.rows, outcome=run.outcome,
        values=_shown(said.values), kind=known.kind, flags=_flags(run, known, about), lasted=run.lasted,
        bytes_out=run.bytes_out, bytes_in=run.bytes_in, late=about.late,
        redacted=said.count or None,
    )  # fmt: skip


def _flags(run: Run, known: Understood, about: About) -> tuple[str, ...]:
    """What was skipped did nothing; how much was read is known only now."""
    if run.outcome == SKIPPED:
        return ()
    is_bulk = known.kind in (READ, SESSION, OTHER) and (run.rows or 0) >= about.watch.bulk and run.bytes_out > 0
    return about.flagged(known.flags | ({BULK} if is_bulk else frozenset()))


def _said(asked: Asked, about: About) -> Redacted:
    """Without its secrets; of a recording that is not raw they were taken out before it was kept."""
    if not about.redaction.raw:
        return Redacted(asked.text, asked.values, asked.redacted)
    return about.redaction.sql(asked.text, asked.values, exact=asked.exact)


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
