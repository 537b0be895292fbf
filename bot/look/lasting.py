"""How long access lasts, in words: until when, from when on, and what is asked for beyond it."""

from __future__ import annotations

from access.duration import in_words
from bot.look.blocks import Button
from bot.look.names import EXTEND
from bot.look.story import Phase, Story
from bot.look.words import at, escaped


def how_long(story: Story) -> str:
    """`1 hour`, or `1 hour more for PA-7`."""
    more = f" more for {escaped(story.asked.extends, 20)}" if story.asked.extends else ""
    return f"{in_words(story.asked.duration)}{more}"


def first_use(story: Story) -> str:
    """`1 hour from the first use, which must come by 16:00`."""
    lasts = story.approved.duration if story.approved else None
    by = f", which must come by {at(story.ends_at)}" if story.ends_at else ""
    return f"{in_words(lasts or story.asked.duration)} from the first use{by}"


def active(story: Story) -> str:
    """How an active grant stands, without who approved it."""
    until = at(story.ends_at) if story.ends_at else "its deadline"
    if story.waits_for_use:
        return f"🟢 *Ready*: {first_use(story)}."
    mark = "🔴 *Break-glass, active*" if story.asked.glass else "🟢 *Active*"
    return f"{mark} until {until}."


def asked_beyond(story: Story) -> str:
    """What waits to prolong it; empty where nothing does."""
    more = story.extension
    if more is None or more.phase is not Phase.WAITING:
        return ""
    return f" {more.ref} asks for {in_words(more.asked.duration)} more; it waits in the thread."


def extended(story: Story) -> str:
    """How a request to prolong stands once it has."""
    until = f" until {at(story.approved.expires_at)}" if story.approved else ""
    return f"🟢 *Granted*: {escaped(story.asked.extends, 20)} is active{until}."


def to_extend(story: Story) -> tuple[Button, ...]:
    """What its requester can press for more time, while it runs."""
    runs = story.phase is Phase.ACTIVE and not story.asked.glass and not story.waits_for_use
    return (Button("Extend…", EXTEND, story.ref),) if runs else ()
