"""What an audit entry means for Slack: which messages it makes, and which of those that stand change. Pure."""

from __future__ import annotations

from access.events import (
    ApprovalGiven,
    Event,
    GrantActive,
    GrantEnding,
    GrantExtended,
    GrantFailed,
    GrantQuarantined,
    GrantStarted,
    RequestApproved,
    RequestAsked,
    RequestCancelled,
    RequestDenied,
    RequestEscalated,
    RequestExpired,
    RequestReminded,
    ReviewClosed,
    ReviewFlagged,
    ReviewOpened,
    RevocationFailed,
    SignedIn,
    TextErased,
)
from audit.log import Entry
from bot.look.letters import signed_in
from bot.look.operations import operation
from bot.look.story import PHASE_AFTER, Phase, Story
from bot.thread.orders import OPERATION, Paint, Post, Reach
from bot.thread.posting import SETTLED, posts

#: what changes how far it is, and who is asked
CALLING = (ApprovalGiven, RequestEscalated, RequestReminded)
#: when those who were asked see on their own messages that it is decided: after what is more urgent
SETTLING = (RequestDenied, RequestCancelled, RequestExpired, GrantActive, GrantFailed, GrantQuarantined)


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
    painted = (*_paint(event), *_paint_held(event), *_paint_prolonged(event, story))
    return (*in_channel, *painted, *(post for post in own if post.account), *_paint_asked(event, story))


def _paint(event: Event) -> tuple[Paint, ...]:
    if isinstance(event, TextErased):
        return (Paint(Reach.ALL),)
    if isinstance(event, ReviewFlagged | ReviewClosed):
        return (Paint(Reach.REVIEW),)
    if isinstance(event, RequestAsked):
        return ()
    if isinstance(event, GrantStarted | GrantExtended):
        return (Paint(Reach.LETTER),)
    if type(event) in PHASE_AFTER or isinstance(event, (RevocationFailed, ReviewOpened, *CALLING)):
        return (Paint(Reach.LETTER if isinstance(event, GrantEnding) else Reach.CARD),)
    return ()


def _paint_held(event: Event) -> tuple[Paint, ...]:
    return (Paint(Reach.CARD, held=event.held),) if isinstance(event, SETTLED) else ()


def _paint_prolonged(event: Event, story: Story) -> tuple[Paint, ...]:
    """The card of the grant that it is to prolong says what waits."""
    if story.asked.extends and (isinstance(event, RequestAsked) or type(event) in PHASE_AFTER):
        return (Paint(Reach.CARD, story.asked.extends),)
    return ()


def _paint_asked(event: Event, story: Story) -> tuple[Paint, ...]:
    """The messages of those who were asked: a letter that was repeated, and one that has nothing left to decide."""
    if isinstance(event, SETTLING) or (story.asked.extends and isinstance(event, RequestApproved)):
        return (Paint(Reach.ASKED),) if story.called else ()
    still = story.phase is Phase.WAITING and isinstance(event, ApprovalGiven | RequestReminded)
    return (Paint(Reach.ASKED),) if still else ()
