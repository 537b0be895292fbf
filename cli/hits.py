"""Entries that were found in the audit log, as a table; and a query that was not understood, with its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .exits import Usage
from .output import at, safe, say, table, width

Hit = dict[str, Any]
#: what a query can name, and in words
KEYS = {
    "actor:ada": "a person",
    "ref:PA-7": "a request",
    "ticket:OPS-412": "a ticket; ticket:OPS-* for all that begin so",
    "target:orders-db": "a target, as in the policy",
    "table:orders": "a table that a statement touched; table:public.orders where it named the schema",
    "path:/etc/**": "a file, or all below a directory",
    "host:use1-db-7": "a host; host:use1-* for all that begin so",
    "session:S": "one recorded session",
    "op:write": "what was done there: read, write, delete, execute, connect",
    "type:credential.*": "a kind of entry",
    "coverage:opaque": "what may have touched anything there; also partial, full",
    "after:2026-11-01": "from that day (UTC) or ISO time on",
    "before:2026-12-01": "until that day or time",
    "last:7d": "the last 7 days; also h, m, w",
    '"refunds stuck"': "these words, in this order",
    "refunds": "a word; -refunds: not that word",
}
_PLACE = re.compile(r"at character ([0-9]{1,4})")
_HITS = ("ENTRY", "TIME", "WHO", "WHAT", "REQUEST", "TARGET", "TEXT")
_PEOPLE = ("WHO", "TARGET", "DID", "TIMES", "FIRST", "LAST", "ENTRY")


def keys_in_words() -> str:
    """The query language, for help pages."""
    return "\n".join(f"  {key:<21}{meaning}" for key, meaning in KEYS.items())


def query_of(words: Sequence[str]) -> str:
    """The query: one argument is it as it stands; of several, one with a space in it is a phrase."""
    if len(words) == 1:
        return words[0]
    return " ".join(f'"{word}"' if " " in word and '"' not in word else word for word in words)


def hits_table(hits: Sequence[Hit]) -> str:
    """One line for each."""
    return table(_HITS, [_row(hit) for hit in hits])


def people_table(people: Sequence[dict[str, Any]]) -> str:
    """One line for what each did at each target."""
    return table(_PEOPLE, [
        (*(safe(of[name] or "—") for name in ("actor", "target", "op")), str(of["count"]), at(of["first"]),
         at(of["last"]), str(of["last_seq"]))
        for of in people
    ])  # fmt: skip


def say_how_far(answer: dict[str, Any]) -> None:
    """Where the index is behind the log, and what that means for the answer."""
    if answer["indexed_to"] >= answer["head"]:
        return
    said = f"Indexed up to entry {answer['indexed_to']} of {answer['head']}"
    if answer["missed"]:
        first, last = answer["missed"]
        say(f"{said}: entries {first} to {last} were not looked at. Ask again in a while.")
    else:
        say(f"{said}; newer ones were read one by one.")


def point_at(query: str, error: Usage) -> None:
    """The query on one line, and a caret under the place that the error is about."""
    if found := _PLACE.search(str(error)):
        before = safe(query[: int(found[1]) - 1])
        say(f"{safe(query)}\n{' ' * width(before)}^")


def _row(hit: Hit) -> tuple[str, ...]:
    who, rest = safe(hit["actor"] or "—"), (safe(hit[name]) for name in ("type", "ref", "target"))
    return (str(hit["seq"]), at(hit["at"]), who, *rest, _what(hit))


def _what(hit: Hit) -> str:
    unsure = hit["coverage"] if hit["coverage"] not in ("", "full") else ""
    said = ", ".join(safe(part) for part in (hit["op"].replace(" ", "+"), unsure) if part)
    return ": ".join(part for part in (said, safe(hit["text"])) if part)
