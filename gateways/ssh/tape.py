"""What is kept of an SSH session: its acts in the recording before they pass, and in the log a moment later."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from access.events import CommandRun, Event, FileTouched
from access.sessions.flags import POSING, of_command, of_path
from audit.recording.form import Record
from audit.recording.redaction import MASK
from audit.recording.writer import Recorder
from gateways.live import About
from gateways.ssh.acts import Act, act_of, record_of
from gateways.ssh.rcp import poses, read_command
from gateways.ssh.redacting import Redacting
from gateways.ssh.runs import REFUSED, Done, Run, Runs, Touched
from gateways.ssh.text import harmless, text_of

FORM = "terminal"
LONGEST = 8_000  # characters of a command in the log; the recording has it all
_LONGEST_WORD = 100  # characters of a program's name, and of what a host answered
_FULL, _PARTIAL, _OPAQUE = "full", "partial", "opaque"
_ASSIGNED = re.compile(r"\w+=\S*")
#: what an operation does to its path, and to the other one
_EFFECTS = {
    "read": ("read", ""), "list": ("read", ""), "open": ("read", ""), "read+write": ("read write", ""),
    "remove": ("delete", ""), "rmdir": ("delete", ""), "rename": ("delete", "write"), "copy": ("read", "write"),
    "link": ("read", "write"),
}  # fmt: skip


class SshTape:
    """`gateways.ssh.relay.Tape` and `gateways.live.Tape`."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._redacting = Redacting(recorder.redaction)
        self._runs = Runs()
        self._over: list[Done] = []

    def write(self, acts: Sequence[Act]) -> None:
        """Raises RecorderFailed."""
        at, acts = self.recorder.at, self._redacting(acts)
        self.recorder.write_all([Record(at, *record_of(act)) for act in acts])
        for act in acts:
            self._over += self._runs.take(at, act)

    @property
    def waiting(self) -> int:
        return len(self._over)

    def harvest(self, most: int | None = None) -> Sequence[Done]:
        if most is None:
            self._over += self._runs.rest()
            most = len(self._over)
        taken, self._over = self._over[:most], self._over[most:]
        return taken

    def events(self, acts: Sequence[Done], about: About) -> list[Event]:
        return [event_of(act, about) for act in acts]


def read_back(records: Iterable[Record]) -> Iterator[Done]:
    """What was done in a recorded session, as `harvest` gave it."""
    runs = Runs()
    for record in records:
        if (act := act_of(record.kind, record.data)) is not None:
            yield from runs.take(record.at, act)
    yield from runs.rest()


def event_of(act: Done, about: About) -> Event:
    """As the log has it. The time is that of its end: what it took stands beside it."""
    return _command(act, about) if isinstance(act, Run) else _file(act, about)


def _command(run: Run, about: About) -> CommandRun:
    touches, coverage = _touched(run)
    text, fed = about.redaction.line(run.text)[0], about.redaction.line(text_of(run.fed))[0]
    return CommandRun(
        at=about.at(_end(run)), ref=about.ref, by=about.by, session=about.session, target=about.target,
        host=about.host, text=_cut(text), program=_program(run), touches=touches, coverage=coverage,
        exit_code=run.status, kind=run.kind, exact=run.exact, outcome=run.outcome[:_LONGEST_WORD],
        fed=fed, lasted=run.lasted, bytes_out=run.received, bytes_in=run.sent, late=about.late,
        redacted=(text + fed).count(MASK) or None,
        flags=about.flagged(flags_of(run.text) | of_command(text_of(run.fed)) | _of_posing(run)),
    )  # fmt: skip


def _file(file: Touched, about: About) -> FileTouched:
    asked = file.asked
    here, there = _EFFECTS.get(asked.op, ("write", "write"))
    path, is_placed = asked.where or asked.path or ".", bool(asked.where)
    touches = [f"{effect} path:{path}" for effect in here.split()]
    if asked.to and there:
        touches.append(f"{there} path:{asked.to}")
        is_placed = is_placed and asked.to.startswith("/")
    if ".." in f"{asked.path}/{asked.to}".split("/"):  # where that leads, links decide
        is_placed = False
    named = of_path(path) | of_path(asked.path) | of_path(asked.to)
    return FileTouched(
        at=about.at(_end(file)), ref=about.ref, by=about.by, session=about.session, target=about.target,
        host=about.host, touches=tuple(touches), coverage=_FULL if is_placed else _PARTIAL, size=file.size,
        kind=asked.op[:_LONGEST_WORD], outcome=file.outcome[:_LONGEST_WORD], sha256=file.sha256, lasted=file.lasted,
        late=about.late, flags=about.flagged(named),
    )  # fmt: skip


def flags_of(command: str) -> frozenset[str]:
    """Of a line that a shell is given."""
    return of_command(command) | (frozenset({POSING}) if poses(command) else frozenset())


def _of_posing(run: Run) -> frozenset[str]:
    """What was taken for a copy, until it said something that no `scp` says."""
    return frozenset({POSING}) if run.unclear and _is_copy(run) else frozenset()


def _end(act: Done) -> int | None:
    return None if act.lasted is None else act.at + act.lasted


def _touched(run: Run) -> tuple[tuple[str, ...], str]:
    """Of a command's text nothing is read off: a shell makes of it what it likes. Files of SFTP and `scp` are entries
    of their own."""
    if run.outcome == REFUSED:
        return (), _FULL
    if run.kind == "forward":
        return (f"connect host:{run.text}",), _OPAQUE
    files = (run.kind, run.text) == ("subsystem", "sftp")
    return (), _FULL if (files or _is_copy(run)) and not run.unclear else _OPAQUE


def _is_copy(run: Run) -> bool:
    return run.kind == "command" and not run.terminal and read_command(run.text) is not None


def _program(run: Run) -> str:
    """The first word that is no variable's, as far as that can be told."""
    if run.kind in ("shell", "forward", "request"):
        return run.kind
    words = (word for word in run.text.split()[:50] if not _ASSIGNED.fullmatch(word))
    return harmless(next(words, "")).strip("'\"").rpartition("/")[2][:_LONGEST_WORD]


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters, whole in the recording)"
