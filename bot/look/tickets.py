"""A request's ticket, as a row of `facts`: its key, and its link and title where its system has shown them lately."""

from __future__ import annotations

from bot.look.blocks import Block, link, word
from bot.look.story import Story

LONGEST_TITLE = 120  # characters


def ticket_row(story: Story) -> tuple[str, str | Block | tuple[Block, ...]]:
    """The title is anybody's text."""
    key, ticket = story.asked.ticket, story.ticket
    if ticket is None or not key:
        return "Ticket", key or "none"
    title = (word(f" · {ticket.title}", most=LONGEST_TITLE),) if ticket.title else ()
    return "Ticket", (link(key, ticket.url), *title)
