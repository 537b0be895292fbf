"""What the entries mean together: access only as approved, by others, in time, and always ended.

Judges one request at a time from its own entries. Lateness is an exception to be looked at, with the log's own reason
for it where there is one: a machine that slept is no forgery. It is a failure where the log shows the server up all
the while, and not a word about it.
"""

from __future__ import annotations

from collections.abc import Callable

from . import approving, ending, granted, lasting, members, reviewing
from .report import Report
from .subject import SECOND, Court, Fact, Place, Subject

ACTIONS = frozenset(("session.opened", "session.closed", "db.query", "host.command", "host.file"))
_LATE = b'"late":true'  # no text can hold this: its quotes would be escaped
Judge = Callable[[Court, Subject, Fact], str | None]  # what is wrong with the entry, or None
_JUDGES: dict[str, Judge] = {
    "request.asked": approving.asked, "approval.given": approving.given, "request.approved": approving.approved,
    "request.reminded": approving.called, "request.escalated": approving.called,
    "request.denied": ending.closed, "request.cancelled": ending.closed, "request.expired": ending.closed,
    "grant.active": granted.active, "grant.failed": reviewing.failed, "grant.quarantined": ending.troubled,
    "credential.intended": granted.intended, "credential.issued": granted.issued,
    "credential.aborted": granted.aborted, "grant.ending": ending.ending, "revocation.failed": ending.troubled,
    "grant.ended": ending.ended, "glass.broken": reviewing.broken, "review.opened": reviewing.opened,
    "grant.started": lasting.started, "grant.extended": lasting.extended, "grant.expiring": lasting.expiring,
    "review.flagged": reviewing.flagged, "review.closed": reviewing.closed,
}  # fmt: skip


class Meaning:
    """Fed every entry in order, then `finish`."""

    def __init__(self, report: Report, tolerance: int, policies: set[str], *, whole: bool) -> None:
        self.subjects: dict[bytes | None, Subject] = {}
        self.court = Court(report, tolerance * SECOND, policies, whole)
        self._judged = 0

    def take(self, fact: Fact, subject: Subject | None) -> None:
        if fact.type == "server.started":
            self.court.started = fact.at
        elif fact.type == "policy.loaded":
            self.court.policies.add(str(fact.data.get("policy_hash")))
        judge = _JUDGES.get(fact.type)
        if "looked" in fact.data or fact.type == members.SEEN:
            self._look_at_members(fact, subject)
        if judge is None:
            return
        self._judged += 1
        if wrong := self._judge(judge, subject, fact):
            self.court.fail(subject, fact.seq, f"{fact.type} {wrong}")

    def _look_at_members(self, fact: Fact, subject: Subject | None) -> None:
        look = members.seen if fact.type == members.SEEN else members.untold
        try:
            wrong = look(self.court, fact.data)
        except (KeyError, TypeError, AttributeError) as error:
            wrong = f"lacks what it must have ({type(error).__name__}: {error})"
        if wrong:
            self.court.fail(subject, fact.seq, f"{fact.type} {wrong}")

    def _judge(self, judge: Judge, subject: Subject | None, fact: Fact) -> str | None:
        if subject is None:
            return "belongs to no request"
        try:
            return None if subject.partial else judge(self.court, subject, fact)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return f"lacks what a {fact.type} must have ({type(error).__name__}: {error})"

    def matters(self, type_: str) -> bool:
        """Whether entries of this type are judged."""
        return type_ in _JUDGES or type_ in ACTIONS

    def acted(self, subject: Subject | None, place: Place, type_: str, body: bytes) -> None:
        """An action that happened when its grant was not open, or without one, or by or at somebody else's."""
        if subject is None:
            self.court.fail(None, place.seq, f"{type_} belongs to no request")
        if subject is None or subject.partial:
            return
        if _LATE in body and subject.opens <= place.at:
            granted.told_late(self.court, subject, place, type_)
            wrong = granted.foreign(subject, type_, body)
        else:
            wrong = granted.outside(self.court, subject, place, type_) or granted.foreign(subject, type_, body)
        if wrong:
            self.court.fail(subject, place.seq, f"{type_} {wrong}")

    def finish(self, now: int) -> None:
        """What is still open at the last entry's time."""
        court, report, partial = self.court, self.court.report, 0
        for subject in self.subjects.values():
            partial += subject.partial
            if subject.state in ("approved", "active", "ending") and (
                wrong := ending.late(court, subject, subject.last, now, "is still open")
            ):
                court.fail(subject, subject.last, wrong)
            if subject.state in ("ending", "closed"):
                for n in (n for n, how in subject.leases.items() if how == "intended"):
                    what = f"credential {n} was intended, and nothing says what became of it"
                    court.note(subject, subject.last, what)
        lasting.unspent(court)
        report.passed["meaning"] += self._judged
        if told := reviewing.in_words(court):
            report.remarks.append(told)
        if court.unexplained:
            count = f"{court.unexplained} grant{'s' * (court.unexplained != 1)}"
            report.remarks.append(f"{count} ended late, or not yet, and the log does not say why: ask (exceptions)")
        if partial:
            report.remarks.append(f"{partial} requests began before this range: their meaning was not judged")
