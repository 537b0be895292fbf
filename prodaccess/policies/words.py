"""An explanation, for a terminal and for programs."""

from __future__ import annotations

from typing import Any

from access.duration import short
from access.policy import Explanation
from access.policy.standing import Later

_MARK = {True: "✓", False: "✗", None: "·"}


def explanation_text(said: Explanation) -> str:
    """A headline, the conditions one to a line, then who decides."""
    can = "may ask" if said.allowed else "cannot ask"
    lines = [f"{said.person} {can} for {said.target} · {said.role}" + (f" (rule {said.rule})" if said.rule else "")]
    lines += [] if said.allowed else [f"  {said.why}"]
    lines += [f"  {_MARK[condition.met]} {condition.wants}" for condition in said.conditions]
    if said.rule:
        lines.append(f"  decided by {said.approval}")
        lines.append(f"  asked at once: {', '.join(said.asked) or 'nobody'}")
    lines += [f"  asked later: {_later(later)}" for later in said.later]
    return "\n".join([*lines, *(f"  {note}" for note in (*said.unknown, *said.notes))])


def _later(later: Later) -> str:
    when = f"from {later.at:%Y-%m-%d %H:%M %Z}" if later.at else "once those before have approved"
    return f"{', '.join(later.people)} {when}"


def explanation_data(said: Explanation) -> dict[str, Any]:
    """Durations as `parse_duration` takes them, times in ISO 8601."""
    return {
        "person": said.person,
        "target": said.target,
        "role": said.role,
        "allowed": said.allowed,
        "rule": said.rule,
        "why": said.why,
        "conditions": [{"field": c.field, "wants": c.wants, "met": c.met} for c in said.conditions],
        "missing": list(said.missing),
        "approval": said.approval,
        "asked": list(said.asked),
        "later": [{"people": list(x.people), "at": x.at.isoformat() if x.at else None} for x in said.later],
        "unknown": list(said.unknown),
        "max": short(said.maximum),
        "notes": list(said.notes),
    }
