"""What an audit entry means for Slack: which messages it makes, and which of those that stand change. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from access.events import (
    ApprovalGiven,
    Event,
    GrantActive,
    GrantEnded,
    GrantEnding,
    GrantFailed,
    RequestAsked,
    RequestCancelled,
    RequestDenied,
    RequestExpired,
    RevocationFailed,
    SignedIn,
    TextErased,
)
from audit.log import Entry
from bot.blocks import Message
from bot.card import card
from bot.letters import signed_in, to_decider, to_requester, yours
from bot.lines import TOLD, line
from bot.operations import OPERATIONS, operation
from bot.story import PHASE_AFTER, Phase, Story

CARD = "card"
LINE = "line"
LETTER = "letter"
OPERATION = "operation"

#: what a request ends with; its line carries the receipt
CLOSING = (RequestDenied, RequestCancelled, RequestExpired, GrantFailed, GrantEnded)

#: what a request's messages are made of
TOLD_TAGS = frozenset(kind.TAG for kind in TOLD.keys() | PHASE_AFTER.keys())


class Reach(Enum):
    """How much of what stands about a request is brought up to date."""

    #: the card alone
    CARD = "card"
    #: and the letter that says how to use it
    LETTER = "letter"
    #: and everything else that quotes somebody
    ALL = "all"

    def covers(self, kept: str, ref: str) -> bool:
        return self is Reach.ALL or kept == card_key(ref) or (self is Reach.LETTER and kept == letter_key(ref))


@dataclass(frozen=True, slots=True)
class Post:
    """A message that must stand exactly once. It goes to `account`, or into the request's thread, or heads it.

    `kind` is unique within its entry. `words` gets the link to the card where `linked`, else nothing. `proof` is the
    entry whose receipt it carries, if any. A `moot` one came too late to be posted, but is repainted where it stands.
    """

    kind: str
    words: Callable[[str], Message]
    account: str = ""
    keep: str = ""  # Notebook key under which its place is kept
    linked: bool = False
    proof: int | None = None
    moot: bool = False


@dataclass(frozen=True, slots=True)
class Paint:
    """Bring what stands up to what the log says. Can be repeated."""

    reach: Reach


def card_key(ref: str) -> str:
    return f"{CARD}:{ref}"


def letter_key(ref: str) -> str:
    return f"{LETTER}:{ref}"


def is_told(event: Event) -> bool:
    """Whether it means anything for Slack: what a session consists of does not, and that is most of a log."""
    kind = type(event)
    return kind in TOLD or kind in OPERATIONS or kind in PHASE_AFTER or kind is SignedIn


def plan(entry: Entry, story: Story | None, cli: str, *, late: bool = False) -> tuple[Post | Paint, ...]:
    """In the order in which they are done; `late` where the post's own time no longer says when it was."""
    event = entry.event
    if isinstance(event, SignedIn) and event.by is not None:
        return (Post(f"dm:{event.by.slack_id}", lambda _: signed_in(event), account=event.by.slack_id),)
    if (told := operation(event, late=late)) is not None:
        return (Post(OPERATION, lambda _: told),)
    if story is None or (isinstance(event, TextErased) and event != story.erasure(event)[0]):
        return ()
    own = [post for post in posts(entry, story, cli, late=late) if not post.moot]
    in_channel = [post for post in own if not post.account]
    return (*in_channel, *_paint(event), *(post for post in own if post.account))


def posts(entry: Entry, story: Story, cli: str, *, late: bool = False) -> Iterator[Post]:
    """The messages that a request's entry makes, as they read after all of its story."""
    event = entry.event
    if isinstance(event, RequestAsked):
        yield Post(CARD, lambda _: card(story), keep=card_key(story.ref), proof=entry.seq)
        yield from _to_deciders(entry, event, story)
    if (told := line(event, story, late=late)) is not None:
        closes = isinstance(event, CLOSING)
        keep, proof = (_key(entry, LINE), entry.seq) if closes else ("", None)
        yield Post(LINE, lambda _: told, keep=keep, proof=proof)
    yield from _to_requester(entry, event, story, cli)


def standing(entries: Iterable[Entry], story: Story, cli: str) -> Iterator[tuple[Entry, Post]]:
    """Every message about a request whose place is kept, as it should read now."""
    for entry in entries:
        if is_told(entry.event):
            yield from ((entry, post) for post in posts(entry, story, cli, late=True) if post.keep)


def _to_deciders(entry: Entry, event: RequestAsked, story: Story) -> Iterator[Post]:
    settled = story.phase is not Phase.WAITING  # while Slack was away
    for who in event.deciders:
        kind = f"dm:{who}"
        yield Post(
            kind, lambda link: to_decider(story, link), account=who, keep=_key(entry, kind), linked=True, moot=settled
        )


def _to_requester(entry: Entry, event: Event, story: Story, cli: str) -> Iterator[Post]:
    requester = story.asked.by
    if requester is None:
        return
    kind, account = f"dm:{requester.slack_id}", requester.slack_id
    if isinstance(event, GrantActive):
        over = story.phase is not Phase.ACTIVE
        yield Post(kind, lambda _: yours(story, cli), account=account, keep=letter_key(story.ref), moot=over)
    elif (told := to_requester(event, story)) is not None:
        quotes = isinstance(event, RequestDenied)
        yield Post(kind, lambda _: told, account=account, keep=_key(entry, kind) if quotes else "")


def _paint(event: Event) -> tuple[Paint, ...]:
    if isinstance(event, TextErased):
        return (Paint(Reach.ALL),)
    if isinstance(event, RequestAsked):
        return ()
    if type(event) in PHASE_AFTER or isinstance(event, ApprovalGiven | RevocationFailed):
        return (Paint(Reach.LETTER if isinstance(event, GrantEnding) else Reach.CARD),)
    return ()


def _key(entry: Entry, kind: str) -> str:
    return f"post:{entry.seq}:{kind}"
