"""Which messages an audit entry makes, and how they read after all of their request's story. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from access.events import (
    CommentMade,
    Event,
    GlassBroken,
    GrantActive,
    GrantEnded,
    GrantExpiring,
    GrantExtended,
    GrantFailed,
    RequestAsked,
    RequestCancelled,
    RequestDenied,
    RequestEscalated,
    RequestExpired,
    RequestReminded,
    ReviewClosed,
    ReviewFlagged,
    SessionOpened,
    SignedIn,
    StatementAllowed,
    StatementHeld,
    StatementRefused,
)
from audit.log import Entry
from bot.look.afterwards import broken, flagged, to_review, to_told
from bot.look.called import commented, to_decider
from bot.look.card import card
from bot.look.holding import held
from bot.look.letters import ends_soon, prolonged, to_requester, yours
from bot.look.lines import TOLD, line
from bot.look.live import closing_of, live
from bot.look.operations import OPERATIONS
from bot.look.sessions import is_lead, session_key
from bot.look.story import PHASE_AFTER, Phase, Story
from bot.thread.orders import (
    CARD,
    CLOSED,
    EXTENSION,
    HELD,
    LINE,
    LOUD,
    SESSION,
    WARNING,
    Post,
    card_key,
    extension_key,
    held_key,
    letter_key,
)

#: what a request ends with; its line carries the receipt
CLOSING = (RequestDenied, RequestCancelled, RequestExpired, GrantFailed, GrantEnded)
#: what else quotes somebody, so that its line is painted anew when the words are erased
QUOTING = (CommentMade, ReviewFlagged, ReviewClosed)
#: when what waited to be run waits no more
SETTLED = (StatementAllowed, StatementRefused)
_OF_SESSIONS: tuple[type[Event], ...] = (SessionOpened, StatementHeld, *SETTLED)
#: what a request's messages are made of
TOLD_TAGS = frozenset(kind.TAG for kind in {*TOLD, *PHASE_AFTER, *_OF_SESSIONS})


def is_told(event: Event) -> bool:
    """Whether it makes a message or changes one at once: what a session consists of does not, and is most of a log."""
    kind = type(event)
    return kind in TOLD or kind in OPERATIONS or kind in PHASE_AFTER or kind in (SignedIn, *_OF_SESSIONS)


def posts(entry: Entry, story: Story, cli: str, *, late: bool = False) -> Iterator[Post]:
    """The messages that a request's entry makes, as they read after all of its story.

    What is asked to prolong a grant stands in that one's thread.
    """
    for post in _posts(entry, story, cli, late=late):
        yield post if post.account else replace(post, under=story.asked.extends)


def _posts(entry: Entry, story: Story, cli: str, *, late: bool) -> Iterator[Post]:
    event = entry.event
    if isinstance(event, RequestAsked):
        kind, names = (EXTENSION, extension_key(event.extends)) if event.extends else (CARD, "")
        yield Post(kind, lambda _: card(story), keep=card_key(story.ref), proof=entry.seq, names_it=names)
    if isinstance(event, SessionOpened) and is_lead(event.session):
        words, keep = partial(live, event, story), session_key(event.ref, event.session)
        yield Post(SESSION, lambda _: words(), keep=keep, proof=closing_of(event, story))
    if isinstance(event, StatementHeld):
        yield from _of_held(event, story, cli)
    yield from _to_asked(entry, event, story)
    yield from _loud(event, story, late=late)
    if (told := line(event, story, late=late)) is not None:
        told = to_review(told, event, story)
        keep = _key(entry, LINE) if isinstance(event, QUOTING) else ""
        keep, proof = (_key(entry, CLOSED), entry.seq) if isinstance(event, CLOSING) else (keep, None)
        yield Post(LINE, lambda _: told, keep=keep, proof=proof)
    if isinstance(event, CommentMade):
        yield from _of_comment(entry, event, story)
    yield from _to_requester(entry, event, story, cli)
    yield from _of_its_end(entry, event, story, cli, late=late)


def standing(entries: Iterable[Entry], story: Story, cli: str) -> Iterator[tuple[Entry, Post]]:
    """Every message about a request whose place is kept, as it should read now."""
    for entry in entries:
        if is_told(entry.event):
            yield from ((entry, post) for post in posts(entry, story, cli, late=True) if post.keep)


def _to_asked(entry: Entry, event: Event, story: Story) -> Iterator[Post]:
    """A letter to each who is asked by this entry, or asked again; none where it was settled while Slack was away."""
    to = event.deciders if isinstance(event, RequestAsked) else ()
    to = event.to if isinstance(event, RequestEscalated | RequestReminded) else to
    settled, again = story.phase is not Phase.WAITING, isinstance(event, RequestReminded)
    for who in to:
        words = partial(to_decider, story, who, again=again)
        key = _key(entry, f"dm:{who}")
        yield Post(f"dm:{who}", words, account=who, keep=key, linked=True, moot=settled)


def _of_held(event: StatementHeld, story: Story, cli: str) -> Iterator[Post]:
    """In the thread, and to each who is asked while it still waits."""
    words, key = partial(held, event, story, cli), held_key(event.held)
    yield Post(HELD, lambda _: words(), keep=key)
    for who in event.to:
        moot = event.held in story.held
        yield Post(f"dm:{who}", words, account=who, keep=f"{key}:to:{who}", linked=True, moot=moot)


def _of_comment(entry: Entry, event: CommentMade, story: Story) -> Iterator[Post]:
    """To whoever asked; and what they say themselves, to those who are to decide it."""
    requester, by = story.asked.by, event.by
    own = requester is not None and by is not None and by.id == requester.id
    to = tuple(story.called) if own else (requester.slack_id,) if requester else ()
    settled = own and story.phase is not Phase.WAITING  # then it concerns those no longer who were to decide it
    for who in (who for who in to if by is None or who != by.slack_id):
        words, keep = partial(commented, event, story), _key(entry, f"dm:{who}")
        yield Post(f"dm:{who}", words, account=who, keep=keep, linked=True, moot=settled)


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


def _of_its_end(entry: Entry, event: Event, story: Story, cli: str, *, late: bool) -> Iterator[Post]:
    """To the requester: that it ends soon, while that is still so; that it has a new end."""
    if story.asked.by is None:
        return
    account = story.asked.by.slack_id
    if isinstance(event, GrantExpiring):
        over = story.phase is not Phase.ACTIVE or story.ends_at != event.expires_at
        key = f"{WARNING}:{story.ref}:{entry.seq}"
        words = partial(ends_soon, event, story, late=late)
        yield Post(f"dm:{account}", words, account=account, keep=key, moot=over)
    if isinstance(event, GrantExtended):
        yield Post(f"dm:{account}", lambda _: prolonged(event, story, cli), account=account)


def _loud(event: Event, story: Story, *, late: bool) -> Iterator[Post]:
    """Beside the card, for everybody in the channel, and to those who are told by themselves."""
    if isinstance(event, ReviewFlagged):
        yield Post(LOUD, lambda link: flagged(event, story, link, late=late), linked=True)
    if isinstance(event, GlassBroken):
        yield Post(LOUD, lambda link: broken(event, story, link, late=late), linked=True)
        for who in event.told:
            yield Post(f"dm:{who}", lambda link: to_told(event, story, link, late=late), account=who, linked=True)


def _key(entry: Entry, kind: str) -> str:
    return f"post:{entry.seq}:{kind}"
