"""Durations as people type them and as people read them."""

from __future__ import annotations

import re
from datetime import timedelta

from access.errors import BadInput

_UNITS = {
    "s": 1,
    "sec": 1,
    "second": 1,
    "m": 60,
    "min": 60,
    "minute": 60,
    "h": 3600,
    "hr": 3600,
    "hour": 3600,
    "d": 86400,
    "day": 86400,
}
_MOST = 10 * 366 * 86400  # seconds: more is as much as this, and no rule allows it
_PART = re.compile(r"([0-9]{1,6})\s*([a-z]+)")
_HALF_AN_HOUR = re.compile(r"\bhalf an? hour\b")
_ONE = re.compile(r"\b(?:an?|one|another)\s+(?=[a-z])")
_HOURS_AND_MINUTES = re.compile(r"\b([0-9]{1,6}) ?h ?([0-5][0-9])$")


def parse_duration(text: str) -> timedelta:
    """`30m`, `1h`, `1h30m`, `1h30`, `2 hours`, `an hour`; ten years at most. Raises BadInput."""
    cleaned = _ONE.sub("1 ", _HALF_AN_HOUR.sub("30m", text.strip().lower()))
    cleaned = _HOURS_AND_MINUTES.sub(r"\1h\2m", cleaned)
    total, rest = 0, cleaned
    for number, unit in _PART.findall(cleaned):
        seconds = _UNITS.get(unit) or _UNITS.get(unit.removesuffix("s"))
        if seconds is None:
            break
        total += int(number) * seconds
        rest = rest.replace(f"{number}{unit}", "", 1) if f"{number}{unit}" in rest else _PART.sub("", rest, count=1)
    if total <= 0 or rest.strip(" ,"):
        raise BadInput(f"“{text[:40]}” is not a duration. Write 30m, 1h or 1h30m.", field="duration")
    return timedelta(seconds=min(total, _MOST))


def looks_like_duration(text: str) -> bool:
    """Whether one word is meant as a duration: `1h` yes, `OPS-1` no."""
    try:
        parse_duration(text)
    except BadInput:
        return False
    return True


def in_words(duration: timedelta) -> str:
    """`1 hour 30 minutes`; the two largest units, whole seconds, never empty."""
    seconds = max(0, round(duration.total_seconds()))
    parts = []
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {name}{'' if count == 1 else 's'}")
    return " ".join(parts[:2]) or "0 seconds"


def short(duration: timedelta) -> str:
    """`1h30m`: what `parse_duration` takes back."""
    seconds = round(duration.total_seconds())
    parts = []
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60), ("s", 1)):
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
