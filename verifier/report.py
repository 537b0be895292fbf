"""What was checked, what was found, and how it is said to people and to programs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

VERIFIED, TAMPERED, UNDECIDED, USAGE = 0, 1, 2, 3
_VERDICTS = {VERIFIED: "verified", TAMPERED: "TAMPERING FOUND", UNDECIDED: "cannot decide"}
_COLOURS = {VERIFIED: "32", TAMPERED: "31", UNDECIDED: "33"}
_SHOWN = 10  # of a kind, for people; a program gets up to _KEPT
_KEPT = 1000

#: check → what it asserts
CHECKS = {
    "files": "every file of the bundle has the size and SHA-256 that its manifest names",
    "tables": "the log lies in tables, not in views (missing guards against change are exceptions)",
    "signature": "checkpoints are signed by the given key, and after its successor was named, by that one",
    "sequence": "entries are numbered without gaps, each at its own place",
    "leaf": "the stored leaf hash is the hash of the entry",
    "canonical": "entries are written in the one canonical form (queries, commands and files: all of it with --deep)",
    "clock": "recorded_at never decreases, and the log's clock is that of its last entry",
    "subject": "each request's entries are counted and chained without gaps",
    "root": "the recomputed root is what every checkpoint says",
    "tiles": "stored tiles are what the entries hash to",
    "consistency": "the log continues what was signed before (--since)",
    "receipt": "the log holds what the receipt says",
    "anchors": "cosignatures of the given witnesses are over what the log says",
    "payload": "texts kept beside the log are those that it committed to",
    "policy": "the text of each policy that an entry names is there, has that hash, and there is no other",
    "meaning": "access happened only as approved, by others, and ended (lateness is an exception)",
}


class Unreadable(Exception):
    """What was given cannot be read, so nothing can be decided."""


class Tampered(Exception):
    """A check that failed; nothing behind it can be checked. `entry` is the first bad one, where one is known."""

    def __init__(self, check: str, what: str, entry: int | None = None) -> None:
        super().__init__(what)
        self.finding = Finding(check, what, entry)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong, or something to be looked at."""

    check: str
    what: str
    entry: int | None = None
    ref: str = ""


@dataclass
class Report:
    """Collects while the checks run. Failures come in the order of the log; the first is the first bad entry."""

    source: str
    origin: str = ""
    first: int = 0
    entries: int = 0
    last_at: int = 0  # µs since the epoch; 0: not read
    checkpoints: int = 0
    size: int = 0  # of the last checkpoint that holds
    root: str = ""
    passed: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, str] = field(default_factory=dict)  # check → why
    failures: list[Finding] = field(default_factory=list)
    exceptions: list[Finding] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    more: Counter[str] = field(default_factory=Counter)  # findings beyond _KEPT

    def fail(self, finding: Finding) -> None:
        self._keep("failures", finding)

    def note(self, finding: Finding) -> None:
        """An exception that the log itself explains."""
        self._keep("exceptions", finding)

    def _keep(self, kind: str, finding: Finding) -> None:
        kept: list[Finding] = getattr(self, kind)
        if len(kept) < _KEPT:
            kept.append(finding)
        else:
            self.more[kind] += 1

    @property
    def not_yet_signed(self) -> int:
        return max(0, self.first + self.entries - self.size)

    @property
    def exit(self) -> int:
        if self.failures:
            return TAMPERED
        return UNDECIDED if self.undecided else VERIFIED

    def as_json(self) -> str:
        failed = {finding.check for finding in self.failures}
        told = ("source", "origin", "first", "entries", "last_at", "checkpoints", "size", "root", "not_yet_signed",
                "exit", "undecided", "remarks")  # fmt: skip
        facts = {name: getattr(self, name) for name in told}
        facts |= {kind: [asdict(each) for each in getattr(self, kind)] for kind in ("failures", "exceptions")}
        facts |= {"verdict": _VERDICTS[self.exit].lower(), "more": dict(self.more)}
        facts["checks"] = {name: self._state(name, failed) for name in CHECKS}
        return json.dumps(facts, ensure_ascii=False, indent=2, sort_keys=True)

    def _state(self, name: str, failed: set[str]) -> dict[str, str | int]:
        if name in failed:
            return {"state": "failed"}
        if self.passed[name]:
            return {"state": "ok", "count": self.passed[name]}
        return {"state": "not checked", "why": self.skipped.get(name, "there was nothing to check it on")}

    def as_text(self, *, colour: bool) -> str:
        """A few lines. What comes from the log is stripped of control characters."""
        verdict = _VERDICTS[self.exit]
        if colour:
            verdict = f"\033[{_COLOURS[self.exit]}m{verdict}\033[0m"
        return "\n".join([*(_plain(line) for line in self._lines()), f"{verdict}{_plain(self._because())}"])

    def _lines(self) -> Iterator[str]:
        yield f"log        {self.origin or '?'} ({self.source})"
        last = self.first + self.entries - 1
        yield f"entries    {self.first} to {last}{_when(self.last_at)}" if self.entries else "entries    none"
        if self.size:
            signed = f"{self.checkpoints} checkpoint{'s' * (self.checkpoints != 1)}, the last at size {self.size}"
            yield f"signed     {signed}, root {self.root}"
        if self.size and self.not_yet_signed:
            yield f"           {self.not_yet_signed} entries behind it are not yet signed"
        failed = {finding.check for finding in self.failures}
        yield "ok         " + (", ".join(f"{n} {self.passed[n]}" for n in CHECKS if self.passed[n] and n not in failed))
        for name, why in self.skipped.items():
            yield f"not        {name}: {why}"
        for remark in self.remarks:
            yield f"remark     {remark}"
        yield from self._listed("exceptions", "exception ")
        yield from self._listed("failures", "FAILED    ")

    def _listed(self, kind: str, word: str) -> Iterator[str]:
        found: list[Finding] = getattr(self, kind)
        for finding in found[:_SHOWN]:
            where = f"entry {finding.entry}: " if finding.entry is not None else ""
            yield f"{word} {finding.check}: {where}{finding.ref}{' ' * bool(finding.ref)}{finding.what}"
        rest = len(found) - _SHOWN + self.more[kind]
        if rest > 0:
            yield f"{word} … and {rest} more (--json lists them)"

    def _because(self) -> str:
        if self.failures:
            return f": {self.failures[0].check} failed"
        if self.undecided:
            return ": " + " ".join(self.undecided)
        count = len(self.exceptions) + self.more["exceptions"]
        return f", with {count} exception{'s' * (count != 1)} to look at" if count else ""


def _when(micros: int) -> str:
    try:
        return f", the last of {datetime.fromtimestamp(micros // 1_000_000, UTC):%Y-%m-%d %H:%M:%S} UTC" * bool(micros)
    except (ValueError, OverflowError, OSError):
        return ", the last of no possible time"


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else "�" for char in text)
