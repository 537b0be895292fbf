"""What Slack sends, read into values. Pure; raises nothing but BadInput."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from access.duration import parse_duration
from access.errors import BadInput
from access.model import Request
from access.policy import LONGEST_TICKET
from bot.look.words import storable

PREFIX = 16  # hex digits of a request's digest that a button carries
_LONGEST_WORD = 300  # characters of a link: the policy's patterns are not run on more
LINK = re.compile(r"<(?P<kind>[@#!]?)(?P<what>[^<>|]*)(?:\|(?P<label>[^<>]*))?>")
_VALUE = re.compile(rf"(?P<id>[0-9a-f]{{1,64}})\.(?P<digest>[0-9a-f]{{{PREFIX}}})")
_STALE = "This button is not one of ours any more. Type `/prodaccess list` to see what is open."


@dataclass(frozen=True, slots=True)
class Draft:
    """A request as far as it is filled in; empty means not yet."""

    target: str = ""
    role: str = ""
    duration: timedelta | None = None
    ticket: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Pressed:
    """What a card's button is about: the request, and a prefix of the digest of what was shown."""

    request_id: str
    digest: str


# Words


def unescaped(text: str) -> str:
    """Slack's mentions and links as the words they stand for, and `&lt;` as `<`."""
    return html.unescape(LINK.sub(_unlinked, text)) if "<" in text or "&" in text else text


def _unlinked(match: re.Match[str]) -> str:
    kind, what, label = match["kind"], match["what"], match["label"]
    if kind == "":
        return what.removeprefix("mailto:")
    return f"{'' if kind == '!' else kind}{label or what}"


def ticket_in(word: str, tickets: Iterable[str], *, any_case: bool = False) -> str:
    """The ticket that a word is, or that a link ends in; empty when it is neither."""
    if len(word) > _LONGEST_WORD:
        return ""
    for pattern in tickets:
        for written in (word, word.upper()) if any_case else (word,):
            if len(written) <= LONGEST_TICKET and re.fullmatch(pattern, written):
                return written
        if word.startswith(("https://", "http://")):
            inside = [m.group() for m in re.finditer(rf"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])", word)]
            if inside and inside[-1]:
                return inside[-1]
    return ""


# The form


def read_form(view: Mapping[str, Any], tickets: Iterable[str] = ()) -> Draft:
    """The request form's state. Fields that are not there or not filled in are empty. Raises BadInput."""
    typed = {name: value for name, value in _values(view) if value}
    duration = typed.get("duration", "")
    ticket = typed.get("ticket", "").strip()
    return Draft(
        target=typed.get("target", ""),
        role=typed.get("role", ""),
        duration=parse_duration(duration) if duration else None,
        ticket=ticket_in(ticket, tickets, any_case=True) or ticket,
        reason=typed.get("reason", "").strip(),
    )


def typed_in(view: Mapping[str, Any], field: str) -> str:
    """What stands in one field of a form; empty where nothing does."""
    return next((value.strip() for name, value in _values(view) if name == field), "")


def _values(view: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The action id and what was typed or chosen, as text."""
    state = _mapping(_mapping(view.get("state")).get("values"))
    for actions in state.values():
        for action, given in _mapping(actions).items():
            value = _mapping(given).get("value") or _mapping(_mapping(given).get("selected_option")).get("value")
            yield str(action), storable(value) if isinstance(value, str) else ""


def block_of(view: Mapping[str, Any], field: str) -> str:
    """The input block that a refusal belongs under: the field's own, else the first."""
    ids = [str(block.get("block_id")) for block in view.get("blocks") or () if block.get("type") == "input"]
    return next((i for i in ids if field and i.partition(":")[0] == field), ids[0] if ids else "")


# Buttons


def button_value(request: Request) -> str:
    return written(request.id, request.digest)


def written(request_id: str, digest: str) -> str:
    """A button's value: an opaque id and what its card showed, nothing else."""
    return f"{request_id}.{digest[:PREFIX]}"


def read_button(value: object) -> Pressed:
    """Raises BadInput."""
    match = _VALUE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise BadInput(_STALE)
    return Pressed(match["id"], match["digest"])


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
