"""One request's entries as a story on the terminal: when, who, what; a heading for each day."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from .output import coloured, safe, terminal_width, width, wrapped

Fact = dict[str, Any]
_MARKS = {
    "approval.given": "✓", "request.approved": "✓", "request.denied": "✗", "act.refused": "✗", "grant.active": "▶",
    "credential.issued": "▶", "grant.ending": "■", "grant.ended": "■", "grant.failed": "✗", "revocation.failed": "!",
    "credential.aborted": "!", "grant.quarantined": "!", "grant.extended": "▶", "grant.expiring": "!",
}  # fmt: skip
_COLOURED_AS = {"✗": "failed", "!": "pending", "▶": "active"}
_DONE_IN_SESSION = ("db.query", "host.command", "host.file")


def timeline(ref: str, facts: Sequence[Fact]) -> str:
    """The whole page."""
    return "\n".join([_title(ref, facts), *_lines(facts)])


def _title(ref: str, facts: Sequence[Fact]) -> str:
    asked = next((fact["facts"] for fact in facts if fact["kind"] == "request.asked"), None)
    named = [asked["target"], asked["role"], asked["ticket"]] if asked else []
    span = f"entries {facts[0]['seq']}-{facts[-1]['seq']}, {len(facts)} of this request" if facts else "no entries"
    return f"{' · '.join([ref, *(safe(name) for name in named if name)])}\n{span}"


def _lines(facts: Sequence[Fact]) -> Iterator[str]:
    space = max([width(safe(fact["by"] or "—")) for fact in facts], default=0)
    day = None
    for fact in facts:
        local = datetime.fromisoformat(fact["at"]).astimezone()
        if local.date() != day:
            day = local.date()
            yield f"\n{local:%A, %d %B %Y %Z}"
        yield from _fact(fact, f"{local:%H:%M:%S}", space)


def _fact(fact: Fact, time: str, space: int) -> Iterator[str]:
    mark, who = _MARKS.get(fact["kind"], " "), safe(fact["by"] or "—")
    inside = "│ " if fact["kind"] in _DONE_IN_SESSION else ""
    head = f"{time}  {who}{' ' * (space - width(who))}  {mark} "
    for line in wrapped(f"{head}{inside}", _did(fact), f"[{fact['seq']}]", terminal_width()):
        yield coloured(line, _COLOURED_AS.get(mark, ""))
    for sentence in _proof(fact):
        yield from wrapped(" " * width(head), safe(sentence), "", terminal_width())


def _did(fact: Fact) -> str:
    if fact["kind"] != "grant.ended":
        return safe(fact["did"])
    issued = fact["facts"]["credentials"]
    return f"ended; {issued} credential{'' if issued == 1 else 's'} issued"


def _proof(fact: Fact) -> list[str]:
    """What was checked at the provider, one line for each."""
    if fact["kind"] != "grant.ended":
        return []
    ended = fact["facts"]
    tried = ["Every credential that was handed out was tried at the target and refused."] if ended.get("tried") else []
    later = [f"Dead by {ended['effective_by']} at the latest."] if ended.get("effective_by") else []
    return [*ended["proof"], *tried, *later]
