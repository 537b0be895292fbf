"""Durations as people type and read them; the server has the last word on what it accepts."""

from __future__ import annotations

import re

_UNIT = r"(?:s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?)"
_DURATION = re.compile(rf"(?:[0-9]{{1,6}}\s*{_UNIT}[\s,]*)+", re.IGNORECASE)


def looks_like_duration(text: str) -> bool:
    """`30m`, `1h30m`, `2 hours`."""
    return _DURATION.fullmatch(text) is not None


def in_words(seconds: float) -> str:
    """`1 hour 30 minutes`: the two largest units, never empty."""
    rest, parts = max(0, round(seconds)), []
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count} {name}{'' if count == 1 else 's'}")
    return " ".join(parts[:2]) or "0 seconds"


def short(seconds: float) -> str:
    """`59m`, `1h05m`, `45s`: for tables, cut off and not rounded up."""
    whole = max(0, int(seconds))
    hours, minutes = divmod(whole // 60, 60)
    if hours >= 48:
        return f"{hours // 24}d"
    if hours:
        return f"{hours}h{minutes:02}m"
    return f"{minutes}m" if minutes else f"{whole}s"
