"""What an audit entry means for Slack: which messages it makes, and whether the card changes. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from access.events import ApprovalGiven, Event, GrantActive, GrantEnding, RequestAsked, RevocationFailed, SignedIn
from audit.log import Entry
from bot.blocks import Message
from bot.card import card
from bot.letters import signed_in, to_decider, to_requester
from bot.lines import line
from bot.story import PHASE_AFTER, Phase, Story

CARD = "card"
LINE = "line"
LETTER = "letter"


@dataclass(frozen=True, slots=True)
class Post:
    """A message that must stand exactly once. It goes to `account`, or into the request's thread, or heads it.

    `kind` is unique within its entry. `words` gets the link to the card where `linked`, else nothing.
    """

    kind: str
    words: Callable[[str], Message]
    account: str = ""
    keep: str = ""  # Notebook key under which its place is kept
    linked: bool = False


@dataclass(frozen=True, slots=True)
class Paint:
    """Bring the card, and the requester's own message where `letter`, up to what the log says. Can be repeated."""

    letter: bool


def card_key(ref: str) -> str:
    return f"{CARD}:{ref}"


def letter_key(ref: str) -> str:
    return f"{LETTER}:{ref}"


def plan(entry: Entry, story: Story | None, cli: str, *, late: bool = False) -> tuple[Post | Paint, ...]:
    """In the order in which they are done; `late` where the post's own time no longer says when it was."""
    event = entry.event
    if isinstance(event, SignedIn) and event.by is not None:
        return (Post(f"dm:{event.by.slack_id}", lambda _: signed_in(event), account=event.by.slack_id),)
    if story is None:
        return ()
    if isinstance(event, RequestAsked):
        head = Post(CARD, lambda _: card(story), keep=card_key(story.ref))
        return (head, *_to_deciders(event, story))
    return (*_line(event, late=late), *_paint(event), *_to_requester(event, story, cli))


def _to_deciders(event: RequestAsked, story: Story) -> tuple[Post, ...]:
    if story.phase is not Phase.WAITING:
        return ()  # it was settled while Slack was away
    return tuple(
        Post(f"dm:{who}", lambda link: to_decider(story, link), account=who, linked=True) for who in event.deciders
    )


def _line(event: Event, *, late: bool) -> tuple[Post, ...]:
    told = line(event, late=late)
    return (Post(LINE, lambda _: told),) if told else ()


def _paint(event: Event) -> tuple[Paint, ...]:
    if type(event) in PHASE_AFTER or isinstance(event, ApprovalGiven | RevocationFailed):
        return (Paint(letter=isinstance(event, GrantEnding)),)
    return ()


def _to_requester(event: Event, story: Story, cli: str) -> tuple[Post, ...]:
    told, requester = to_requester(event, story, cli), story.asked.by
    if told is None or requester is None:
        return ()
    keep = letter_key(story.ref) if isinstance(event, GrantActive) else ""
    return (Post(f"dm:{requester.slack_id}", lambda _: told, account=requester.slack_id, keep=keep),)
