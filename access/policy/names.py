"""Names and patterns in a policy that would fool its reader or hang the server: a sentence for each, or nothing."""

from __future__ import annotations

import re
import unicodedata

from access.duration import looks_like_duration

#: words after the slash command that mean something else than a target
RESERVED = frozenset({
    "audit", "break-glass", "comment", "end", "extend", "help", "list", "login", "reviews", "show", "who", "why",
})  # fmt: skip

#: names in lists of people that mean something by themselves
PEOPLE_RESERVED = frozenset({"all", "nobody", "owner"})

_TYPED = re.compile(r"[a-z0-9][a-z0-9._-]{0,60}")
_MEMBER = re.compile(r"[UW][A-Z0-9]{2,20}")
_ALIKE = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"})  # alphabets that share shapes
_CLASS_OR_ESCAPE = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", re.DOTALL)
_REPEATED_GROUP = re.compile(r"\)[*+{]")
_REPETITION = re.compile(r"[*+]|\{[0-9]*,[0-9]*\}")
_MOST_REPETITIONS = 3


def in_a_command(name: str) -> str:
    """What is wrong with a target's name or alias, which people type after the slash command."""
    if wrong := as_a_word(name):
        return wrong
    if name in RESERVED:
        return f"`/prodaccess {name}` already means something else."
    return f"“{name}” is read as a duration." if looks_like_duration(name) else ""


def as_a_word(name: str) -> str:
    """What is wrong with a name that people type, and read on a card."""
    return "" if _TYPED.fullmatch(name) else "It is lower-case letters, digits, dots and dashes: people type it."


def of_people(name: str) -> str:
    """What is wrong with the name of a person or a group: a reader must be able to tell it from every other."""
    if name.casefold() in PEOPLE_RESERVED or name.startswith("on_call."):
        return f"“{name}” already means something else in a policy."
    if _MEMBER.fullmatch(name):
        return f"“{name}” could be a Slack member ID. Write it in another way, in lower case for instance."
    if not name.isprintable() or name != unicodedata.normalize("NFKC", name).strip():
        return f"“{ascii(name)[1:-1]}” has characters that cannot be seen, or that look like others."
    alphabets = {unicodedata.name(char, "").split(" ")[0] for char in name if char.isalpha()}
    return f"“{ascii(name)[1:-1]}” mixes alphabets that look alike." if len(alphabets & _ALIKE) > 1 else ""


def of_an_account(account: str) -> str:
    if _MEMBER.fullmatch(account):
        return ""
    return f"“{account}” is not a Slack member ID. They look like U012AB3CD (profile → ⋮ → Copy member ID)."


def of_a_ticket(pattern: str) -> str:
    """What is wrong with a ticket's pattern: strangers' words are matched with it, so none may take long."""
    try:
        re.compile(pattern)
    except re.error as error:
        return f"Not a regular expression: {error}."
    try:
        re.compile(f"(?:{pattern})")  # it is also looked for inside a link
    except re.error:
        return "Flags such as (?i) are not used here: a ticket is found in any case."
    bare = _CLASS_OR_ESCAPE.sub("x", pattern)
    if _REPEATED_GROUP.search(bare):
        return "A group that is repeated can take for ever on a wrong word. Repeat single characters or classes only."
    if len(_REPETITION.findall(bare)) > _MOST_REPETITIONS:
        return f"At most {_MOST_REPETITIONS} repetitions (* + {{m,n}}): more can take for ever on a wrong word."
    return ""
