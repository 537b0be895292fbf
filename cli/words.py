"""The words of a request, in forgiving order, as in Slack."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from .duration import looks_like_duration

_TICKET = r"[A-Z][A-Z0-9]+-[0-9]+"
_IN_LINK = re.compile(rf"(?<![A-Za-z0-9]){_TICKET}(?![A-Za-z0-9])")
_COUNT = re.compile(r"[0-9]{1,6}")


class AskWords(NamedTuple):
    """A request as far as it was typed; empty means not typed."""

    target: str = ""
    role: str = ""
    duration: str = ""
    ticket: str = ""
    reason: str = ""


def read_words(words: Sequence[str]) -> AskWords:
    """Target, duration and ticket in any order; the first word that is none of them begins the reason.

    A ticket named inside the reason counts when there is no other. An argument with spaces (quoted in the
    shell) that is not a duration is reason as a whole.
    """
    found, rest = AskWords(), [word for word in words if word.strip()]
    while rest:
        taken, used = _take(found, rest)
        if not used:
            break
        found, rest = taken, rest[used:]
    reason = " ".join(" ".join(rest).split())
    mentioned = next((t for word in reason.split() if (t := ticket_in(word.strip(".,;:()[]")))), "")
    return found._replace(reason=reason, ticket=found.ticket or mentioned)


def _take(found: AskWords, rest: Sequence[str]) -> tuple[AskWords, int]:
    """What the next word or two fill in, and how many words that took; 0 when the reason begins."""
    word = rest[0].strip()
    if not found.duration:
        if len(rest) > 1 and _COUNT.fullmatch(word) and looks_like_duration(f"{word} {rest[1]}"):
            return found._replace(duration=f"{word} {rest[1]}"), 2
        if looks_like_duration(word):
            return found._replace(duration=word), 1
    if not found.ticket and (ticket := ticket_in(word, any_case=bool(found.target))):
        return found._replace(ticket=ticket), 1
    if not found.target and not re.search(r"\s", word):
        target, _, role = word.partition("/")
        return found._replace(target=target, role=role), 1
    return found, 0


def ticket_in(word: str, *, any_case: bool = False) -> str:
    """The ticket that a word is, or that a link ends in; empty when it is neither."""
    for written in (word, word.upper()) if any_case else (word,):
        if re.fullmatch(_TICKET, written):
            return written
    inside = _IN_LINK.findall(word) if word.startswith(("https://", "http://")) else []
    return str(inside[-1]) if inside else ""
