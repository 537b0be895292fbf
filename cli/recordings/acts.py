"""One act of a session in words: when it began, how long it took, what it gave, its text."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ..output import safe

ACTS = ("db.query", "host.command", "host.file")
_WRITES = ("write", "schema")
_CHANGES = ("write ", "delete ")  # what an act's touches of a file begin with
_GOOD = ("ok", "skipped")
_SHORT = 400  # characters of a statement, unless all of it is wanted
_SHORT_HASH = 12


def outcome(facts: dict[str, Any]) -> str:
    """`ok`, a database's error code, `exit 3`, `refused`."""
    code = facts.get("exit_code")
    return str(facts.get("outcome") or (f"exit {code}" if code else "ok"))


def is_bad(facts: dict[str, Any]) -> bool:
    """Whether it did not do what it was to do."""
    return outcome(facts) not in _GOOD


def is_write(facts: dict[str, Any]) -> bool:
    """Whether it is one by its kind, or changes a file."""
    return facts.get("kind") in _WRITES or any(touch.startswith(_CHANGES) for touch in facts.get("touches") or ())


def began(fact: dict[str, Any]) -> datetime:
    """When it was sent; its entry is written when it is over."""
    return datetime.fromisoformat(fact["at"]) - timedelta(microseconds=fact["facts"].get("lasted") or 0)


def lasted(facts: dict[str, Any]) -> str:
    micros = facts.get("lasted")
    if micros is None:
        return "—"
    return f"{micros / 1000:.1f} ms" if micros < 1_000_000 else f"{micros / 1_000_000:.1f} s"


def gave(facts: dict[str, Any]) -> str:
    """`3 rows`, `error 42P01`, `exit 1`; of a file `12 bytes`."""
    said = outcome(facts)
    if said != "ok":
        return safe(f"error {said}" if len(said) == 5 else said)
    for many, unit in ((facts.get("rows"), "row"), (facts.get("size"), "byte")):
        if many is not None:
            return f"{many} {unit}{'' if many == 1 else 's'}"
    return ""


def text_of(facts: dict[str, Any], *, full: bool) -> str:
    """What was typed, with the values that went with it; of a file what was done to it, and the hash of what passed."""
    text = str(facts["text"]) if "text" in facts else _of_file(facts, full=full)
    values = f"  -- {safe(str(facts['values']))}" if facts.get("values") else ""
    return (safe(text) if full else _shortened(text)) + values


def _of_file(facts: dict[str, Any], *, full: bool) -> str:
    paths = dict.fromkeys(touch.partition(" path:")[2] or touch for touch in facts.get("touches") or ())
    said = f"{facts.get('kind') or 'touch'} {' → '.join(paths)}"
    passed = str(facts.get("sha256") or "")
    return f"{said}  sha256 {passed if full else passed[:_SHORT_HASH]}" if passed else said


def _shortened(text: str) -> str:
    line = " ".join(safe(part) for part in text.split())
    return line if len(line) <= _SHORT else f"{line[:_SHORT]}…"
