"""A session's statements as a timeline on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from .output import at, coloured, safe, terminal_width, wrapped

Fact = dict[str, Any]
_ACTS = ("db.query", "host.command", "host.file")
_GOOD = ("ok", "skipped")
_WRITES = ("write", "schema")
_SHORT = 400  # characters of a statement, unless all of it is wanted


def replayed(told: dict[str, Any], *, only: str, full: bool) -> str:
    """The whole page. `only`: `writes`, `errors` or everything."""
    session, entries = told["session"], told["entries"]
    began = datetime.fromisoformat(session["opened_at"])
    lines = [_title(session)]
    for fact in entries:
        if fact["kind"] in _ACTS and _is_wanted(fact, only):
            lines += _act(fact, began, full=full)
        elif fact["kind"] == "session.cut":
            lines.append(f"{_clock(fact, began)}  cut by {safe(fact['by'] or 'nobody')}")
    return "\n".join([*lines, _end(session, entries)])


def _title(session: dict[str, Any]) -> str:
    client = f" with {safe(session['client'])}" if session["client"] else ""
    return (
        f"{session['id']} · {safe(session['requester'])} at {safe(session['target'])} ({safe(session['host'])}) "
        f"from {safe(session['address'])}{client}, {at(session['opened_at'])}\n"
    )


def _end(session: dict[str, Any], entries: list[Fact]) -> str:
    acts = [fact for fact in entries if fact["kind"] in _ACTS]
    failed = sum(1 for fact in acts if _outcome(fact) not in _GOOD)
    count = f"{len(acts)} statement{'' if len(acts) == 1 else 's'}, {failed} failed"
    if session["closed_at"] is None:
        return f"\n{count} so far; it is open."
    return f"\n{count}. Closed {at(session['closed_at'])}: {safe(session['why'])}\nrecording {session['recording']}"


def _is_wanted(fact: Fact, only: str) -> bool:
    facts = fact["facts"]
    if only == "errors":
        return _outcome(fact) not in _GOOD
    return only != "writes" or facts.get("kind") in _WRITES or facts.get("coverage") != "full"


def _act(fact: Fact, began: datetime, *, full: bool) -> Iterator[str]:
    facts, bad = fact["facts"], _outcome(fact) not in _GOOD
    state = "failed" if bad else "pending" if facts.get("kind") in _WRITES else ""
    head = f"{_clock(fact, began)}  {_lasted(facts):>8}  {_gave(facts):>12}  "
    text = safe(facts["text"]) if full else _shortened(facts["text"])
    values = f"  -- {safe(facts['values'])}" if facts.get("values") else ""
    for line in wrapped(head, text + values, f"[{fact['seq']}]", terminal_width()):
        yield coloured(line, state)


def _shortened(text: str) -> str:
    line = " ".join(safe(part) for part in text.split())
    return line if len(line) <= _SHORT else f"{line[:_SHORT]}…"


def _outcome(fact: Fact) -> str:
    return str(fact["facts"].get("outcome", "ok"))


def _clock(fact: Fact, began: datetime) -> str:
    """When it was sent, since the session was opened."""
    lasted = (fact["facts"].get("lasted") or 0) / 1_000_000
    seconds = max(0.0, (datetime.fromisoformat(fact["at"]) - began).total_seconds() - lasted)
    minutes, rest = divmod(seconds, 60)
    return f"+{int(minutes):02}:{rest:06.3f}"


def _lasted(facts: dict[str, Any]) -> str:
    micros = facts.get("lasted")
    if micros is None:
        return "—"
    return f"{micros / 1000:.1f} ms" if micros < 1_000_000 else f"{micros / 1_000_000:.1f} s"


def _gave(facts: dict[str, Any]) -> str:
    outcome = facts.get("outcome", "ok")
    if outcome != "ok":
        return safe(f"error {outcome}" if len(outcome) == 5 and outcome != "ok" else outcome)
    rows = facts.get("rows")
    return "" if rows is None else f"{rows} row{'' if rows == 1 else 's'}"
