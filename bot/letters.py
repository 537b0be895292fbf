"""Direct messages: what one person must know without looking into the channel."""

from __future__ import annotations

from access.duration import in_words
from access.events import (
    Event,
    GrantEnded,
    GrantEnding,
    GrantFailed,
    RequestDenied,
    RequestExpired,
    SignedIn,
)
from access.model import Cause
from bot.blocks import Block, Button, Message, actions, facts, person, said, section, small
from bot.card import STATUS, cause_of
from bot.forms import written
from bot.names import END, NOT_ME, OPEN_CARD
from bot.story import Phase, Story
from bot.words import at, escaped, gone


def to_requester(event: Event, story: Story) -> Message | None:
    """What the requester hears of this fact directly, if anything; how to use it is `yours`."""
    told = _told(event)
    return _letter(f"{_what(story)} {told[0]}", *told[1:]) if told else None


def _told(event: Event) -> tuple[str, *tuple[Block, ...]] | None:
    told: tuple[str, *tuple[Block, ...]] | None = None
    match event:
        case RequestDenied(reason=reason, by=by):
            name = by.name if by else ""
            told = (f"was denied by {escaped(name, 80)}.", said(reason, name))
        case RequestExpired():
            told = ("lapsed: nobody decided in time. Ask again when somebody is there.",)
        case GrantFailed(why=why):
            told = ("could not be opened; no access was given.", small(why))
        case GrantEnding(cause=cause, by=by) if cause not in (Cause.DEADLINE, Cause.REQUESTER):
            who = f" ({escaped(by.name, 80)})" if by else ""
            told = (f"is ending {cause_of(cause)}{who}.",)
        case GrantEnded(cause=cause):
            told = (f"has ended {cause_of(cause)}: {gone(event.effective_by, tried=event.tried)}.",)
    return told


def yours(story: Story, cli: str) -> Message:
    """How to use it, until when; once it is over, only that."""
    if story.phase is not Phase.ACTIVE or story.active is None:
        return _letter(f"{_what(story)} was yours until {at(story.turn.at)}.")
    usage = command(story.ref, story.active.provider, cli)
    sentence = f"{_what(story)} is yours until {at(story.active.expires_at)}. In your own terminal:\n`{usage}`"
    value = written(story.asked.request_id, story.asked.digest)
    return _letter(sentence, actions(Button("End now", END, value, confirm=f"{story.what} ends now.")))


def command(ref: str, provider: str, cli: str) -> str:
    """What to type to use a grant of this provider."""
    program = "aws sts get-caller-identity" if "aws" in provider else "psql"
    return f"{cli} run {ref} -- {program}"


def to_decider(story: Story, link: str) -> Message:
    """`waiting for you`, with the way to the card; nothing can be decided from here."""
    asked = story.asked
    text = f"{_what(story)} for {in_words(asked.duration)} waits for you until {at(asked.lapses_at)}."
    if story.phase is not Phase.WAITING:
        text = f"{_what(story)} for {in_words(asked.duration)} no longer waits for you. {STATUS[story.phase](story)}"
    who = person(asked.by.slack_id) if asked.by else "–"
    blocks = [section(text), facts([("Requester", who), ("Ticket", asked.ticket or "none")])]
    blocks.append(said(asked.reason or "no reason given", asked.by.name if asked.by else ""))
    blocks += [actions(Button("Open the card", OPEN_CARD, "", "primary", url=link))] if link else []
    return Message(text, tuple(blocks))


def signed_in(event: SignedIn) -> Message:
    """Shown after every sign-in, so that a foreign one is noticed."""
    question = "This signs that terminal out and ends everything that is open in your name."
    button = Button("That was not me", NOT_ME, event.device, "danger", confirm=question)
    text = f"A terminal signed in as you, until {at(event.expires_at)}."
    return _letter(text, facts([("Host", event.host), ("Address", event.address)]), actions(button))


def _what(story: Story) -> str:
    return f"{story.ref} · *{escaped(story.what, 200)}*"


def _letter(text: str, *under: Block) -> Message:
    return Message(text, (section(text), *under))
