"""A recording as the server reads it out: statements with their times, or records as they are."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from ..exits import Usage
from ..output import safe

Fact = dict[str, Any]
_MOST = 200_000_000  # bytes


def bounded(lines: Iterable[bytes], most: int = _MOST) -> Iterator[bytes]:
    """What is kept in memory to be gone through. Raises Usage."""
    size = 0
    for line in lines:
        size += len(line)
        if size > most:
            raise Usage(
                "This is too long to be shown like this: --raw --json or --asciicast FILE gives it as it comes."
            )
        yield line


def facts_of(lines: Iterable[bytes], began: datetime) -> tuple[list[Fact], str]:
    """Statements as the log would tell them, with the database's own words of an error; and what is wrong, if anything.

    A statement's number in the session stands for that of its entry.
    """
    facts: dict[int, Fact] = {}
    trouble = "It has no end: its gateway stopped, or it is still open."
    for line in lines:
        record = json.loads(line)
        if isinstance(record, dict):
            trouble = record.get("broken") or ("" if record.get("whole") else trouble)
            continue
        at, kind, data = record
        if kind == "asked":
            facts[data["n"]] = _asked(at, data, began)
        elif kind == "answered" and data["n"] in facts:
            _answer(facts[data["n"]], at, data)
    return list(facts.values()), trouble


def _asked(at: int, data: dict[str, Any], began: datetime) -> Fact:
    values = json.dumps(data["values"], ensure_ascii=False) if data.get("values") else ""
    facts = {"text": data["text"], "values": values, "outcome": "unknown", "lasted": None, "rows": None}
    sent = began + timedelta(microseconds=at)
    return {"seq": data["n"], "kind": "db.query", "at": sent.isoformat(), "since": at, "facts": facts}


def _answer(fact: Fact, at: int, data: dict[str, Any]) -> None:
    """A text of several commands is answered several times: the time is that of the last."""
    facts, before = fact["facts"], fact["facts"]["lasted"] or 0
    facts["lasted"] = at - fact["since"]
    ended = datetime.fromisoformat(fact["at"]) + timedelta(microseconds=facts["lasted"] - before)
    fact["at"] = ended.isoformat()
    if data.get("rows") is not None:
        facts["rows"] = (facts["rows"] or 0) + data["rows"]
    if data.get("code") or facts["outcome"] == "unknown":
        facts["outcome"] = "skipped" if data.get("skipped") else data.get("code") or "ok"
    if data.get("message"):
        facts["text"] += f"  -- {data['message']}"


def records_of(lines: Iterable[bytes]) -> Iterator[str]:
    """One line each: when, what, and all that is known of it."""
    for line in lines:
        record = json.loads(line)
        if isinstance(record, dict):
            yield safe(record.get("broken", "")) or ("" if record.get("whole") else "It has no end.")
            continue
        at, kind, data = record
        rest = " ".join(f"{name}={safe(str(value))}" for name, value in data.items() if value not in (None, "", []))
        yield f"+{at / 1e6:010.3f}  {kind:<14} {rest}"
