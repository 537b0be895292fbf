"""Each entry by itself and in its place: canonical form, numbering, clock, and the chain of its request."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Any, NamedTuple, NoReturn

from .meaning import ACTIONS, Fact, Meaning, Place, Subject
from .report import Finding, Report, Tampered
from .sources import Block
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
        self._newer = 0
        self._kinds: dict[bytes, _Kind] = {}

    def take(self, first: int, block: Block) -> None:
        """The hot loop: a few microseconds an entry. What is rare is in the functions below."""
        envelope, kinds, subjects, clock = _ENVELOPE, self._kinds, self.meaning.subjects, self._clock
        origin, acted, late = self.origin.encode(), self.meaning.acted, self._late
        chained, newer, said = 0, 0, []
        for seq, body in enumerate(block.bodies, first):
            found = envelope(body, max(0, body.rfind(b',"log":"')))
            if found is None:
                raise Tampered("canonical", "does not end as an entry does", seq)
            log, n, occurred, prev, recorded, ref, own, type_, version = found.groups()
            moment, at = int(recorded), int(occurred)
            if int(own) != seq:
                raise Tampered("sequence", f"says that it is entry {own.decode()}", seq)
            if moment < clock:
                raise Tampered("clock", "was recorded before the entry in front of it", seq)
            if moment - clock > SILENCE or type_ == _START:
                self._wakes(type_, clock, moment)
            unsure = moment - at > late and self._is_unsure(seq, type_, (moment, clock, at))
            clock = moment
            if log != origin:
                origin = self._must_be_of(log, seq)
            said.append((moment, type_, ref or b""))
            subject = subjects.get(ref)
            if (
                subject is not None
                and prev is not None
                and n is not None
                and (int(prev) == subject.last and int(n) == subject.n + 1)
            ):
                subject.n, subject.last = subject.n + 1, seq
                chained += 1
            else:
                subject = self._first(seq, ref, n, prev)
                chained += subject is not None
            kind = kinds.get(type_) or self._kind(type_)
            if kind.is_action and (
                subject is None or not subject.opens <= at <= subject.closes
                or not body.startswith(subject.mark) or (kind.has_target and subject.at_target not in body)
            ):  # fmt: skip
                acted(subject, Place(seq, at, unsure), kind.name, body)
            if self._deep or not kind.is_action:
                self.meaning.uptime.goes_on(self._awake, clock)
                self._whole(Place(seq, at, unsure), body, kind.name, subject)
            newer += version != _VERSION
        if block.bodies:
            self._clock, self._at = clock, at
            self._report.last_at = clock
        self._newer += newer
        self._compare(first, block, said)
        self._count(len(said), chained)

    def _count(self, read: int, chained: int) -> None:
        for check, count in (("clock", read), ("canonical", read), ("subject", chained)):
            self._report.passed[check] += count

    def _compare(self, first: int, block: Block, said: list[tuple[int, bytes, bytes]]) -> None:
        if block.beside is not None and said != block.beside:
            wrong = next(i for i, each in enumerate(block.beside) if each != said[i])
            what = "stands beside another time, type or request than it says itself"
            raise Tampered("sequence", what, first + wrong)

    def _wakes(self, type_: bytes, clock: int, moment: int) -> None:
        """After a silence, or with a start, which is no proof of a life before it."""
        self.meaning.uptime.ends(self._awake, clock)
        self._awake = moment
        if type_ == _START:
            self.meaning.before_start = clock

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
        seq, fields = place.seq, _canonical(body, place.seq)
        data = fields.get("data", {})
        if isinstance(data, dict) and (policy := data.get("policy_hash")):
            self.named.setdefault(str(policy), seq)
        if type_ == "log.key" and isinstance(data.get("key"), str) and data["key"] not in self.keys:
            self.keys.append(data["key"])
        elif type_ == "audit.erased":
            self.erasures |= {(data.get("seq", -1), name) for name in data.get("fields", ())}
        self.meaning.take(Fact(seq, type_, place.at, fields.get("by") or {}, data, unsure=place.unsure), subject)

    def _must_be_of(self, log: bytes, seq: int) -> bytes:
        if self.origin:
            raise Tampered("sequence", f"is of another log, {log.decode(errors='replace')}", seq)
        self.origin = log.decode(errors="replace")
        return log

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
        self.meaning.uptime.goes_on(self._awake, self._clock)
        self.meaning.finish(self._at)
        if self._newer:
            self._report.undecided.append(
                f"{self._newer} entries are written in a newer form than this verifier knows. Take a newer one."
            )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for key, value in pairs:
        if value is None or not key.isascii():
            raise ValueError(f"{key!r} is null or not ASCII")
    return dict(pairs)


def _no(text: str) -> NoReturn:
    raise ValueError(f"{text} is no whole number")


_decode = json.JSONDecoder(parse_float=_no, parse_constant=_no).decode
_decode_slowly = json.JSONDecoder(object_pairs_hook=_object, parse_float=_no, parse_constant=_no).decode
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False).encode


def _canonical(body: bytes, seq: int) -> dict[str, Any]:
    """The entry as data, after writing it again has given the same bytes."""
    try:
        text = body.decode()
        plain = text.isascii() and "null" not in text
        fields = (_decode if plain else _decode_slowly)(text)
        again = _encode(fields)
    except (ValueError, RecursionError) as error:
        raise Tampered("canonical", f"is not canonical JSON ({error})", seq) from error
    if again != text or not isinstance(fields, dict) or not unicodedata.is_normalized("NFC", text):
        raise Tampered("canonical", "is not in canonical form: written again it is another text", seq)
    return fields
