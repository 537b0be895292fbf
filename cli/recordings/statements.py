"""A session's statements as a timeline on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..output import at, coloured, safe, terminal_width, wrapped
from .acts import ACTS, began, gave, is_bad, is_write, lasted, text_of

Fact = dict[str, Any]


@dataclass(frozen=True)
class Look:
    """What is wanted of it. `only`: `writes`, `errors` or everything; `search`: what has this in its text."""

    only: str = ""
    search: str = ""
    full: bool = False

    def wants(self, fact: Fact) -> bool:
        facts = fact["facts"]
        if self.search and self.search.casefold() not in text_of(facts, full=True).casefold():
            return False
        if self.only == "errors":
            return is_bad(facts)
        return self.only != "writes" or changes(facts)


def page(told: dict[str, Any], look: Look) -> str:
    """All of it."""
    session, entries = told["session"], _in_order(told["entries"])
    opened = datetime.fromisoformat(session["opened_at"])
    lines = [_title(session)]
    for fact in entries:
        if fact["kind"] in ACTS and look.wants(fact):
            lines += _act(fact, opened, full=look.full)
        elif fact["kind"] == "session.cut":
            lines.append(f"{_clock(fact, opened)}  cut by {safe(fact['by'] or 'nobody')}")
    return "\n".join([*lines, _end(session, entries)])


def changes(facts: dict[str, Any]) -> bool:
    """Whether it may change something, as far as that can be told."""
    return is_write(facts) or facts.get("coverage", "full") != "full"


def step_through(told: dict[str, Any], look: Look, ask: Callable[[], str] = input) -> None:
    """One after the other: Enter, w, e, /TEXT, q."""
    opened = datetime.fromisoformat(told["session"]["opened_at"])
    print(_title(told["session"]))
    wanted = look
    for fact in _in_order(told["entries"]):
        if fact["kind"] not in ACTS or not look.wants(fact) or not wanted.wants(fact):
            continue
        print("\n".join(_act(fact, opened, full=True)))
        try:
            typed = ask()
        except EOFError:
            return
        if typed == "q":
            return
        wanted = Look({"w": "writes", "e": "errors"}.get(typed, ""), typed[1:] if typed[:1] == "/" else "")
    print(_end(told["session"], told["entries"]))


def _title(session: dict[str, Any]) -> str:
    client = f" with {safe(session['client'])}" if session["client"] else ""
    return (
        f"{session['id']} · {safe(session['requester'])} at {safe(session['target'])} ({safe(session['host'])}) "
        f"from {safe(session['address'])}{client}, {at(session['opened_at'])}\n"
    )


def _end(session: dict[str, Any], entries: list[Fact]) -> str:
    acts = [fact for fact in entries if fact["kind"] in ACTS]
    failed = sum(1 for fact in acts if is_bad(fact["facts"]))
    count = f"{_counted(session, acts)}{f', {failed} failed' if failed else ''}"
    if session["closed_at"] is None:
        return f"\n{count} so far; it is open."
    return f"\n{count}. Closed {at(session['closed_at'])}: {safe(session['why'])}\nrecording {session['recording']}"


def _counted(session: dict[str, Any], acts: list[Fact]) -> str:
    """`2 commands, 1 file`; of a database `3 statements`."""
    named = {"db.query": "statement", "host.command": "command", "host.file": "file"}
    kinds = ["db.query"] if session["gateway"] == "postgres" else ["host.command", "host.file"]
    counts = [(sum(fact["kind"] == kind for fact in acts), named[kind]) for kind in kinds]
    return ", ".join(f"{n} {name}{'' if n == 1 else 's'}" for n, name in counts if n or name != "file")


def _act(fact: Fact, opened: datetime, *, full: bool) -> Iterator[str]:
    facts = fact["facts"]
    state = "failed" if is_bad(facts) else "pending" if is_write(facts) else ""
    head = f"{_clock(fact, opened)}  {lasted(facts):>8}  {gave(facts):>12}  "
    for line in wrapped(head, text_of(facts, full=full), f"[{fact['seq']}]", terminal_width()):
        yield coloured(line, state)


def _in_order(entries: list[Fact]) -> list[Fact]:
    """As it was sent: what lasts stands in the log behind what it did meanwhile."""
    return sorted(entries, key=began)


def _clock(fact: Fact, opened: datetime) -> str:
    """When it was sent, since the session was opened."""
    seconds = max(0.0, (began(fact) - opened).total_seconds())
    minutes, rest = divmod(seconds, 60)
    return f"+{int(minutes):02}:{rest:06.3f}"
