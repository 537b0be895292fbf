"""What else a policy wants taken out of recordings and of the log: a pattern that cannot be made to take long."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ATOM = re.compile(
    r"(?P<one>\\[dwsDWS]|\\[^A-Za-z0-9]|\[\^?\]?(?:\\.|[^\]\\])*\]|[^\\\[\](){}?*+|^$]|[()])"
    r"(?P<times>\{\d{1,4}(?:,\d{1,4})?\}|[?*+])?",
    re.DOTALL,
)
_BEGIN = re.compile(r"(?:[^\\\[\](){}?*+|^$.]|\\[^A-Za-z0-9])(?![{?*+])")
_SET_OF_SETS = re.compile(r"\A\[\^?\[|--|&&|~~|\|\|")  # what may come to mean something else than it does in `re`
_MOST = 256  # times that something may repeat: what `+` and `*` stand for
_WAYS = 2_000  # in which one place can be read: more of them would take too long
_LEAST = 3  # characters that it begins with as they are
MOST_PATTERNS = 50


class BadPattern(ValueError):
    """A sentence that says what a pattern may not have."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Looked for wherever `begins` stands, in lower case. The group of its pattern is what is taken out."""

    name: str
    begins: str
    pattern: str


def read_secret(name: str, pattern: str) -> Secret:
    """Raises BadPattern.

    Characters, classes, and how often each: no choices, no looking around. One pair of parentheses may say what of it
    is the secret; without, it is all of it.
    """
    if not pattern.isascii() or len(pattern) > _MOST:
        raise BadPattern(f"A pattern has at most {_MOST} characters, all of them ASCII.")
    made, ways, at, before = "", 1, 0, ""
    while at < len(pattern):
        found = _ATOM.match(pattern, at)
        if found is None:
            raise BadPattern(f"“{pattern[at:][:20]}” is not understood: there are no choices and no looking around.")
        _must_be_plain(found["one"])
        if (before, found["one"]) == ("(", ")"):
            raise BadPattern("The parentheses are empty, and nothing would be taken out.")
        least, most = _often(found["times"] or "")
        if found["one"] in "()" and found["times"]:
            raise BadPattern("What stands in parentheses cannot repeat.")
        ways *= most - least + 1
        made += found["one"] + (f"{{{least},{most}}}" if found["times"] else "")
        at, before = found.end(), found["one"]
    if ways > _WAYS:
        raise BadPattern(f"This could be read in {ways} ways at one place: say more exactly how often things repeat.")
    return Secret(name, _beginning(pattern), _whole(made))


def _must_be_plain(one: str) -> None:
    """Of a class in brackets. Raises BadPattern."""
    if one.startswith("[") and (found := _SET_OF_SETS.search(re.sub(r"\\.", "x", one, flags=re.DOTALL))):
        twice = found[0].lstrip("[^") or "["
        meant = "".join(f"\\{character}" for character in twice)
        raise BadPattern(f"“{one[:40]}” can be read in two ways: write “{meant}” for “{twice}” in brackets.")


def _often(times: str) -> tuple[int, int]:
    """Raises BadPattern."""
    if times in ("", "?", "*", "+"):
        return (1 if times in ("", "+") else 0), (1 if times in ("", "?") else _MOST)
    least, _, most = times[1:-1].partition(",")
    if int(most or least) > _MOST or int(least) > int(most or least):
        raise BadPattern(f"“{times}” is not how often something can repeat: at most {_MOST} times.")
    return int(least), int(most or least)


def _beginning(pattern: str) -> str:
    """Raises BadPattern."""
    literal, at = "", 0
    while (found := _BEGIN.match(pattern, at)) is not None:
        literal, at = literal + found[0][-1].lower(), found.end()
    if len(literal) < _LEAST:
        raise BadPattern(f"A pattern begins with {_LEAST} characters that always stand there, such as `acme_`.")
    return literal


def _whole(made: str) -> str:
    """With its group. Raises BadPattern."""
    try:
        groups = re.compile(made, re.ASCII).groups
    except re.error as error:
        raise BadPattern(f"This is no pattern: {error}.") from None
    if groups > 1:
        raise BadPattern("A pattern has one pair of parentheses at most.")
    return made if groups else f"({made})"
