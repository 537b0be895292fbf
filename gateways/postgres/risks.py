"""What in a statement is worth a second look, or a second person's: read off its tree where it has one, and off its
words where it has none. Pure.

Whoever wants something to pass unseen writes it in a way that is read differently here and in the database. So a text
that is not understood is taken for everything that its words could mean, and a text of which a second, simpler reader
sees more than the parser is not understood.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator

from sqlglot import exp
from sqlglot.tokenizer_core import Token, TokenType

from access.sessions.flags import DDL, EVERYTHING, OPAQUE, PROGRAM, ROLES

_DDL_WORDS = frozenset(["create", "alter", "drop", "comment", "reindex", "cluster", "refresh", "import", "security"])
_DDL = (exp.Create, exp.Alter, exp.Drop, exp.Comment)
_ROLES = re.compile(
    r"(?:create|alter|drop)\s+(?:role|user|group)\b|(?:set|reset)\s+(?:session\s+|local\s+)?(?:role|session[\s_]auth)"
    r"|grant\b|revoke\b|reassign\s+owned|drop\s+owned|alter\s+default\s+privileges|alter\b.*\bowner\s+to\b",
    re.IGNORECASE | re.DOTALL,
)
_OUTSIDE = re.compile(r"copy\b.*\b(?:program\b|(?:from|to)\s+')", re.IGNORECASE | re.DOTALL)
#: no quotation and no comment, in which something else could stand
_PLANNED = re.compile(r"\s*explain(?!.*analy[sz]e)\s*(?:\([\w\s,.]*\)\s*|verbose\s+)*", re.IGNORECASE | re.DOTALL)
_PLANNABLE = frozenset(["select", "with", "insert", "update", "delete", "merge", "values", "table", "create"])
#: what a text could be that nobody has understood
_MIGHT = {
    DDL: re.compile(rf"\b(?:{'|'.join(sorted(_DDL_WORDS))}|truncate|into)\b", re.IGNORECASE),
    EVERYTHING: re.compile(r"\b(?:delete|update|merge|truncate)\b", re.IGNORECASE),
    ROLES: re.compile(
        r"\b(?:grant|revoke|role|user|group|authorization|session_authorization|owned|owner|privileges|set_config"
        r"|pg_settings)\b|u&\"",
        re.IGNORECASE,
    ),
    PROGRAM: re.compile(r"\bcopy\b", re.IGNORECASE),
}
#: from here on, names may stand for something else
_SEARCHED = re.compile(r"search_path|^set\s+(?:session\s+|local\s+)?schema\b", re.IGNORECASE)
_RIGHTS = frozenset(["role", "session_authorization"])  # settings that say whose rights count
_NILADIC = frozenset(["user", "current_role", "current_catalog", "system_user"])  # functions that look like columns
_LITERAL = frozenset(
    (TokenType.STRING, TokenType.HEREDOC_STRING, TokenType.BYTE_STRING, TokenType.NATIONAL_STRING,
     TokenType.RAW_STRING, TokenType.UNICODE_STRING)
)  # fmt: skip
_QUOTED = _LITERAL | {TokenType.IDENTIFIER}


def of_words(tokens: list[Token]) -> set[str]:
    """What the words of one statement say by themselves, wherever comments stand between them."""
    plain = " ".join(f"'{token.text}'" if _is_literal(token) else token.text for token in tokens)
    found = {DDL} if tokens[0].text.lower() in _DDL_WORDS else set[str]()
    if _ROLES.match(plain):
        found.add(ROLES)
    if _OUTSIDE.match(plain):
        found.add(PROGRAM)
    if _SEARCHED.search(plain):
        found.add(OPAQUE)
    return found | _settings([token.text.lower() for token in tokens])


def _settings(words: list[str]) -> set[str]:
    """Settings can be changed without SET: by a function, and by writing to a view."""
    if "pg_settings" in words and "update" in words:
        return {ROLES, OPAQUE}
    named = [words[place + 2 : place + 4] for place, word in enumerate(words) if word == "set_config"]
    return {ROLES} if any(name[1:] != [","] or name[0] in _RIGHTS for name in named) else set()


def is_swallowed(token: Token) -> bool:
    """The tokeniser takes what follows some words, `explain` for one, as a single string without quotes."""
    return token.token_type is TokenType.STRING and token.end - token.start + 1 < len(token.text) + 2


def _is_literal(token: Token) -> bool:
    return token.token_type in _LITERAL and not is_swallowed(token)


def of_tree(tree: exp.Expr) -> set[str]:
    """What one statement does, also in its WITH."""
    found = {DDL} if isinstance(tree, _DDL) or tree.find(exp.Into) else set[str]()
    writes = tree.find_all(exp.Update, exp.Delete)
    if (
        isinstance(tree, exp.TruncateTable)
        or any(not _is_bound(write.args.get("where")) for write in writes)
        or any(not _is_bound(merge.args.get("on")) for merge in tree.find_all(exp.Merge))
    ):
        found.add(EVERYTHING)
    return found


def _is_bound(condition: object) -> bool:
    """Whether it can tell one row from another: `where true` cannot, nor can `where id = id`."""
    if not isinstance(condition, exp.Expression):
        return False
    inner = condition.this if isinstance(condition, exp.Where) else condition
    if isinstance(inner, exp.EQ) and inner.this == inner.expression:
        return False
    return any(map(_is_own, inner.find_all(exp.Column))) or "current of" in inner.sql().lower()


def _is_own(column: exp.Column) -> bool:
    return bool(column.table) or column.this.args.get("quoted") or column.name.lower() not in _NILADIC


def might(text: str) -> set[str]:
    """Everything that a text could do which nobody has understood."""
    return {OPAQUE, *(flag for flag, words in _MIGHT.items() if words.search(text))}


def only_planned(begins: str, goes_on: Token) -> bool:
    """Whether a statement that begins so, and goes on with this word, only asks how something would be done."""
    return _PLANNED.fullmatch(begins) is not None and goes_on.text.lower() in _PLANNABLE


# The second reader

_IDENTIFIER = r"[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff]*"
_LEXEME = re.compile(
    r"--[^\r\n]*"
    r"|(?P<comment>/\*)"
    r"|[eE]'(?:[^'\\]|''|\\.)*'"
    r"|'[^']*'"
    r'|"[^"]*"'
    rf"|(?P<word>{_IDENTIFIER}|;)"
    r"|(?P<dollar>\$(?:[A-Za-z_\x80-\U0010ffff][A-Za-z0-9_\x80-\U0010ffff]*)?\$)",
    re.DOTALL,
)
_COMMENT = re.compile(r"/\*|\*/")
_RISKY = frozenset(
    [
        "copy",
        "create",
        "alter",
        "drop",
        "comment",
        "truncate",
        "delete",
        "update",
        "merge",
        "grant",
        "revoke",
        "set",
        "call",
        "do",
        "execute",
        "insert",
        ";",
    ]
)


def read_alike(text: str, tokens: list[Token]) -> bool:
    """Whether the parser has seen every risky word that stands outside of strings and comments, and where it stands."""
    ends = [token.end for token in tokens]
    found = [(bisect_left(ends, at), at, word) for at, word in _risky_words(text)]
    return all(place < len(ends) and _sees(tokens[place], at, word) for place, at, word in found)


def _sees(token: Token, at: int, word: str) -> bool:
    if is_swallowed(token):  # up to the end of its statement, which `token.end` is
        return at <= token.end and word != ";"
    if not token.start <= at <= token.end or token.token_type in _QUOTED:
        return False
    return word in token.text.lower().split()


def _risky_words(text: str) -> Iterator[tuple[int, str]]:
    at = 0
    while (lexeme := _LEXEME.search(text, at)) is not None:
        at = lexeme.end()
        if word := lexeme["word"]:
            if (low := word.lower()) in _RISKY:
                yield lexeme.start(), low
        elif lexeme["comment"]:
            at = _behind_comment(text, at)
        elif tag := lexeme["dollar"]:
            end = text.find(tag, at)
            at = len(text) if end < 0 else end + len(tag)


def _behind_comment(text: str, at: int) -> int:
    """Comments stand in one another."""
    depth = 1
    for mark in _COMMENT.finditer(text, at):
        depth += 1 if mark[0] == "/*" else -1
        if not depth:
            return mark.end()
    return len(text)
