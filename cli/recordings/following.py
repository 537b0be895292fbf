"""Sessions on the terminal while they run: one line for each thing that happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from ..output import Progress, coloured, safe, say, terminal_width, wrapped
from ..waiting import insist
from .acts import gave, is_bad, lasted, text_of

if TYPE_CHECKING:
    from ..server.api import Api

Fact = dict[str, Any]
_SHOWN = 8  # open sessions that are named at the beginning


def follow(api: Api, of: str, show: Callable[[Fact], None]) -> None:
    """Until there is nothing to come any more; a server that is away for a moment is waited for."""
    progress, came = Progress(), api.watch(of, -1, 0)
    say(_beginning(of, came["sessions"]))
    try:
        while True:
            for fact in came["entries"]:
                show(fact)
            if came["over"] and not came["more"]:
                return say(f"{of} is over.")
            came = insist(partial(api.watch, of, came["after"]), of or "watch", progress)
            progress.clear()
    finally:
        progress.clear()


def printed(fact: Fact, *, of: str) -> str:
    """What happened; who it was, where that is not clear from what is watched."""
    return "\n".join(_lines(fact, of))


def _lines(fact: Fact, of: str) -> Iterator[str]:
    facts = fact["facts"]
    who = "" if of else f"{safe(fact['by'] or '—')}  "
    head = f"{datetime.fromisoformat(fact['at']).astimezone():%H:%M:%S}  {safe(str(facts.get('session', '')))}  {who}"
    if fact["kind"].startswith("session."):
        yield from wrapped(head, _turn(fact), "", terminal_width())
        return
    flags = ", ".join(safe(flag) for flag in facts.get("flags") or ())
    state = "failed" if is_bad(facts) else "pending" if flags else ""
    text = f"{f'⚠ {flags}: ' if flags else ''}{text_of(facts, full=False)}"
    for line in wrapped(f"{head}{lasted(facts):>8}  {gave(facts):>12}  ", text, "", terminal_width()):
        yield coloured(line, state)


def _turn(fact: Fact) -> str:
    facts = fact["facts"]
    match fact["kind"]:
        case "session.opened":
            client = f" with {safe(facts['client'])}" if facts.get("client") else ""
            return (
                f"opened by {safe(fact['by'] or '—')} at {safe(facts['target'])} from {safe(facts['address'])}{client}"
            )
        case "session.cut":
            return f"cut by {safe(fact['by'] or 'prodaccess')}"
    return f"closed: {safe(facts['why'])}"


def _beginning(of: str, sessions: Sequence[dict[str, Any]]) -> str:
    still = [session for session in sessions if session["closed_at"] is None]
    named = [f"{session['id']} ({safe(session['requester'])} at {safe(session['target'])})" for session in still]
    more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
    what = f"Open: {', '.join(named[:_SHOWN])}{more}." if named else "No session is open."
    return f"{what} Ctrl-C ends the watch{'' if of else ' of everything that you may see'}."
