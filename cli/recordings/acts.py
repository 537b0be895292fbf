"""One act of a session in words: how long it took, what it gave, its text."""

from __future__ import annotations

from typing import Any

from ..output import safe

ACTS = ("db.query", "host.command", "host.file")
WRITES = ("write", "schema")
_GOOD = ("ok", "skipped")
_SHORT = 400  # characters of a statement, unless all of it is wanted


def outcome(facts: dict[str, Any]) -> str:
    """`ok`, a database's error code, `exit 3`, `refused`."""
    code = facts.get("exit_code")
    return str(facts.get("outcome") or (f"exit {code}" if code else "ok"))


def is_bad(facts: dict[str, Any]) -> bool:
    """Whether it did not do what it was to do."""
    return outcome(facts) not in _GOOD


def lasted(facts: dict[str, Any]) -> str:
    micros = facts.get("lasted")
    if micros is None:
        return "—"
    return f"{micros / 1000:.1f} ms" if micros < 1_000_000 else f"{micros / 1_000_000:.1f} s"


def gave(facts: dict[str, Any]) -> str:
    """`3 rows`, `error 42P01`, `exit 1`."""
    said = outcome(facts)
    if said != "ok":
        return safe(f"error {said}" if len(said) == 5 else said)
    rows = facts.get("rows")
    return "" if rows is None else f"{rows} row{'' if rows == 1 else 's'}"


def text_of(facts: dict[str, Any], *, full: bool) -> str:
    """What was typed, with the values that went with it; of a file what was done to it."""
    text = str(facts["text"]) if "text" in facts else ", ".join(facts.get("touches") or ())
    values = f"  -- {safe(str(facts['values']))}" if facts.get("values") else ""
    return (safe(text) if full else _shortened(text)) + values


def _shortened(text: str) -> str:
    line = " ".join(safe(part) for part in text.split())
    return line if len(line) <= _SHORT else f"{line[:_SHORT]}…"
