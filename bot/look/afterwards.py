"""What is said of a broken glass, loudly and at once, and of a review until it is closed. Stories in, words out."""

from __future__ import annotations

from dataclasses import replace

from access.duration import in_words
from access.events import Event, GlassBroken, GrantEnded, GrantFailed, ReviewClosed, ReviewFlagged
from access.model import BREAK_GLASS
from bot.look.blocks import Block, Button, Message, actions, note, section
from bot.look.forms import written
from bot.look.names import FLAG, OPEN_CARD, REVIEWED
from bot.look.story import Phase, Story
from bot.look.words import at, escaped, is_account

_MOST_NAMED = 20  # people in one message
_DATE = "{date_short_pretty} {time}"
_OVER = (Phase.ENDED, Phase.FAILED)


# At once


def broken(event: GlassBroken, story: Story, link: str, *, late: bool) -> Message:
    """For the channel, beside the card: everybody who is told stands in it by name."""
    text = f"🔴 *Break-glass*: {_who(event)} took {_what(story, link)} without approval, for {_long(story)}."
    told = f"Told: {mentioned(event.told)}." if event.told else "The policy names nobody else who could be told."
    blocks = [section(f"{text}{_late(event, late=late)}"), section(f"{told} Somebody else reviews it."), *_how(event)]
    return Message(f"{text} {told}", tuple(blocks))


def to_told(event: GlassBroken, story: Story, link: str, *, late: bool) -> Message:
    """For each of those who are told, by themselves."""
    text = f"🔴 *Break-glass*: {_who(event)} took {_what(story, '')} without approval, for {_long(story)}."
    rest = "You can end it from its card. Once it is over, somebody else than who took it has to review it."
    blocks = [section(f"{text}{_late(event, late=late)} {rest}"), *_how(event)]
    blocks += [actions(Button("Open the card", OPEN_CARD, "", "danger", url=link))] if link else []
    return Message(text, tuple(blocks))


def flagged(event: ReviewFlagged, story: Story, link: str, *, late: bool) -> Message:
    """For the channel; what was seen stands in the thread, where an erasure reaches it."""
    text = f"🔴 *Flagged*: {_who(event)} saw something under {_what(story, link)} that has to be looked into."
    told = f"Told: {mentioned(event.told)}." if event.told else ""
    blocks = [section(f"{text}{_late(event, late=late)}"), *([section(told)] if told else [])]
    return Message(f"{text} {told}".strip(), tuple(blocks))


def mentioned(accounts: tuple[str, ...]) -> str:
    """Each by a mention, at most twenty."""
    shown = [f"<@{account}>" if is_account(account) else escaped(account, 20) for account in accounts[:_MOST_NAMED]]
    more = [f"and {len(accounts) - _MOST_NAMED} more, in the audit log"] if len(accounts) > _MOST_NAMED else []
    return ", ".join([*shown, *more])


def _how(event: GlassBroken) -> list[Block]:
    if event.identity != "device":
        return []
    return [note("Slack did not answer then: the signed-in terminal and the policy file said who it was.")]


def _late(event: Event, *, late: bool) -> str:
    return f" This comes late: it was at {at(event.at, _DATE)}." if late else ""


def _what(story: Story, link: str) -> str:
    what = f"{story.ref} · *{escaped(story.what, 200)}*"
    return f"{what} (<{link}|its card>)" if link else what


def _long(story: Story) -> str:
    return in_words(story.asked.duration)


def _who(event: Event) -> str:
    return escaped(event.by.name, 80) if event.by else "somebody"


# On the card, and on the message that closes the thread


def review_status(story: Story) -> str:
    """A sentence for the card; empty where nothing is reviewed."""
    match story.review:
        case None:
            return ""
        case ReviewClosed() as closed:
            return f" Reviewed by {_who(closed)}."
        case ReviewFlagged() as flag:
            return f" 🔴 *Flagged* by {_who(flag)}, and not yet reviewed."
    return " To be reviewed." if story.phase in _OVER else " It will be reviewed."


def to_review(told: Message, event: Event, story: Story) -> Message:
    """The message that closes the thread, with what its reviewers can do from there while that is to be done."""
    if not isinstance(event, GrantEnded | GrantFailed) or story.review is None:
        return told
    if isinstance(story.review, ReviewClosed):
        return told
    value = written(story.asked.request_id, story.asked.digest)
    buttons = [Button("Reviewed…", REVIEWED, value, "primary")]
    if not isinstance(story.review, ReviewFlagged):
        buttons.append(Button("Flag…", FLAG, value, "danger"))
    return replace(told, blocks=(*told.blocks, *_called(story), actions(*buttons)))


def _called(story: Story) -> list[Block]:
    """Of a broken glass, whose reviewers were named when nothing could be seen yet."""
    if story.to_review is None or story.to_review.why != BREAK_GLASS:
        return []
    whom = mentioned(story.to_review.reviewers) or "the admins"
    return [note(f"Now to be reviewed by one of {whom}. Before that its requester cannot ask for anything.")]
