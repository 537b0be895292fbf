"""What the entries mean together: access only as approved, by others, in time, and always ended.

Judges one request at a time from its own entries. Honest lateness (a revocation that failed at the provider, a
server that was down at the deadline) is an exception when the log itself explains it; otherwise it is a failure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .report import Finding, Report

_SECOND = 1_000_000  # times are microseconds
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
    approvers: frozenset[str] = frozenset()
    state: str = ""  # asked, approved, active, ending, closed
    expires_at: int = 0
    opens: int = _NEVER  # when it became active, and when it ended or was to end
    closes: int = 0
    trouble: str = ""
    leases: dict[int, str] = field(default_factory=dict)  # n → intended, issued, aborted


class Fact(NamedTuple):
    """One entry, as far as meaning goes."""

    seq: int
    type: str
    at: int
    by: dict[str, str]
    data: dict[str, Any]


class Meaning:
    """Fed every entry in order, then `finish`."""

    def __init__(self, report: Report, tolerance: int, policies: set[str], *, whole: bool) -> None:
        self.subjects: dict[bytes | None, Subject] = {}
        self._report, self._tolerance = report, tolerance * _SECOND
        self._policies, self._whole = policies, whole
        self._started = self._judged = 0
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

    def outside(self, subject: Subject | None, seq: int, type_: str, at: int) -> None:
        """An action that happened when its grant was not open, or without one."""
        if subject is None:
            self._fail(None, seq, f"{type_} belongs to no request")
        elif not subject.partial and (wrong := self._outside(subject, seq, type_, at)):
            self._fail(subject, seq, f"{type_} {wrong}")

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
        return self._unknown_policy(data["policy_hash"])

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
        return None

    def _unknown_policy(self, policy: str) -> str | None:
        known = policy in self._policies or not self._whole
        return None if known else f"names a policy that was never loaded: {policy[:16]}"

    # The grant

    def _active(self, subject: Subject, fact: Fact) -> str | None:
        if subject.state != "approved":
            return f"comes when the request is {subject.state or 'not asked'}, not approved"
        subject.state, subject.opens, subject.closes = "active", fact.at, subject.expires_at
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
        return self._usable(subject, fact) or (None if by["id"] == subject.asker[0] else "is not for the requester")

    def _usable(self, subject: Subject, fact: Fact) -> str | None:
        if subject.state != "active":
            return f"comes when the grant is {subject.state or 'not there'}, not active"
        return self._outside(subject, fact.seq, fact.type, fact.at)

    def _outside(self, subject: Subject, seq: int, type_: str, at: int) -> str | None:
        """Where it happened while access was not open. Just outside is an exception: clocks and wires take time."""
        if subject.opens == _NEVER:
            return "happened without an active grant"
        outside = max(subject.opens - at, at - subject.closes)
        if outside > self._tolerance:
            return f"happened {_seconds(outside)} outside its grant"
        if outside > 0:
            self._note(subject, seq, f"{type_} happened {_seconds(outside)} outside its grant")
        return None

    # Its end

    def _ended(self, subject: Subject, fact: Fact) -> str | None:
        if subject.state != "ending":
            return f"comes when the grant is {subject.state or 'not there'}, not ending"
        subject.state = "closed"
        issued = sum(1 for how in subject.leases.values() if how == "issued")
        subject.leases = {n: how for n, how in subject.leases.items() if how == "intended"}
        if fact.data["credentials"] < issued:
            return f"speaks of {fact.data['credentials']} credentials, but {issued} were issued"
        return self._late(subject, fact.seq, fact.at, "ended")

    def _late(self, subject: Subject, seq: int, at: int, what: str) -> str | None:
        late = at - subject.expires_at
        if late <= self._tolerance:
            return None
        what = f"{what} {_seconds(late)} after its deadline"
        if subject.trouble:
            self._note(subject, seq, f"{what}; {subject.trouble}")
        elif self._started > subject.expires_at and at - self._started <= self._tolerance:
            self._note(subject, seq, f"{what}; the server was started {_seconds(at - self._started)} before")
        else:
            return f"{what}, and nothing in the log says why"
        return None

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
    expected = "approved" if fact.type == "grant.quarantined" else "ending"
    return None if subject.state == expected else f"comes when the grant is {subject.state or 'not there'}"


def _ending(subject: Subject, fact: Fact) -> str | None:
    was, subject.state, subject.closes = subject.state, "ending", min(fact.at, subject.expires_at)
    return None if was in ("approved", "active") else f"comes when the grant is {was or 'not there'}"


def _aborted(subject: Subject, fact: Fact) -> str | None:
    n = fact.data["n"]
    known, subject.leases[n] = n in subject.leases, "aborted"
    return None if known else f"of credential {n}, which was never intended"


def _seconds(micros: int) -> str:
    seconds = micros / _SECOND
    return f"{seconds:.1f} s" if seconds < 600 else f"{seconds / 60:.0f} min"
