"""How a request ends: once, with everything taken back, and in time. Late is an exception where the log says why."""

from __future__ import annotations

from .subject import NEVER, SECOND, Court, Fact, Subject, seconds

_ESCALATES = 300 * SECOND  # a revocation that goes on failing is written down again well within this


def closed(_: Court, subject: Subject, fact: Fact) -> str | None:
    expected = ("approved",) if fact.type == "grant.failed" else ("asked",)
    was, subject.state = subject.state, "closed"
    return None if was in expected else f"comes when the request is {was or 'not asked'}"


def ending(_: Court, subject: Subject, fact: Fact) -> str | None:
    was, subject.state, subject.closes = subject.state, "ending", min(fact.at, subject.expires_at)
    if fact.data["cause"] == "not_used" and not subject.waits:
        return "says that it was not used, and it was"
    return None if was in ("approved", "active") else f"comes when the grant is {was or 'not there'}"


def troubled(_: Court, subject: Subject, fact: Fact) -> str | None:
    subject.trouble = subject.trouble or f"{fact.type} in entry {fact.seq}: {str(fact.data['why'])[:200]}"
    goes_on = fact.type == "grant.quarantined" or fact.data["escalated"]
    subject.excused = max(subject.excused, NEVER if goes_on else fact.at + _ESCALATES)
    expected = "approved" if fact.type == "grant.quarantined" else "ending"
    return None if subject.state == expected else f"comes when the grant is {subject.state or 'not there'}"


def ended(court: Court, subject: Subject, fact: Fact) -> str | None:
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
    return late(court, subject, fact.seq, fact.at, "ended")


def late(court: Court, subject: Subject, seq: int, at: int, what: str) -> str | None:
    """An end, or none yet, at this time."""
    delay = at - subject.expires_at
    if delay <= court.tolerance:
        return None
    what = f"{what} {seconds(delay)} after its deadline"
    if why := _reason(court, subject, at):
        court.note(subject, seq, f"{what}; {why}")
        return None
    what = f"{what}, and nothing in the log says why"
    if court.uptime.was_up(subject.expires_at, at):
        return f"{what}, although the server was up"
    court.unexplained += 1
    court.note(subject, seq, what)
    return None


def _reason(court: Court, subject: Subject, at: int) -> str:
    """Trouble that was still going on, or a server that was down at the deadline and ended it at its start."""
    if subject.trouble and at <= subject.excused:
        return subject.trouble
    is_down = court.started > subject.expires_at and court.before_start <= subject.expires_at + court.tolerance
    if is_down and at - court.started <= court.tolerance:
        return f"the server was started {seconds(at - court.started)} before"
    return ""
