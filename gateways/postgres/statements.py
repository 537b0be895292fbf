"""What a statement touches, as far as its text says. Never more than that: what cannot be told is said to be opaque.

The text is parsed by sqlglot. Nobody sees from outside what DO, EXECUTE, a function or a trigger does, so a statement
that uses what is not known to be harmless is `opaque`: it may have touched anything that its user can touch.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.resources import files

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

from access.sessions.flags import OPAQUE as UNTOLD
from access.sessions.flags import PROGRAM, ROLES
from gateways.postgres import risks

logging.getLogger("sqlglot").disabled = True  # its warnings quote the statement, and so whatever secret is in it

FULL, OPAQUE = "full", "opaque"
SHORT = 2_000  # characters that are understood in a moment
_LONGEST = 30_000  # characters; parsing takes time, and what is longer is not written by hand

READ, WRITE, SCHEMA, SESSION, OTHER = "read", "write", "schema", "session", "other"
_WEIGHT = (SESSION, READ, OTHER, WRITE, SCHEMA)  # of several statements in one text, the heaviest names it
#: a setting of the session decides whether such a quote ends its string; other encodings have it inside a character.
#: And nobody has read a name that is written in numbers
_AMBIGUOUS = re.compile(r"\\'|\ufffd|u&\"", re.IGNORECASE)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class Understood:
    """`touches` are `read table:public.orders`, `write …`, `schema …`; `shape` is the text without its literals.

    `flags` as `access.sessions.flags` has them: never fewer than what its words say.
    """

    kind: str
    touches: tuple[str, ...]
    coverage: str
    shape: str
    flags: frozenset[str] = frozenset()


@lru_cache(maxsize=4096)
def understand(text: str) -> Understood:
    """Of everything that one text holds. Never raises."""
    try:
        tokens = sqlglot.tokenize(text, read="postgres") if len(text) <= _LONGEST else None
    except SqlglotError:
        tokens = None
    if tokens is None:
        return unread(text)
    is_clear = not _AMBIGUOUS.search(text) and risks.read_alike(text, tokens)
    parts = [_part(text[part[0].start : part[-1].end + 1], part) for part in _split(tokens)]
    kinds = {part.kind for part in parts} or {SESSION}
    return Understood(
        kind=max(kinds, key=_WEIGHT.index),
        touches=tuple(dict.fromkeys(touch for part in parts for touch in part.touches)),
        coverage=FULL if is_clear and all(part.coverage == FULL for part in parts) else OPAQUE,
        shape=_shape(text, tokens),
        flags=frozenset[str]().union(*(part.flags for part in parts), () if is_clear else risks.might(text)),
    )


def unread(text: str) -> Understood:
    """Of a text that nobody looks into: everything that its words could mean."""
    return Understood(OTHER, (), OPAQUE, text[:1000], frozenset(risks.might(text)))


def _split(tokens: list[Token]) -> Iterator[list[Token]]:
    part: list[Token] = []
    for token in tokens:
        if token.token_type is TokenType.SEMICOLON:
            if part:
                yield part
            part = []
        else:
            part.append(token)
    if part:
        yield part


# One statement

#: what only concerns the session itself
_SESSION = _words(
    """abort begin checkpoint close commit deallocate discard end fetch listen move notify release rollback savepoint
    show start unlisten"""
)
#: what is followed by something that reads and writes like any statement. What stands before it has no comment, and
#: quotations only as names: where it ends must not be read differently in the database
_CALLED = r'(?:[\w$]+|"[^"]*")'
_WRAPPED = re.compile(
    r"\s*+(?:explain\s*+(?:\([\w\s,.]*\)\s*+|(?:(?:analyze|verbose)\s++)*)"
    rf"|declare\s++{_CALLED}\s++(?:(?:binary|insensitive|asensitive|no\s++scroll|scroll)\s++)*cursor\s++"
    r"(?:with(?:out)?\s++hold\s++)?for\s++"
    rf"|prepare\s++{_CALLED}(?:\s*+\([\w\s,.]*\))?\s++as\s++)",
    re.IGNORECASE,
)
_UPKEEP = re.compile(
    r"(?P<verb>lock|vacuum|analyze|cluster|reindex|refresh\s+materialized\s+view)\s+(?:\([^)]*\)\s*)?"
    r"(?:(?:table|index|full|freeze|verbose|analyze|concurrently|only)\s+)*(?P<name>[\w.\"$]+)",
    re.IGNORECASE,
)
_OWNER = re.compile(
    r"alter\b(?!\s+(?:role|user|group|default))", re.IGNORECASE
)  # what is altered is told by the parser
_DEFINES = _words("alter comment drop grant revoke")


_DEEPEST = 2  # EXPLAIN DECLARE …; whatever goes on is no statement, and would take long to be read


def _part(text: str, tokens: list[Token], deep: int = 0) -> Understood:
    if deep <= _DEEPEST and (wrapped := _WRAPPED.match(text)) is not None:
        return _wrapped(text[: wrapped.end()], text[wrapped.end() :], deep + 1)
    word, flags = tokens[0].text.lower(), risks.of_words(tokens)
    if word in _SESSION:
        return Understood(SESSION, (), FULL, "")
    if word in ("set", "reset"):
        return Understood(SESSION, (), FULL, "", frozenset(flags))
    if upkeep := _UPKEEP.fullmatch(text) or (_UPKEEP.match(text) if word == "lock" else None):
        kind = READ if word in ("lock", "analyze", "vacuum") else SCHEMA
        return Understood(kind, (f"{kind} table:{_bare(upkeep['name'])}",), FULL, "", frozenset(flags))
    if word in ("create", "alter", "drop", "reassign") and ROLES in flags and not _OWNER.match(text):
        return Understood(SCHEMA, (), FULL, "", frozenset(flags))
    return _parsed(text, tokens, flags)


def _wrapped(begins: str, text: str, deep: int) -> Understood:
    try:
        tokens = sqlglot.tokenize(text, read="postgres")
    except SqlglotError:  # what was taken for its beginning ended inside of a quotation
        tokens = []
    if not tokens:
        return Understood(OTHER, (), OPAQUE, "", frozenset(risks.might(text)))
    inner = _part(text, tokens, deep)
    return replace(inner, flags=inner.flags & {UNTOLD}) if risks.only_planned(begins, tokens[0]) else inner


def _parsed(text: str, tokens: list[Token], flags: set[str]) -> Understood:
    try:
        trees = [tree for tree in sqlglot.parse(text, read="postgres") if tree is not None]
    except (SqlglotError, RecursionError):
        trees = []
    if len(trees) != 1 or isinstance(trees[0], exp.Command | exp.Alias):
        # of definitions many are not parsed, and none of them runs what it defines
        unread = {UNTOLD} if tokens[0].text.lower() in _DEFINES else risks.might(text)
        return Understood(OTHER, (), OPAQUE, "", frozenset(flags | unread))
    tree = trees[0]
    touches = tuple(dict.fromkeys(_touches(tree)))
    flags |= risks.of_tree(tree)
    if PROGRAM in flags or not _all_harmless(tree, tokens):
        return Understood(_kind(tree, touches), touches, OPAQUE, "", frozenset(flags | {UNTOLD}))
    return Understood(_kind(tree, touches), touches, FULL, "", frozenset(flags))


_SCHEMA = (exp.Create, exp.Alter, exp.Drop, exp.Comment, exp.Grant, exp.Revoke, exp.TruncateTable)
_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge)


def _kind(tree: exp.Expr, touches: tuple[str, ...]) -> str:
    if isinstance(tree, _SCHEMA):
        return WRITE if isinstance(tree, exp.TruncateTable) else SCHEMA
    return WRITE if any(touch.startswith("write") for touch in touches) else READ


def _touches(tree: exp.Expr) -> Iterator[str]:
    """Names as they are written: which schema an unqualified one is in depends on the session's search path."""
    changed = {id(table): verb for table, verb in _changed(tree)}
    own = {cte.alias.lower() for cte in tree.find_all(exp.CTE)}
    for table in tree.find_all(exp.Table):
        name = _name(table)
        verb = changed.get(id(table), "read")
        if name and not (verb == "read" and not table.db and name.lower() in own):
            yield f"{verb} table:{name}"


def _changed(tree: exp.Expr) -> Iterator[tuple[exp.Expr, str]]:
    if isinstance(tree, exp.Copy) and tree.args.get("kind"):
        yield from ((table, "write") for table in _own_tables(tree))
    if isinstance(tree, _SCHEMA):
        verb = "write" if isinstance(tree, exp.TruncateTable) else "schema"
        several = isinstance(tree, exp.TruncateTable | exp.Drop)
        yield from ((table, verb) for table in (tree.find_all(exp.Table) if several else _own_tables(tree)))
    for write in tree.find_all(*_WRITES):
        yield from ((table, "write") for table in _own_tables(write))


def _own_tables(node: exp.Expr) -> Iterator[exp.Expr]:
    """The table that a statement is about, also where it stands with its columns."""
    target = node.this
    if isinstance(target, exp.Schema):
        target = target.this
    if isinstance(target, exp.Index):
        target = target.args.get("table")
    if isinstance(target, exp.Table):
        yield target
    secured = node.args.get("securable")
    if isinstance(secured, exp.Table):
        yield secured


def _name(table: exp.Table) -> str:
    inner = table.this
    if not isinstance(inner, exp.Identifier):
        return ""  # a function that stands for a table
    parts = [part.name for part in (table.args.get("catalog"), table.args.get("db"), inner) if part is not None]
    return ".".join(parts)


# Functions

#: words that stand before a bracket and are no function's name
_GRAMMAR = _words(
    """all and any array as between bit by case cast char character check coalesce collate columns conflict copy cross
    cube current_date current_time current_timestamp decimal distinct do else except exists extract filter float for
    from greatest group grouping having in index insert intersect interval into is join json_array json_exists
    json_object json_query json_table json_value key lateral least left like limit localtime localtimestamp
    materialized natural nchar normalize not nullif numeric offset on only or order over overlay partition position
    precision primary range recursive references returning right rollup row rows select set sets similar some
    substring table tablesample then time timestamp timestamptz trim treat union unique update using values varchar
    varying view when where window with within xmlconcat xmlelement xmlforest xmlparse xmlpi xmlroot xmlserialize"""
)


@cache
def _harmless() -> frozenset[str]:
    text = files("gateways.postgres").joinpath("harmless.txt").read_text("utf-8")
    return frozenset(word for line in text.splitlines() if not line.startswith("#") for word in line.split())


def _all_harmless(tree: exp.Expr, tokens: list[Token]) -> bool:
    """Whether every function that is called is known. A name before a bracket that is a table's is none."""
    tables = {part.lower() for table in tree.find_all(exp.Table) for part in _name(table).split(".")}
    aliases = {alias.alias.lower() for alias in tree.find_all(exp.CTE, exp.TableAlias, exp.Table) if alias.alias}
    if isinstance(tree, exp.Create) and (tree.args.get("kind") or "").upper() in ("FUNCTION", "PROCEDURE", "TRIGGER"):
        return False
    called = {name for name, quoted in _called(tokens) if quoted or name not in _GRAMMAR}
    return called <= _harmless() | tables | aliases | {f"qualified.{table}" for table in tables}


def _called(tokens: list[Token]) -> Iterator[tuple[str, bool]]:
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        if after is None or after.token_type is not TokenType.L_PAREN or not re.match(r"[\w$]", token.text):
            continue
        if token.token_type in (TokenType.STRING, TokenType.NUMBER, TokenType.PARAMETER):
            continue
        name, quoted = token.text, token.token_type is TokenType.IDENTIFIER
        qualified = before is not None and before.token_type is TokenType.DOT
        yield (f"qualified.{name}" if qualified else name if quoted else name.lower()), quoted


# Shapes

_LITERAL = frozenset(
    (
        TokenType.STRING, TokenType.NUMBER, TokenType.HEREDOC_STRING, TokenType.BIT_STRING, TokenType.HEX_STRING,
        TokenType.BYTE_STRING, TokenType.NATIONAL_STRING, TokenType.RAW_STRING, TokenType.UNICODE_STRING,
    )
)  # fmt: skip
_LIST = re.compile(r"\(\?(?:, ?\?)+\)")


_QUOTED = re.compile(r"\$(\w*)\$.*?\$\1\$|[eE]?'(?:[^'\\]|''|\\.)*'|(?<![\w$])\d[\d.]*", re.DOTALL)


def _shape(text: str, tokens: list[Token]) -> str:
    if any(risks.is_swallowed(token) for token in tokens):
        return _LIST.sub("(?, …)", " ".join(_QUOTED.sub("?", text).split()))[:2000]
    made: list[str] = []
    end = -1
    for token in tokens:
        if made and token.start > end + 1:
            made.append(" ")
        numbered = token.token_type is TokenType.NUMBER and made[-1:] == ["$"]
        literal = token.token_type in _LITERAL and not numbered
        made.append("?" if literal else text[token.start : token.end + 1])
        end = token.end
    return _LIST.sub("(?, …)", "".join(made))[:2000]


def _bare(name: str) -> str:
    return name.replace('"', "")
