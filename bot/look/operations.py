"""What concerns the policy or the audit log itself, and no request: a message of its own in the audit channel."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from access.duration import in_words
from access.events import AuditExported, CopyFailed, CopyRecovered, Event, LogKeyUsed, PolicyLoaded, PolicyRefused
from bot.look.blocks import Message, note, section, small
from bot.look.lines import Told
from bot.look.words import at, escaped, visible

_MOST_LINES, _LONGEST_LINE = 8, 300
_CUT = re.compile(r"and (\d{1,9}) more")  # the last line of a difference that was too long for its entry
_Fact = TypeVar("_Fact", bound=Event)


def operation(event: Event, *, late: bool = False) -> Message | None:
    """The channel's message for this fact, if it has one. `late`: the post's own time no longer says when it was."""
    told = OPERATIONS.get(type(event))
    if told is None:
        return None
    sentence, under = told(event)
    if not sentence:
        return None
    text = f"{at(event.at, '{date_short_pretty} {time}')}  {sentence}" if late else sentence
    return Message(text, (section(text), *under))


def _key(event: LogKeyUsed) -> Told:
    sentence = "Audit log: checkpoints are signed with this key from here on. Whoever verifies the log needs it."
    return sentence, (note(f"`{escaped(event.key, 300)}`"),)


def _failed(event: CopyFailed) -> Told:
    sentence = (
        f"⚠️ *Warning*: the copy of the audit log at {escaped(event.to, 80)} falls behind. "
        "Access goes on; the copy is tried again until it has caught up."
    )
    return sentence, (small(event.why),)


def _recovered(event: CopyRecovered) -> Told:
    down = in_words(event.at - event.down_since)
    return f"The copy of the audit log at {escaped(event.to, 80)} has caught up, after {down}.", ()


def _exported(event: AuditExported) -> Told:
    who = escaped(event.by.name if event.by else event.operator, 80) or "somebody on the server"
    sentence = (
        f"Entries {event.first} to {event.last} of the audit log were exported as {escaped(event.form, 40)} by {who}."
    )
    return sentence, (small(f"SHA-256 {event.sha256}"),)


def _policy(event: PolicyLoaded) -> Told:
    """Nothing at a start with the policy of before."""
    if not event.changes:
        return "", ()
    sentence = f"Policy {escaped(event.policy_hash[:8])} decides from here on, with {event.rules} rules."
    return sentence, (small(*_first(event.changes)),)


def _no_policy(event: PolicyRefused) -> Told:
    sentence = "⚠️ *Warning*: the policy file was changed and cannot be used. The policy before it stays in force."
    return sentence, (small(*_first(tuple(event.why.splitlines()) or ("",))),)


def _first(lines: tuple[str, ...]) -> tuple[str, ...]:
    """As many as are read, and how many more there are; the last may itself say so of what the log has not."""
    shown = tuple(visible(line, _LONGEST_LINE) for line in lines[:_MOST_LINES])
    if len(lines) <= _MOST_LINES:
        return shown
    cut = _CUT.fullmatch(lines[-1])
    more = len(lines) - _MOST_LINES + (int(cut[1]) - 1 if cut else 0)
    return (*shown, f"and {more} more, in the audit log")


def _table() -> dict[type[Event], Callable[[Event], Told]]:
    table: dict[type[Event], Callable[[Event], Told]] = {}

    def row(kind: type[_Fact], told: Callable[[_Fact], Told]) -> None:
        table[kind] = told  # type: ignore[assignment]  # a row is only ever called with its own kind

    row(LogKeyUsed, _key)
    row(CopyFailed, _failed)
    row(CopyRecovered, _recovered)
    row(AuditExported, _exported)
    row(PolicyLoaded, _policy)
    row(PolicyRefused, _no_policy)
    return table


OPERATIONS = _table()
