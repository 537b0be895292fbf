"""audit who: who touched something."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from ..exits import Usage
from ..hits import hits_table, people_table, point_at, query_of, say_how_far
from ..output import print_json, safe

ABOUT = """\
Name a table, a path or a host, and a span of time where you can: the query is written as for audit search. The answer
has three parts: those whose recorded statements and commands name it, those who ran something there at the time
whose effect cannot be told from its text (a script, a function), and those who held a credential there of which no
session was recorded: what they did is in the target's own log, under the same request.

Statements are recorded as they were typed. table:orders is the table in any schema; of table:public.orders, those that
say only orders are in the second part."""
EXAMPLES = """\
  prodaccess audit who 'table:orders after:2026-11-01'
  prodaccess audit who 'path:/etc/shadow last:90d'
  prodaccess audit who 'host:db-1 after:2026-11-20 before:2026-11-21' --json"""
_COUNTED = 500  # credentials; the server counts no further
WORDS = "table: path: host: target: op: after: before: last:"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("query", nargs="+", metavar="QUERY", help="a table, a path or a host, and when")


def run(args: argparse.Namespace) -> int:
    from ..server.api import Api

    query = query_of(args.query)
    try:
        answer = Api().audit_touched(query)
    except Usage as error:
        point_at(query, error)
        raise
    if args.json:
        print_json(answer)
        return 0
    print(_told(answer))
    say_how_far(answer)
    return 0


def _told(answer: dict[str, Any]) -> str:
    thing = safe(answer["object"])
    if answer["definite"] or answer["possible"]:
        return "\n\n".join([*_for_certain(thing, answer), *_perhaps(answer), *_unrecorded(answer)])
    if answer["unrecorded"]:
        return "\n\n".join([f"No recording names {thing}.", *_unrecorded(answer)])
    return f"Nobody: nothing recorded names {thing}, and nothing there could hide it."


def _for_certain(thing: str, answer: dict[str, Any]) -> Iterator[str]:
    if answer["people"]:
        yield f"{thing} was touched by{_at_least(answer)}:\n{people_table(answer['people'])}"
    if answer["definite"]:
        yield f"The newest entries that name it{_more('definite', answer)}:\n{hits_table(answer['definite'])}"
    else:
        yield f"Nobody for certain: nothing recorded names {thing}."


def _at_least(answer: dict[str, Any]) -> str:
    counted = answer["counted_from"]
    since = "" if counted is None else f", counted from entry {counted} on"
    return f"{since}{', and by others' if answer['more_people'] else ''}"


def _perhaps(answer: dict[str, Any]) -> Iterator[str]:
    if answer["possible"]:
        ran = f"what ran{_where(answer)} without saying all that it touches"
        yield f"Perhaps: {ran}{_more('possible', answer)}:\n{hits_table(answer['possible'])}"


def _unrecorded(answer: dict[str, Any]) -> Iterator[str]:
    if count := answer["unrecorded"]:
        were = "credential was" if count == 1 else "credentials were"
        shown = answer["credentials"]
        newest = f" (the newest {len(shown)})" if count > len(shown) else ""
        yield (
            f"{count}{' or more' * (count >= _COUNTED)} {were} issued{_where(answer) or ' there'} whose use nobody"
            f" recorded{newest}:\n{hits_table(shown)}"
        )


def _where(answer: dict[str, Any]) -> str:
    where = ", ".join(map(safe, answer["places"]))
    return f" at {where}" if where else ""


def _more(part: str, answer: dict[str, Any]) -> str:
    return f" (there are more than these {len(answer[part])})" if answer[f"more_{part}"] else ""
