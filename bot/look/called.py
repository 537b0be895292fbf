"""Direct messages to those who are asked to decide, and what is said about a request to those whom it concerns."""

from __future__ import annotations

from access.events import CommentMade
from bot.look.blocks import Block, Button, Message, actions, facts, person, said, section
from bot.look.card import STATUS, to_decide
from bot.look.lasting import how_long
from bot.look.names import OPEN_CARD
from bot.look.story import Phase, Story
from bot.look.tickets import ticket_row
from bot.look.words import at, escaped


def to_decider(story: Story, account: str, link: str, *, again: bool = False) -> Message:
    """It is decided from here as from the card. `again`: they were asked before, and that message says so now."""
    asked, text = story.asked, _text(story, account, again=again)
    who = person(asked.by.slack_id) if asked.by else "–"
    blocks = [section(text), facts([("Requester", who), ticket_row(story)])]
    blocks.append(said(asked.reason or "no reason given", asked.by.name if asked.by else ""))
    buttons = (*(to_decide(story) if _is_asked(story, account, again=again) else ()), *_open(link))
    return Message(text, (*blocks, actions(*buttons)) if buttons else tuple(blocks))


def commented(event: CommentMade, story: Story, link: str) -> Message:
    """Somebody said something about a request that its reader asked for, or is to decide."""
    name = event.by.name if event.by else "prodaccess"
    text = f"{story.ref} · *{escaped(story.what, 200)}*: {escaped(name, 80)} commented."
    under: tuple[Block, ...] = (said(event.text, name), *((actions(*_open(link)),) if link else ()))
    return Message(text, (section(text), *under))


def _text(story: Story, account: str, *, again: bool) -> str:
    what = f"{story.ref} · *{escaped(story.what, 200)}* for {how_long(story)}"
    if story.phase is not Phase.WAITING:
        return f"{what} no longer waits for you. {STATUS[story.phase](story)}"
    if story.has_approved(account):
        return f"{what}: you have approved it. {STATUS[story.phase](story)}"
    if not again and account in story.reminded:
        return f"{what}: you were asked again, further down."
    return f"{what} {'still waits' if again else 'waits'} for you until {at(story.asked.lapses_at)}."


def _is_asked(story: Story, account: str, *, again: bool) -> bool:
    waits = story.phase is Phase.WAITING and not story.has_approved(account)
    return waits and (again or account not in story.reminded)


def _open(link: str) -> tuple[Button, ...]:
    return (Button("Open the card", OPEN_CARD, "", url=link),) if link else ()
