"""How one person's requests stand, as rows: the same in `list` and on the home page."""

from __future__ import annotations

from datetime import datetime

from access.duration import in_words
from access.lifecycle import GRANT_TERMINAL
from access.model import Grant, GrantState, Request, RequestState, Review
from bot.look.blocks import Block, Button, section
from bot.look.forms import button_value
from bot.look.letters import command
from bot.look.names import CANCEL, END
from bot.look.words import at, escaped


def is_open(request: Request, grant: Grant | None) -> bool:
    """Waiting for people, or not yet proven gone."""
    return request.state is RequestState.PENDING or (grant is not None and grant.state not in GRANT_TERMINAL)


def named(request: Request) -> str:
    """`PA-7 · orders-db · read`."""
    return f"{request.ref} · *{what(request)}*"


def what(request: Request | Review) -> str:
    """`orders-db · read`, escaped."""
    return f"{escaped(request.target, 100)} · {escaped(request.role, 100)}"


def row(request: Request, grant: Grant | None, now: datetime, cli: str) -> Block:
    """What is open: how it stands, how to use it, and the button that ends it."""
    value = button_value(request)
    if grant is None:
        lapses = f", lapses at {at(request.due_at)}" if request.due_at else ""
        return section(f"{named(request)}: waiting{lapses}", Button("Cancel", CANCEL, value))
    if grant.state is GrantState.REVOKING:
        return section(f"{named(request)}: ending")
    end = Button("End now", END, value, confirm=f"{request.ref} ends now.")
    if grant.state is not GrantState.ACTIVE:
        return section(f"{named(request)}: opening", end)
    left = in_words(grant.expires_at - now)
    usage = command(grant.ref, grant, cli)
    return section(f"{named(request)}: {left} left, until {at(grant.expires_at)}\n`{usage}`", end)
