"""audit search: entries of the audit log."""

from __future__ import annotations

import argparse

from ..exits import Usage
from ..hits import hits_table, keys_in_words, point_at, query_of, say_how_far
from ..output import print_json, say

ABOUT = f"""\
Newest first. Put the query in single quotes: the shell would eat its stars and double quotes. All parts of a query
must hold; a name before a colon says where to look:

{keys_in_words()}

Words are whole words, names or parts of a path: orders finds public.orders, but not reorders. Every search is an
entry of the log itself, with your name and the query. The policy names who may search under `auditors`."""
EXAMPLES = """\
  prodaccess audit search 'actor:linus table:refunds op:write last:30d'
  prodaccess audit search 'type:credential.* target:orders-db after:2026-11-01 before:2026-12-01'
  prodaccess audit search '"refunds stuck" -deploy' --limit 200
  prodaccess audit search 'coverage:opaque last:7d' --json | jq -r '.hits[].ref'"""
MOST = 200
WORDS = "actor: ref: ticket: target: table: path: host: session: op: type: coverage: after: before: last:"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("query", nargs="+", metavar="QUERY", help="what to find")
    parser.add_argument("--limit", type=int, default=50, metavar="N", help=f"at most so many, up to {MOST}; usually 50")


def run(args: argparse.Namespace) -> int:
    from ..server.api import Api

    query = query_of(args.query)
    if not 1 <= args.limit <= MOST:
        raise Usage(f"--limit is from 1 to {MOST}, and not {args.limit}.")
    try:
        answer = Api().audit_search(query, args.limit)
    except Usage as error:
        point_at(query, error)
        raise
    if args.json:
        print_json(answer)
        return 0
    if answer["hits"]:
        print(hits_table(answer["hits"]))
    else:
        print("Nothing found. A query looks like: actor:linus table:public.orders op:write after:2026-11-01")
    if answer["more"]:
        say(f"There are more than these {len(answer['hits'])}. Narrow it with after: and before:, or raise --limit.")
    say_how_far(answer)
    return 0
