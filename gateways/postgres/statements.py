"""What a statement touches, as far as its text says. Never more than that: what cannot be told is said to be opaque.

The text is parsed by sqlglot. Nobody sees from outside what DO, EXECUTE, a function or a trigger does, so a statement
that uses what is not known to be harmless is `opaque`: it may have touched anything that its user can touch.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

logging.getLogger("sqlglot").disabled = True  # its warnings quote the statement, and so whatever secret is in it

FULL, OPAQUE = "full", "opaque"
_LONGEST = 100_000  # characters; parsing takes time, and what is longer is not written by hand

READ, WRITE, SCHEMA, SESSION, OTHER = "read", "write", "schema", "session", "other"
_WEIGHT = (SESSION, READ, OTHER, WRITE, SCHEMA)  # of several statements in one text, the heaviest names it
#: a setting of the session decides whether such a quote ends its string; other encodings have it inside a character
_AMBIGUOUS = re.compile(r"\\'|\ufffd")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


@dataclass(frozen=True, slots=True)
class Understood:
    """`touches` are `read table:public.orders`, `write …`, `schema …`; `shape` is the text without its literals.

    `flags`: `everything` (a write without WHERE), `role` (changes who it acts as or who may do what), `program` (runs
    or reads something outside the database).
    """

    kind: str
    touches: tuple[str, ...]
    coverage: str
    shape: str
    flags: frozenset[str] = frozenset()


@lru_cache(maxsize=4096)
def understand(text: str) -> Understood:
    """Of everything that one text holds. Never raises."""
    if len(text) > _LONGEST:
        return Understood(OTHER, (), OPAQUE, text[:1000])
    try:
        tokens = sqlglot.tokenize(text, read="postgres")
    except SqlglotError:
        return Understood(OTHER, (), OPAQUE, text[:1000])
    parts = [_part(text[part[0].start : part[-1].end + 1], part) for part in _split(tokens)]
    kinds = {part.kind for part in parts} or {SESSION}
    return Understood(
        kind=max(kinds, key=_WEIGHT.index),
        touches=tuple(dict.fromkeys(touch for part in parts for touch in part.touches)),
        coverage=OPAQUE if _AMBIGUOUS.search(text) or any(part.coverage == OPAQUE for part in parts) else FULL,
        shape=_shape(text, tokens),
        flags=frozenset[str]().union(*(part.flags for part in parts)),
    )


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
#: what is followed by something that reads and writes like any statement
_WRAPPED = re.compile(
    r"\s*(?:explain\s*(?:\([^)]*\)\s*|(?:(?:analyze|verbose)\s+)*)"
    r"|declare\s+\S+\s+(?:binary\s+|insensitive\s+|asensitive\s+|no\s+scroll\s+|scroll\s+)*cursor\s+"
    r"(?:with(?:out)?\s+hold\s+)?for\s+"
    r"|prepare\s+\S+\s*(?:\([^)]*\))?\s+as\s+)",
    re.IGNORECASE,
)
_UPKEEP = re.compile(
    r"(?P<verb>lock|vacuum|analyze|cluster|reindex|refresh\s+materialized\s+view)\s+(?:\([^)]*\)\s*)?"
    r"(?:(?:table|index|full|freeze|verbose|analyze|concurrently|only)\s+)*(?P<name>[\w.\"$]+)",
    re.IGNORECASE,
)
_ROLES = re.compile(
    r"(?:create|alter|drop)\s+(?:role|user|group)\b|(?:set|reset)\s+(?:session\s+|local\s+)?(?:role|session\s+auth)"
    r"|grant\b|revoke\b|reassign\s+owned|drop\s+owned|alter\s+default\s+privileges",
    re.IGNORECASE,
)
_PROGRAM = re.compile(r"\bcopy\b.*\b(?:program\b|(?:from|to)\s+'|(?:from|to)\s+e')", re.IGNORECASE | re.DOTALL)


def _part(text: str, tokens: list[Token]) -> Understood:
    stripped = _WRAPPED.sub("", text, count=1) if _WRAPPED.match(text) else text
    if stripped != text:
        return _part(stripped, sqlglot.tokenize(stripped, read="postgres"))
    word = tokens[0].text.lower()
    flags = {"role"} if _ROLES.match(text) else set[str]()
    if word in _SESSION:
        return Understood(SESSION, (), FULL, "")
    if word in ("set", "reset"):
        return Understood(SESSION, (), FULL, "", frozenset(flags))
    if upkeep := _UPKEEP.fullmatch(text) or (_UPKEEP.match(text) if word == "lock" else None):
        kind = READ if word in ("lock", "analyze", "vacuum") else SCHEMA
        return Understood(kind, (f"{kind} table:{_bare(upkeep['name'])}",), FULL, "")
    if "role" in flags and word not in ("grant", "revoke"):
        return Understood(SCHEMA, (), FULL, "", frozenset(flags))
    if word == "copy" and _PROGRAM.match(text):
        flags.add("program")
    return _parsed(text, tokens, flags)


def _parsed(text: str, tokens: list[Token], flags: set[str]) -> Understood:
    try:
        trees = [tree for tree in sqlglot.parse(text, read="postgres") if tree is not None]
    except (SqlglotError, RecursionError):
        trees = []
    if len(trees) != 1 or isinstance(trees[0], exp.Command | exp.Alias):
        return Understood(OTHER, (), OPAQUE, "", frozenset(flags))
    tree = trees[0]
    touches = tuple(dict.fromkeys(_touches(tree)))
    if isinstance(tree, exp.Update | exp.Delete) and tree.args.get("where") is None:
        flags.add("everything")
    opaque = "program" in flags or not _all_harmless(tree, tokens)
    return Understood(_kind(tree, touches), touches, OPAQUE if opaque else FULL, "", frozenset(flags))


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
    if any(_is_swallowed(token) for token in tokens):
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


def _is_swallowed(token: Token) -> bool:
    """The tokeniser takes what follows some words, `explain` for one, as a single string without quotes."""
    return token.token_type is TokenType.STRING and token.end - token.start + 1 < len(token.text) + 2


def _bare(name: str) -> str:
    return name.replace('"', "")
