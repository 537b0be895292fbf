"""What the entries mean together: access only as approved, by others, in time, and always ended.

Judges one request at a time from its own entries. Lateness is an exception to be looked at, with the log's own reason
for it where there is one: a machine that slept is no forgery. It is a failure where the log shows the server up all
the while, and not a word about it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .report import Finding, Report
from .uptime import Uptime

_SECOND = 1_000_000  # times are microseconds
_ESCALATES = 300 * _SECOND  # a revocation that goes on failing is written down again well within this
_NEVER = 1 << 62
ACTIONS = frozenset(("session.opened", "session.closed", "db.query", "host.command", "host.file"))


@dataclass(slots=True)
class Subject:
    """One request as its entries tell it. It stays in memory, so it is small: a few hundred bytes."""

    ref: str
    n: int
    last: int  # seq of its last entry
    partial: bool  # its beginning lies before the range: its meaning is not judged
    asker: tuple[str, str] = ("", "")  # person id, Slack id
    promised: int = 0  # how many approvals were needed when it was asked for: later policies do not lower that
    needed: int = 0
    owns: bool = False  # the policy lets the requester count; replaying the decisions holds it to that
    duration: int = 0
    digest: str = ""
    lapses_at: int = _NEVER
    mark: bytes = b""  # how the requester's entries begin, and how they name the target
    at_target: bytes = b""
    approvers: frozenset[str] = frozenset()
    state: str = ""  # asked, approved, active, ending, closed
    expires_at: int = 0
    opens: int = _NEVER  # when it became active, and when it ended or was to end
    closes: int = 0
    trouble: str = ""
    excused: int = 0  # until when the trouble explains a delay
    leases: dict[int, str] = field(default_factory=dict)  # n → intended, issued, aborted, taken back (after issued)


class Fact(NamedTuple):
    """One entry, as far as meaning goes."""

    seq: int
    type: str
    at: int
    by: dict[str, str]
    data: dict[str, Any]
    unsure: bool = False  # the clock stood behind: its time may be wrong


class Place(NamedTuple):
    """Where an entry stands, and when it says it happened."""

    seq: int
    at: int
    unsure: bool


class Meaning:
    """Fed every entry in order, then `finish`."""

    def __init__(self, report: Report, tolerance: int, policies: set[str], *, whole: bool) -> None:
        self.subjects: dict[bytes | None, Subject] = {}
        self._report, self._tolerance = report, tolerance * _SECOND
        self._policies, self._whole = policies, whole
        self.uptime = Uptime()
        self.before_start = 0  # recorded_at of the entry in front of the last start
        self._started = self._judged = self._unexplained = 0
        self._judges: dict[str, Callable[[Subject, Fact], str | None]] = {
            "request.asked": self._asked, "approval.given": self._given, "request.approved": self._approved,
            "request.denied": _closed, "request.cancelled": _closed, "request.expired": _closed,
            "grant.active": self._active, "grant.failed": _closed, "grant.quarantined": _troubled,
            "credential.intended": self._intended, "credential.issued": self._issued,
            "credential.aborted": _aborted, "grant.ending": _ending, "revocation.failed": _troubled,
            "grant.ended": self._ended,
        }  # fmt: skip

    def take(self, fact: Fact, subject: Subject | None) -> None:
        if fact.type == "server.started":
            self._started = fact.at
        elif fact.type == "policy.loaded":
            self._policies.add(str(fact.data.get("policy_hash")))
        judge = self._judges.get(fact.type)
        if judge is None:
            return
        try:
            wrong = "belongs to no request" if subject is None else None if subject.partial else judge(subject, fact)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            wrong = f"lacks what a {fact.type} must have ({type(error).__name__}: {error})"
        self._judged += 1
        if wrong:
            self._fail(subject, fact.seq, f"{fact.type} {wrong}")

    def matters(self, type_: str) -> bool:
        """Whether entries of this type are judged."""
        return type_ in self._judges or type_ in ACTIONS

    def acted(self, subject: Subject | None, place: Place, type_: str, body: bytes) -> None:
        """An action that happened when its grant was not open, or without one, or by or at somebody else's."""
        if subject is None:
            self._fail(None, place.seq, f"{type_} belongs to no request")
        elif not subject.partial and (wrong := self._outside(subject, place, type_) or _foreign(subject, type_, body)):
            self._fail(subject, place.seq, f"{type_} {wrong}")

    def finish(self, now: int) -> None:
        """What is still open at the last entry's time."""
        partial = 0
        for subject in self.subjects.values():
            partial += subject.partial
            if subject.state in ("approved", "active", "ending"):
                wrong = self._late(subject, subject.last, now, "is still open")
                if wrong:
                    self._fail(subject, subject.last, wrong)
            if subject.state in ("ending", "closed"):
                for n in (n for n, how in subject.leases.items() if how == "intended"):
                    self._note(
                        subject, subject.last, f"credential {n} was intended, and nothing says what became of it"
                    )
        self._report.passed["meaning"] += self._judged
        if self._unexplained:
            count = f"{self._unexplained} grant{'s' * (self._unexplained != 1)}"
            self._report.remarks.append(
                f"{count} ended late, or not yet, and the log does not say why: ask (exceptions)"
            )
        if partial:
            self._report.remarks.append(f"{partial} requests began before this range: their meaning was not judged")

    # Asking and approving

    def _asked(self, subject: Subject, fact: Fact) -> str | None:
        data, by = fact.data, fact.by
        if subject.state or subject.n:
            return "is not the first entry of its request"
        subject.state, subject.asker = "asked", (by["id"], by["slack_id"])
        subject.promised = subject.needed = data["approvals_needed"]
        subject.duration, subject.digest = data["duration"], data["digest"]
        subject.lapses_at = data["lapses_at"]
        subject.mark = b'{"by":{"id":%b,' % _json(by["id"])
        subject.at_target = b'"target":%b' % _json(data["target"])
        return self._unknown_policy(data["policy_hash"])

    def _given(self, subject: Subject, fact: Fact) -> str | None:
        data, by = fact.data, fact.by
        if subject.state != "asked":
            return f"comes when the request is {subject.state or 'not asked'}"
        if data.get("own_request", False):
            subject.owns = True
        elif by["id"] == subject.asker[0] or by["slack_id"] == subject.asker[1]:
            return f"was given by the requester, {by['name']}"
        if data["digest"] != subject.digest:
            return "approves something else than what was asked"
        subject.approvers |= {by["id"]}
        subject.needed = max(subject.promised, data["needed"])  # of alternatives, the one that this approval counts to
        return self._lapsed(subject, fact) or self._unknown_policy(data["policy_hash"])

    def _lapsed(self, subject: Subject, fact: Fact) -> str | None:
        late = fact.at - subject.lapses_at
        if late <= 0:
            return None
        what = f"came {_seconds(late)} after the request had lapsed"
        if late > self._tolerance and not fact.unsure:
            return what
        self._note(subject, fact.seq, f"{fact.type} {what}")
        return None

    def _approved(self, subject: Subject, fact: Fact) -> str | None:
        data = fact.data
        counted = set(data["approvers"])
        if subject.state != "asked":
            return f"comes when the request is {subject.state or 'not asked'}"
        subject.state, subject.expires_at = "approved", data["expires_at"]
        if subject.asker[0] in counted and not subject.owns:
            return "counts the requester among the approvers"
        if not counted <= subject.approvers:
            return f"counts approvals that were not given: {', '.join(sorted(counted - subject.approvers))}"
        if len(counted) < subject.needed:
            return f"needs {subject.needed} approvals by others and has {len(counted)}"
        if subject.expires_at > fact.at + (subject.duration + 1) * _SECOND:
            return "lasts longer than was asked for"
        return self._lapsed(subject, fact)

    def _unknown_policy(self, policy: str) -> str | None:
        known = policy in self._policies or not self._whole
        return None if known else f"names a policy that was never loaded: {policy[:16]}"

    # The grant

    def _active(self, subject: Subject, fact: Fact) -> str | None:
        if subject.state != "approved":
            return f"comes when the request is {subject.state or 'not asked'}, not approved"
        subject.state, subject.opens, subject.closes = "active", fact.at, subject.expires_at
        subject.trouble, subject.excused = "", 0  # what was in doubt before explains nothing from here on
        return None if fact.data["expires_at"] == subject.expires_at else "has another deadline than was approved"

    def _intended(self, subject: Subject, fact: Fact) -> str | None:
        n, by = fact.data["n"], fact.by
        if n in subject.leases:
            return f"repeats credential {n}"
        subject.leases[n] = "intended"
        return self._usable(subject, fact) or (None if by["id"] == subject.asker[0] else "is not for the requester")

    def _issued(self, subject: Subject, fact: Fact) -> str | None:
        n, by = fact.data["n"], fact.by
        before = subject.leases.get(n, "not intended")
        subject.leases[n] = "issued"
        if before != "intended":
            return f"of credential {n}, which was {before}"
        if fact.data["not_after"] > subject.expires_at:
            return f"of credential {n}, which outlives its grant"
        return self._usable(subject, fact) or (None if by["id"] == subject.asker[0] else "is not for the requester")

    def _usable(self, subject: Subject, fact: Fact) -> str | None:
        if subject.state != "active":
            return f"comes when the grant is {subject.state or 'not there'}, not active"
        return self._outside(subject, Place(fact.seq, fact.at, fact.unsure), fact.type)

    def _outside(self, subject: Subject, place: Place, type_: str) -> str | None:
        """Where it happened while access was not open. Just outside is an exception: clocks and wires take time."""
        if subject.opens == _NEVER:
            return "happened without an active grant"
        outside = max(subject.opens - place.at, place.at - subject.closes)
        if outside > self._tolerance and not place.unsure:
            return f"happened {_seconds(outside)} outside its grant"
        if outside > 0:
            self._note(subject, place.seq, f"{type_} happened {_seconds(outside)} outside its grant")
        return None

    # Its end

    def _ended(self, subject: Subject, fact: Fact) -> str | None:
        if subject.state != "ending":
            return f"comes when the grant is {subject.state or 'not there'}, not ending"
        subject.state, how = "closed", list(subject.leases.values())
        issued = how.count("issued") + how.count("taken back")
        if fact.data["credentials"] < issued:
            return f"speaks of {fact.data['credentials']} credentials, but {issued} were issued"
        if fact.data["credentials"] > issued + how.count("aborted"):  # some of these were made, and never issued
            return f"speaks of {fact.data['credentials']} credentials, but only {issued} were issued"
        if not fact.data["proof"]:
            return "says nothing of what was checked at the provider"
        return self._late(subject, fact.seq, fact.at, "ended")

    def _late(self, subject: Subject, seq: int, at: int, what: str) -> str | None:
        late = at - subject.expires_at
        if late <= self._tolerance:
            return None
        what = f"{what} {_seconds(late)} after its deadline"
        if why := self._reason(subject, at):
            self._note(subject, seq, f"{what}; {why}")
            return None
        what = f"{what}, and nothing in the log says why"
        if self.uptime.was_up(subject.expires_at, at):
            return f"{what}, although the server was up"
        self._unexplained += 1
        self._note(subject, seq, what)
        return None

    def _reason(self, subject: Subject, at: int) -> str:
        """Trouble that was still going on, or a server that was down at the deadline and ended it at its start."""
        if subject.trouble and at <= subject.excused:
            return subject.trouble
        is_down = self._started > subject.expires_at and self.before_start <= subject.expires_at + self._tolerance
        if is_down and at - self._started <= self._tolerance:
            return f"the server was started {_seconds(at - self._started)} before"
        return ""

    def _note(self, subject: Subject, seq: int, what: str) -> None:
        self._report.note(Finding("meaning", what, seq, subject.ref))

    def _fail(self, subject: Subject | None, seq: int, what: str) -> None:
        self._report.fail(Finding("meaning", what, seq, subject.ref if subject else ""))


def _closed(subject: Subject, fact: Fact) -> str | None:
    expected = ("approved",) if fact.type == "grant.failed" else ("asked",)
    was, subject.state = subject.state, "closed"
    return None if was in expected else f"comes when the request is {was or 'not asked'}"


def _troubled(subject: Subject, fact: Fact) -> str | None:
    subject.trouble = subject.trouble or f"{fact.type} in entry {fact.seq}: {str(fact.data['why'])[:200]}"
    goes_on = fact.type == "grant.quarantined" or fact.data["escalated"]
    subject.excused = max(subject.excused, _NEVER if goes_on else fact.at + _ESCALATES)
    expected = "approved" if fact.type == "grant.quarantined" else "ending"
    return None if subject.state == expected else f"comes when the grant is {subject.state or 'not there'}"


def _ending(subject: Subject, fact: Fact) -> str | None:
    was, subject.state, subject.closes = subject.state, "ending", min(fact.at, subject.expires_at)
    return None if was in ("approved", "active") else f"comes when the grant is {was or 'not there'}"


def _aborted(subject: Subject, fact: Fact) -> str | None:
    n = fact.data["n"]
    known = subject.leases.get(n)
    subject.leases[n] = "taken back" if known in ("issued", "taken back") else "aborted"
    return None if known else f"of credential {n}, which was never intended"


def _foreign(subject: Subject, type_: str, body: bytes) -> str | None:
    if not body.startswith(subject.mark) and (body.startswith(b'{"by":') or type_ != "session.closed"):
        return "was not done by the requester"
    if type_ != "session.closed" and subject.at_target not in body:
        return "was done at another target than was asked for"
    return None


def _json(text: str) -> bytes:
    return json.dumps(text, ensure_ascii=False).encode()


def _seconds(micros: int) -> str:
    seconds = micros / _SECOND
    return f"{seconds:.1f} s" if seconds < 600 else f"{seconds / 60:.0f} min"
