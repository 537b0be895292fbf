"""Each entry by itself and in its place: canonical form, numbering, clock, and the chain of its request."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from .canonical import decoded
from .meaning import ACTIONS, Meaning
from .report import Finding, Report, Tampered
from .runs import Said, Usual
from .sources import Block
from .subject import Fact, Place, Subject
from .uptime import SILENCE

_NUMBER = rb"(0|[1-9][0-9]{0,18})"
_ENVELOPE = re.compile(  # the end of a body: its keys are sorted, so all but `by` and `data` stand there, in this order
    rb',"log":"([^"\\]*)",(?:"n":%b,)?"occurred_at":%b,(?:"prev":%b,)?"recorded_at":%b,'
    rb'(?:"ref":"([^"\\]+)",)?"seq":%b,"type":"([^"\\]+)","v":%b\}' % ((_NUMBER,) * 6)
).fullmatch
_VERSION, _START = b"1", b"server.started"


class _Kind(NamedTuple):
    name: str
    is_action: bool
    has_target: bool


class Entries:
    """`take` the log's entries in order, then `finish`. Of actions, which are most, only the envelope is read."""

    def __init__(self, report: Report, start: int, tolerance: int, *, deep: bool) -> None:
        self.origin = ""
        self.policies: set[str] = set()  # those whose text or loading is known
        self.keys: list[str] = []  # what the log says it is signed with
        self.named: dict[str, int] = {}  # policy → the first entry that names it
        self.erasures: set[tuple[int, str]] = set()  # seq and field that an entry says were destroyed
        self.meaning = Meaning(report, tolerance, self.policies, whole=start == 0)
        self._report, self._start, self._deep = report, start, deep
        self._clock = self._at = 0  # the last entry's recorded_at and occurred_at
        self._awake = 0  # since when no silence lay between two entries
        self._stood = 0  # the recorded_at at which the clock was last seen to stand behind
        self._late = tolerance * 1_000_000
        self._newer = self._alone = 0  # entries in a newer form; of no request
        self._kinds: dict[bytes, _Kind] = {}
        self._usual: Usual | None = None  # what the next entry says if it is like the last
        self._beside = (0, b"", b"")  # and what stands beside it

    def take(self, first: int, block: Block) -> None:
        """Runs of usual entries are held against one form, in less than a microsecond each; every other is read."""
        at, read, alone, beside = 0, len(block.bodies), self._alone, block.beside
        while at < read:
            end = self._reach(first + at, block, at)
            if not self._passes(first + at, block.bodies[at:end]):
                for i in range(at, end := max(end, at + 1)):
                    self._one(first + i, block.bodies[i], beside and beside.of(i))
            at = end
        if read:
            self._report.last_at = self._clock
        for check, passed in (("clock", read), ("canonical", read), ("subject", read - (self._alone - alone))):
            self._report.passed[check] += passed

    def _reach(self, seq: int, block: Block, at: int) -> int:
        """Where those end that may be like the entry before."""
        usual, same, beside = self._usual, self._beside, block.beside
        if usual is None:
            return at
        if beside is None:
            return at + min(usual.room(seq), usual.reach(seq, block.bodies[at:]))
        end = at + min(usual.room(seq), len(block.bodies) - at)
        for column, value in zip(beside, same, strict=True):
            part = column[at:end]
            if part.count(value) < len(part):
                end = at + next(i for i, each in enumerate(part) if each != value)
        return end

    def _passes(self, seq: int, bodies: Sequence[bytes]) -> bool:
        """Whether all of these are usual; then they are dealt with."""
        last_at = self._usual.passes(seq, bodies) if self._usual is not None and bodies else 0
        self._at = last_at or self._at
        return last_at > 0

    def _one(self, seq: int, body: bytes, beside: tuple[int, bytes, bytes] | None) -> None:
        """Whatever the entry is, read and put in its place."""
        found = _ENVELOPE(body, max(0, body.rfind(b',"log":"')))
        if found is None:
            raise Tampered("canonical", "does not end as an entry does", seq)
        log, n, occurred, prev, recorded, ref, own, type_, version = found.groups()
        if int(own) != seq:
            raise Tampered("sequence", f"says that it is entry {own.decode()}", seq)
        says = (int(recorded), type_, ref or b"")
        if beside not in (None, says):
            raise Tampered("sequence", "stands beside another time, type or request than it says itself", seq)
        if log != self.origin.encode():
            self._must_be_of(log, seq)
        at, unsure = int(occurred), self._tick(seq, type_, int(recorded), int(occurred))
        subject = self._chain(seq, ref, n, prev)
        kind = self._kinds.get(type_) or self._kind(type_)
        if kind.is_action and (
            subject is None or not subject.opens <= at <= subject.closes
            or not body.startswith(subject.mark) or (kind.has_target and subject.at_target not in body)
        ):  # fmt: skip
            self.meaning.acted(subject, Place(seq, at, unsure), kind.name, body)
        if self._deep or not kind.is_action:
            self.meaning.court.uptime.goes_on(self._awake, self._clock)
            self._whole(Place(seq, at, unsure), body, kind.name, subject)
        self._newer += version != _VERSION
        self._beside, self._usual = says, None
        if kind.is_action and subject is not None and ref is not None and version == _VERSION and not self._deep:
            target = subject.at_target if kind.has_target else b""
            self._usual = Usual.like(Said(log, recorded, ref, type_), subject, self._clock - self._late, target)

    def _tick(self, seq: int, type_: bytes, moment: int, at: int) -> bool:
        """The entry's time, which never runs back. Whether `at`, when it happened, is unsure."""
        clock, self._at = self._clock, at
        if moment < clock:
            raise Tampered("clock", "was recorded before the entry in front of it", seq)
        if moment - clock > SILENCE or type_ == _START:
            self._wakes(type_, clock, moment)
        self._clock = moment
        return moment - at > self._late and self._is_unsure(seq, type_, (moment, clock, at))

    def _chain(self, seq: int, ref: bytes | None, n: bytes | None, prev: bytes | None) -> Subject | None:
        """Its request, whose next entry it has to be; None where it is of none."""
        subject = self.meaning.subjects.get(ref)
        if subject is None or None in (n, prev) or (int(n or 0), int(prev or 0)) != (subject.n + 1, subject.last):
            subject = self._first(seq, ref, n, prev)
            self._alone += subject is None
        else:
            subject.n, subject.last = subject.n + 1, seq
        return subject

    def _wakes(self, type_: bytes, clock: int, moment: int) -> None:
        """After a silence, or with a start, which is no proof of a life before it."""
        self.meaning.court.uptime.ends(self._awake, clock)
        self._awake = moment
        if type_ == _START:
            self.meaning.court.before_start = clock

    def _is_unsure(self, seq: int, type_: bytes, times: tuple[int, int, int]) -> bool:
        """Recorded long after it is said to have happened: the clock was set back, or somebody dated it back.

        While the clock stands behind, recorded_at stays as it is. Where it moves on, it is what the clock said.
        """
        moment, before, at = times
        gap = f"{(moment - at) / 1_000_000:.0f} s"
        if moment > before:
            if seq > self._start and self.meaning.matters(type_.decode(errors="replace")):
                self._report.fail(Finding("meaning", f"was recorded {gap} after the time that it gives itself", seq))
            return False
        if moment != self._stood:
            self._stood = moment
            what = f"the clock stood {gap} behind the entry before, so times here are not sure until it caught up"
            self._report.note(Finding("clock", what, seq))
        return True

    def _whole(self, place: Place, body: bytes, type_: str, subject: Subject | None) -> None:
        seq, fields = place.seq, decoded(body, place.seq)
        data = fields.get("data", {})
        if isinstance(data, dict) and (policy := data.get("policy_hash")):
            self.named.setdefault(str(policy), seq)
        if type_ == "log.key" and isinstance(data.get("key"), str) and data["key"] not in self.keys:
            self.keys.append(data["key"])
        elif type_ == "audit.erased":
            self.erasures |= {(data.get("seq", -1), name) for name in data.get("fields", ())}
        self.meaning.take(Fact(seq, type_, place.at, fields.get("by") or {}, data, unsure=place.unsure), subject)

    def _must_be_of(self, log: bytes, seq: int) -> None:
        if self.origin:
            raise Tampered("sequence", f"is of another log, {log.decode(errors='replace')}", seq)
        self.origin = log.decode(errors="replace")

    def _kind(self, type_: bytes) -> _Kind:
        name = type_.decode(errors="replace")
        self._kinds[type_] = _Kind(name, name in ACTIONS, name != "session.closed")
        return self._kinds[type_]

    def _first(self, seq: int, ref: bytes | None, n: bytes | None, prev: bytes | None) -> Subject | None:
        """A request's first entry, or the first in this range; None for an entry of no request."""
        if ref is None:
            if n is not None or prev is not None:
                raise Tampered("subject", "counts within a request, but names none", seq)
            return None
        name, subjects = ref.decode(errors="replace"), self.meaning.subjects
        if ref in subjects:
            last = subjects[ref].last
            raise Tampered("subject", f"does not follow entry {last} of {name}: one between is missing", seq)
        began_here = n == b"0" and prev is None
        if not began_here and (n in (None, b"0") or prev is None or int(prev) >= self._start):
            raise Tampered("subject", f"is not the first of {name}, and those before are missing", seq)
        subjects[ref] = Subject(name, int(n or 0), seq, partial=not began_here)
        return subjects[ref]

    def finish(self, frontier: int | None) -> None:
        """`frontier`: what is kept as the last recorded_at, where it is."""
        if frontier is not None and frontier != self._clock:
            what = "is the last, but the log's clock is kept with another time than it was recorded at"
            self._report.fail(Finding("clock", what, max(0, self._start + self._report.entries - 1)))
        self.meaning.court.uptime.goes_on(self._awake, self._clock)
        self.meaning.finish(self._at)
        if self._newer:
            self._report.undecided.append(
                f"{self._newer} entries are written in a newer form than this verifier knows. Take a newer one."
            )
