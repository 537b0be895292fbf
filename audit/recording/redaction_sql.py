"""Where secrets stand in a statement: as the text or value that goes with a name such as `password`. Pure.

Only literals are taken, so that what a statement touches can be told without them. The text is read as PostgreSQL's
lexer would, and where it may be read otherwise, more is taken and not less.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import pairwise

from audit.recording.redaction_areas import Span

_SECRET = re.compile(
    r"passw(?:or)?d|passwort|passphrase|(?:^|_)(?:pass|pwd)(?:$|_)|pwd|secret|token|credential|identified"
    r"|(?:api|access|private|account|auth|encryption|signing|master)_?key",
    re.IGNORECASE,
)
#: a text that is about to be run, and that something secret is put into
_TEMPLATE = re.compile(r"(?:password|identified\s+by)(?:\s*(?:%(?:\d+\$)?[sLI]\b|\$\d|')|\s+\Z)", re.IGNORECASE)
_TOKEN = re.compile(
    r"""(?P<skip>\s++|--[^\r\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?)
    |(?P<dollar>\$(?P<tag>[A-Za-z_\x80-\U0010ffff][\w]*+)?\$)
    |(?P<escaped>[eE]'(?:[^'\\]|''|\\.)*+'?)
    |(?P<string>(?:[bBxXnN]|[uU]&)?'(?:[^']|'')*+'?)
    |(?P<name>"(?:[^"]|"")*+"?|[A-Za-z_\x80-\U0010ffff][\w$]*+)
    |(?P<value>\$\d{1,9})
    |(?P<number>\d[\d.]*+)
    |(?P<mark>.)""",
    re.VERBOSE | re.DOTALL,
)
_LONGEST = 50_000  # characters; in what is longer, all literals are taken once a secret is named
_MOST_STEPS = 20_000  # of one statement; beyond, all its literals are taken
_DEEPEST = 3  # texts within texts
_ENDS = frozenset({
    "and", "or", "where", "from", "returning", "set", "values", "limit", "order", "group", "using", "having",
    "valid", "union", "select", "on", "connection", "in_role", "superuser", "nosuperuser", "login", "nologin",
    "createdb", "createrole", "inherit", "replication",
})  # fmt: skip
#: calls whose arguments are names and values in turn
_PAIRS = frozenset({"set_config", "json_build_object", "jsonb_build_object", "hstore", "jsonb_set"})
_KEY = re.compile(r"[\w.{}-]+")
_ALL_AFTER = frozenset({"into", "update"})  # a table of secrets: what is put into it is one


class Kind(Enum):
    """What a token is."""

    TEXT = auto()
    NAME = auto()
    VALUE = auto()
    NUMBER = auto()
    MARK = auto()


@dataclass(frozen=True, slots=True)
class Token:
    """`inner`: where the words of a text begin and end, without its quotes."""

    kind: Kind
    text: str
    start: int
    end: int
    inner: Span = (0, 0)


@dataclass
class Said:
    """What is known of a statement besides its text. `tainted`: names of SQL's own prepared statements with secrets."""

    tainted: set[str]
    exact: bool = True


@dataclass
class Found:
    """Where in the text, and which of its bound values, counted from 1. `every`: all of them."""

    spans: list[Span] = field(default_factory=list)
    numbers: set[int] = field(default_factory=set)
    every: bool = False

    taken: set[Span] = field(default_factory=set)

    def takes(self, n: int) -> bool:
        return self.every or n in self.numbers

    def take(self, tokens: Sequence[Token], *, numbers_too: bool = False) -> None:
        for token in tokens:
            if token.kind is Kind.TEXT or (numbers_too and token.kind is Kind.NUMBER):
                self.spans.append(token.inner)
                self.taken.add(token.inner)
            elif token.kind is Kind.VALUE:
                self.numbers.add(int(token.text[1:]))


def names_secret(text: str) -> bool:
    """Whether a statement has to do with one, also where none stands in it: what it is answered may hold it."""
    return _SECRET.search(text) is not None


def secret_places(text: str, said: Said) -> Found:
    """All of them. `said.tainted` grows by what the text prepares."""
    found = Found()
    if not names_secret(text) and not said.tainted:
        return found
    if len(text) > _LONGEST or "\\'" in text:  # a setting of the session decides whether that ends a text
        found.every, found.spans = True, [(0, len(text))]
        return found
    _look(text, 0, found, said)
    if not said.exact:
        found.every = True
    return found


def _look(text: str, base: int, found: Found, said: Said, depth: int = 0) -> None:
    """`depth`: within how many texts this stands."""
    tokens = list(tokens_of(text, base))
    for statement in _statements(tokens):
        before = len(found.spans) + len(found.numbers)
        _of_statement(statement, found, said)
        if len(found.spans) + len(found.numbers) > before and (name := _prepared(statement)):
            said.tainted.add(name)
    for token in tokens:
        within = token.kind is Kind.TEXT and depth < _DEEPEST and token.inner not in found.taken
        if within and _SECRET.search(token.text):
            _look(token.text, token.inner[0], found, said, depth + 1)


def tokens_of(text: str, base: int = 0) -> Iterator[Token]:
    """Without blanks and comments. A text whose end is missing goes on to the end."""
    at = 0
    while (match := _TOKEN.match(text, at)) is not None:
        start, at = at, match.end()
        kind = match.lastgroup
        if match["dollar"]:
            close = text.find(match["dollar"], at)
            inner = (at, len(text) if close < 0 else close)
            at = len(text) if close < 0 else close + len(match["dollar"])
            yield Token(
                Kind.TEXT, text[inner[0] : inner[1]], base + start, base + at, (base + inner[0], base + inner[1])
            )
        elif match["escaped"] or match["string"]:
            whole = match[0]
            opened = start + whole.index("'") + 1
            closed = at - 1 if at > opened and whole.endswith("'") else at
            yield Token(Kind.TEXT, text[opened:closed], base + start, base + at, (base + opened, base + closed))
        elif kind is not None and kind != "skip":
            yield Token(Kind[kind.upper()], match[0].strip('"').lower(), base + start, base + at)


def _statements(tokens: Sequence[Token]) -> Iterator[Sequence[Token]]:
    begin = 0
    for place, token in enumerate(tokens):
        if token.text == ";":
            yield tokens[begin:place]
            begin = place + 1
    yield tokens[begin:]


def _of_statement(tokens: Sequence[Token], found: Found, said: Said) -> None:
    words = [token.text for token in tokens[:2]]
    if len(words) == 2 and words[0] == "execute" and words[1] in said.tainted:
        found.take(tokens)
        return
    steps = 0
    for place, token in enumerate(tokens):
        if token.kind is Kind.NAME and _SECRET.search(token.text):
            steps += _beside(tokens, place, found)
            if steps > _MOST_STEPS:
                found.take(tokens, numbers_too=True)
                return
    _beside_templates(tokens, found)
    _in_pairs(tokens, found)
    _in_columns(tokens, found)


def _beside(tokens: Sequence[Token], place: int, found: Found) -> int:
    """On both sides of a name, up to where something else begins; how many were looked at."""
    if place and tokens[place - 1].text in _ALL_AFTER:
        found.take(tokens[place:])
        return len(tokens) - place
    numbers_too = re.search(r"passw|pass|pwd|secret", tokens[place].text) is not None
    end = place + 1
    deep = 0
    while end < len(tokens) and not _is_border(tokens[end], deep):
        deep += {"(": 1, ")": -1}.get(tokens[end].text, 0)
        end += 1
    begin = place
    deep = 0
    while begin and not _is_border(tokens[begin - 1], deep, back=True):
        begin -= 1
        deep += {")": 1, "(": -1}.get(tokens[begin].text, 0)
    found.take(tokens[place:end], numbers_too=numbers_too)
    found.take(tokens[begin:place])
    return end - begin


def _is_border(token: Token, deep: int, *, back: bool = False) -> bool:
    if deep > 0:
        return False
    return token.text in (",", "(" if back else ")") or (token.kind is Kind.NAME and token.text in _ENDS)


def _beside_templates(tokens: Sequence[Token], found: Found) -> None:
    """`format('… PASSWORD %L', …)`, `'… PASSWORD ' || …`: whatever follows in the same call."""
    for place, token in enumerate(tokens):
        if token.kind is Kind.TEXT and _TEMPLATE.search(token.text):
            found.take(tokens[place + 1 :])
            return


def _in_pairs(tokens: Sequence[Token], found: Found) -> None:
    """`set_config('app.secret', '…', false)`: what follows such a name in a call of that kind."""
    steps = 0
    for place, token in enumerate(tokens):
        if token.text in _PAIRS and token.kind is Kind.NAME and place + 1 < len(tokens):
            fields = _group(tokens, place + 1)
            steps += sum(map(len, fields))
            if steps > _MOST_STEPS:
                found.take(tokens, numbers_too=True)
                return
            for key, value in pairwise(fields):
                named = key[0].text if len(key) == 1 and key[0].kind is Kind.TEXT else ""
                if _KEY.fullmatch(named) and _SECRET.search(named):
                    found.take(value, numbers_too=True)


def _in_columns(tokens: Sequence[Token], found: Found) -> None:
    """`INSERT INTO t (name, password) VALUES (…), (…)`: by their places."""
    into = next((place for place, token in enumerate(tokens) if token.text == "into"), None)
    if into is None:
        return
    opened = next((place for place in range(into, len(tokens)) if tokens[place].text == "("), None)
    if opened is None:
        return
    columns = _group(tokens, opened)
    secret = [
        n for n, column in enumerate(columns) if any(_SECRET.search(t.text) for t in column if t.kind is Kind.NAME)
    ]
    if not secret:
        return
    rest = tokens[opened + sum(map(len, columns)) + len(columns) + 1 :]
    if not rest or rest[0].text != "values":
        found.take(rest)
        return
    place = 1
    while place < len(rest):
        if rest[place].text != "(":
            place += 1
            continue
        fields = _group(rest, place)
        for n in secret:
            found.take(fields[n] if n < len(fields) else [t for f in fields for t in f], numbers_too=True)
        place += sum(map(len, fields)) + len(fields) + 1


def _group(tokens: Sequence[Token], opened: int) -> list[Sequence[Token]]:
    """What stands between these parentheses, by commas."""
    parts, begin, deep = list[Sequence[Token]](), opened + 1, 0
    for place in range(opened + 1, len(tokens)):
        mark = tokens[place].text
        if deep == 0 and mark in (",", ")"):
            parts.append(tokens[begin:place])
            begin = place + 1
            if mark == ")":
                return parts
        deep += {"(": 1, ")": -1}.get(mark, 0)
    return [*parts, tokens[begin:]]


def _prepared(tokens: Sequence[Token]) -> str:
    words = [token.text for token in tokens[:2]]
    return words[1] if len(words) == 2 and words[0] == "prepare" else ""
