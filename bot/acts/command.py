"""What was typed after `/prodaccess`, read with patience. Pure; raises nothing but BadInput.

Target, role, duration and ticket come in any order, small words between them are passed over, and the first word that
is none of them begins the reason; so does `because`.
"""

from __future__ import annotations

import difflib
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from access.duration import looks_like_duration, parse_duration, short
from access.errors import BadInput
from access.model import parse_ref
from bot.look.forms import LINK, Draft, ticket_in, unescaped
from bot.look.words import LONGEST, storable

#: each with the other words that mean it
VERBS: dict[str, tuple[str, ...]] = {
    "help": ("?", "--help", "-h"),
    "list": ("ls", "mine"),
    "show": ("status", "see"),
    "end": ("stop", "cancel", "revoke", "done"),
    "extend": ("prolong", "renew"),
    "comment": ("say", "note"),
    "why": ("explain",),
    "who": ("approvers",),
    "reviews": (),
    "break-glass": ("breakglass", "break_glass", "emergency"),
    "login": ("signin", "sign-in"),
    "audit": (),
}
_ABOUT_ONE = ("end", "show", "extend", "comment")
_SAID = {other: verb for verb, others in VERBS.items() for other in (verb, *others)}
_EXAMPLES = {"extend": " 1h because the import still runs", "comment": " the import still runs"}
_BECAUSE = ("because", "reason")
_BETWEEN = frozenset({
    "please", "i", "me", "my", "need", "want", "get", "give", "access", "to", "on", "for", "of", "in", "the", "a", "an",
    "with", "as", "and", "by", "more", "another", "role", "ticket", "·", "-", "–", "—", ",",
})  # fmt: skip
_MOST_ROLES = 100  # looked through for a misspelt one
_MOST_SMALL = 4  # in a row: more are a sentence
_ASKING = frozenset({"can", "can't", "can’t", "cannot", "may", "not", "i", "approve", "approves", "will", "would", "be",
                     "asked", "decide", "decides", "have", "is", "for", "about", "ask"})  # fmt: skip
_AROUND = ",;:"
_REF = re.compile(r"PA-[1-9][0-9]{0,14}", re.IGNORECASE)
_UNTIL = ("until", "till", "til")
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3])[:.]([0-5][0-9])|(0?[1-9]|1[0-2])(?:[:.]([0-5][0-9]))?([ap])m")
_NAMED_TIMES = {"noon": 12 * 60, "midnight": 0}
NOTHING = Draft()
_STRAIGHT = str.maketrans(dict.fromkeys("\u201c\u201d\u201e\u201f", '"'))
_LONGEST_DURATION = 4  # words: `1 hour 30 minutes`


@dataclass(frozen=True, slots=True)
class Lexicon:
    """What words can mean to one person: patterns of tickets; their targets with aliases, and roles, in lower case.

    `now` is the time in the person's own zone.
    """

    tickets: tuple[str, ...] = ()
    targets: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    now: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verb:
    """`help`, `list`, `end PA-7`, `extend PA-7 1h because …`, `why orders-db write`, `audit …`.

    `number` is 0 where there is none. `rest` is what `audit` asks and what a comment says. `draft` is as far as
    `extend`, `break-glass`, `why` and `who` say what they are about.
    """

    name: str
    number: int = 0
    rest: str = ""
    draft: Draft = NOTHING


def read_command(text: str, lexicon: Lexicon) -> Verb | Draft:
    """What follows `/prodaccess`. Raises BadInput."""
    words = storable(unescaped(text)).split()
    if not words:
        return NOTHING
    if _REF.fullmatch(words[0]):  # `PA-7`, `PA-7 extend 1h`
        words = [words[1], words[0], *words[2:]] if _verb_of(words[1:], lexicon) in _ABOUT_ONE else words
        if len(words) == 1:
            return Verb("show", parse_ref(words[0]))
    name = _verb_of(words, lexicon)
    if name == "audit":
        return Verb(name, rest=_question(text))
    return _verb(name, words[1:], lexicon) if name else _draft(words, lexicon)


def _verb_of(words: list[str], lexicon: Lexicon) -> str:
    """A verb by any of its names, where it is no target's; empty where it is none."""
    word = words[0].lower().rstrip(_AROUND) if words else ""
    name = _SAID.get(word, "")
    return "" if name != word and word in lexicon.targets else name


def nearest_verb(word: str) -> str:
    """The verb that a misspelt word most likely means; empty where none is near."""
    return next(iter(difflib.get_close_matches(word.lower(), VERBS, n=1, cutoff=0.7)), "")


def as_typed(draft: Draft) -> str:
    """A draft as a command that reads as this draft, escaped as Slack escapes what is typed."""
    target = f"{draft.target}/{draft.role}" if draft.role else draft.target
    duration = short(draft.duration) if draft.duration else ""
    because = f"because {draft.reason}" if draft.reason else ""
    words = " ".join(part for part in (target, duration, draft.ticket, because) if part)
    return html.escape(words, quote=False)


def _question(text: str) -> str:
    """What follows `audit`: quotation marks as a keyboard types them, people and links as what was typed."""
    words = storable(unescaped(LINK.sub(_bare, text))).translate(_STRAIGHT).split(maxsplit=1)
    return re.sub(r"(?i)\b(actor:)@", r"\1", words[1].strip()) if len(words) > 1 else ""


def _bare(match: re.Match[str]) -> str:
    """Slack makes a link of `public.store`: the name alone was meant."""
    is_bare = match["kind"] == "" and match["what"] == f"http://{match['label']}"
    return match["label"] if is_bare else match[0]


# Verbs


def _verb(name: str, rest: list[str], lexicon: Lexicon) -> Verb:
    if name in ("why", "who"):
        rest = _without_question([word.rstrip("?") for word in rest if word != "?"], lexicon)
        number, _ = _request_in(rest[:1])
        return Verb(name, number, draft=NOTHING if number else _with_role(_draft(rest, lexicon)))
    if name == "break-glass":
        return Verb(name, draft=_draft(rest, lexicon))
    if name not in _ABOUT_ONE:
        return Verb(name)
    number, rest = _request_in(rest)
    if not number:
        raise _which_one(name, rest)
    if name == "extend":
        return Verb(name, number, draft=_terms(rest, lexicon))
    return Verb(name, number, rest=" ".join(rest) if name == "comment" else "")


def _with_role(draft: Draft) -> Draft:
    """A single word after the target is the role here, whether there is one of that name or not."""
    if draft.role or not draft.target or not draft.reason or " " in draft.reason:
        return draft
    return replace(draft, role=draft.reason[:100], reason="")


def _without_question(words: list[str], lexicon: Lexicon) -> list[str]:
    """`can approve orders-db` as `orders-db`."""
    while words and words[0].lower() in _ASKING and words[0].lower() not in lexicon.targets:
        words = words[1:]
    return words


def _request_in(words: list[str]) -> tuple[int, list[str]]:
    """The first word that names a request, and the others; 0 where none does. A bare number counts as first word."""
    for place, word in enumerate(words):
        bare = word.rstrip(_AROUND)
        if _REF.fullmatch(bare) or (place == 0 and re.fullmatch(r"[1-9][0-9]{0,14}", bare)):
            return parse_ref(bare), words[:place] + words[place + 1 :]
    return 0, words


def _which_one(name: str, rest: list[str]) -> BadInput:
    example = f"`/prodaccess {name} PA-7{_EXAMPLES.get(name, '')}`. `/prodaccess list` shows yours."
    what = f"“{rest[0][:40]}” is not a request. " if rest else ""
    return BadInput(f"{what}Say which one: {example}")


def _terms(words: list[str], lexicon: Lexicon) -> Draft:
    """Duration, ticket and reason of what has its target already."""
    return replace(_draft(words, lexicon, Draft(target="-", role="-")), target="", role="")


# Requests


def _draft(words: list[str], lexicon: Lexicon, draft: Draft = NOTHING) -> Draft:
    rest = words
    while rest and (found := _slot(draft, rest, lexicon)) is not None:
        draft, used = found
        rest = rest[used:]
    reason = _reason(rest)
    if len(reason) > LONGEST:
        raise BadInput(f"Keep the reason under {LONGEST} characters; the ticket holds the rest.", field="reason")
    ticket = draft.ticket or next(tickets_in(rest, lexicon.tickets), "")
    return replace(draft, ticket=ticket, reason=reason)


def _reason(words: list[str]) -> str:
    """What is left: without the word that begins it, and without quotation marks around the whole."""
    if _begins_reason(words) and (len(words) == 1 or words[1].lower() != "of"):
        words = words[1:]
    text = " ".join(words)
    straight = text.translate(_STRAIGHT)
    quoted = len(text) > 2 and straight[0] == straight[-1] == '"' and '"' not in straight[1:-1]
    return text[1:-1].strip() if quoted else text


def _slot(draft: Draft, words: list[str], lexicon: Lexicon) -> tuple[Draft, int] | None:
    """What the next words fill in, and how many they are; None where the reason begins."""
    if _begins_reason(words):
        return None
    small = _small(words)
    for skipped in range(min(small, len(words) - 1) + 1):
        found = _term(draft, words[skipped:], lexicon) or _named(draft, words[skipped:], lexicon)
        if found is not None:
            return found[0], skipped + found[1]
    if draft.target:
        return None
    place = small if small < len(words) else 0
    target, _, role = words[place].strip(_AROUND).partition("/")
    return (replace(draft, target=target[:100], role=(role or draft.role)[:100]), place + 1) if target else None


def _small(words: list[str]) -> int:
    """How many small words come first."""
    return next(
        (n for n, word in enumerate(words[:_MOST_SMALL]) if word.lower() not in _BETWEEN), len(words[:_MOST_SMALL])
    )


def _begins_reason(words: list[str]) -> bool:
    return bool(words) and words[0].lower().rstrip(_AROUND) in _BECAUSE


def _term(draft: Draft, words: list[str], lexicon: Lexicon) -> tuple[Draft, int] | None:
    """A duration, a time until which, or a ticket."""
    if draft.duration is None:
        for count in range(min(_LONGEST_DURATION, len(words)), 0, -1):  # `2 hours` before `2`
            text = " ".join(words[:count]).rstrip(_AROUND)
            if looks_like_duration(text):
                return replace(draft, duration=parse_duration(text)), count
        for count in (3, 2):  # `until 5 pm` before `until 5`
            if (left := _left_until(words[:count], lexicon.now)) is not None:
                return replace(draft, duration=left), count
    ticket = "" if draft.ticket else ticket_in(words[0].strip(_AROUND), lexicon.tickets, any_case=bool(draft.target))
    return (replace(draft, ticket=ticket), 1) if ticket else None


def _named(draft: Draft, words: list[str], lexicon: Lexicon) -> tuple[Draft, int] | None:
    """A known target, or a role where no sentence begins with it."""
    word = words[0].strip(_AROUND).lower()
    if not draft.target and word in lexicon.targets:
        return replace(draft, target=words[0].strip(_AROUND)[:100]), 1
    if draft.role:
        return None
    if words[0] == "·" and len(words) > 1 and draft.target:  # copied from a card
        return replace(draft, role=words[1][:100]), 2
    is_role = word in lexicon.roles or (draft.target and _is_nearly(word, lexicon.roles))
    return (replace(draft, role=word[:100]), 1) if is_role and _goes_on(draft, words[1:], lexicon) else None


def _is_nearly(word: str, roles: frozenset[str]) -> bool:
    return len(roles) <= _MOST_ROLES and bool(difflib.get_close_matches(word, roles, n=1, cutoff=0.75))


def _goes_on(draft: Draft, words: list[str], lexicon: Lexicon) -> bool:
    """Whether no sentence follows: `write errors since noon` is a reason, and `write 1h` is not."""
    if not words or not draft.target:  # without a target, the next word is one
        return bool(words) or bool(draft.target)
    following = (words, words[_small(words) :])
    return any(_begins_reason(rest) or (rest and _term(draft, rest, lexicon) is not None) for rest in following)


def _left_until(words: list[str], now: datetime | None) -> timedelta | None:
    """How long it is until `until 17:00`, in whole minutes; of a time that is past, tomorrow's."""
    if now is None or len(words) < 2 or words[0].lower() not in _UNTIL:
        return None
    minute = _minute_of_day("".join(words[1:]).lower().strip(_AROUND))
    if minute is None:
        return None
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    days = (0, 1, 2)  # two: where the clocks change
    ends = ((midnight + timedelta(days=day)).replace(hour=minute // 60, minute=minute % 60) for day in days)
    left = next(end.timestamp() - now.timestamp() for end in ends if end.timestamp() - now.timestamp() >= 60)
    return timedelta(minutes=left // 60)


def _minute_of_day(text: str) -> int | None:
    match = _CLOCK.fullmatch(text)
    if match is None:
        return _NAMED_TIMES.get(text)
    if match[1]:
        return int(match[1]) * 60 + int(match[2])
    return (int(match[3]) % 12 + (12 if match[5] == "p" else 0)) * 60 + int(match[4] or 0)


def tickets_in(words: list[str], tickets: tuple[str, ...]) -> Iterator[str]:
    """Those among the words of a sentence."""
    return (ticket for word in words if (ticket := ticket_in(word.strip(".,;:()[]"), tickets)))
