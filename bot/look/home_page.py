"""How App Home looks: what was found in, blocks out, never more of them than Slack takes. Pure.

Each part shows its first few and says how many more there are and where they are listed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from access.duration import in_words
from access.model import BREAK_GLASS, Grant, GrantState, Request, RequestState, Review, ReviewState
from bot.look.blocks import Block, Button, actions, header, moment, note, plain, said, section, word
from bot.look.blocks import lines as rows_of
from bot.look.forms import button_value
from bot.look.letters import command
from bot.look.names import APPROVE, CANCEL, DENY, END, EXTEND, FILL_IN, FLAG, HOME_FILTER, REVIEWED, WHO
from bot.look.standing import named, what
from bot.look.words import at, escaped

_DATE = "{date_short_pretty} {time}"
_BAR = 10  # squares
_LATER = "They come up here as these are done."
_MOST_GRANTS, _MOST_WAITING, _MOST_MINE, _MOST_REVIEWS, _MOST_LATELY, _MOST_ALL = 8, 8, 5, 6, 10, 15
FILTERS = {
    "none": "Only mine",
    "open": "Everything open",
    "waiting": "Waiting for people",
    "active": "Active",
    "glass": "Break-glass",
    "reviews": "Open reviews",
    "lately": "The newest 50",
}

Row = tuple[Request, Grant | None]
_Kind = TypeVar("_Kind")


@dataclass(frozen=True, slots=True)
class Page:
    """What one person's page shows. `reviews` are theirs to close, with their requests; `held` are about themselves.

    `example` is a target that they may ask for. `everybody` is None for who sees only their own.
    """

    now: datetime
    slash: str
    cli: str
    example: str = ""
    grants: tuple[tuple[Request, Grant], ...] = ()
    asked: tuple[Request, ...] = ()
    to_decide: tuple[Request, ...] = ()
    reviews: tuple[tuple[Review, Request], ...] = ()
    held: tuple[Review, ...] = ()
    lately: tuple[Row, ...] = ()
    everybody: tuple[Row, ...] | None = None
    all_reviews: tuple[Review, ...] = ()
    shown: str = "none"


def page(seen: Page) -> list[Block]:
    """At most a hundred blocks."""
    return [
        *_mine(seen), *_asked(seen), *_to_decide(seen), *_reviews(seen), *_lately(seen), *_everybody(seen),
        note(f"`{seen.slash} help` shows everything that can be typed. As of {at(seen.now, _DATE)}."),
    ]  # fmt: skip


# Mine


def _mine(seen: Page) -> list[Block]:
    ask = actions(Button("Ask for access", FILL_IN, "", "primary"))
    if seen.grants:
        return [
            header("What you have"),
            *_each(seen.grants, _MOST_GRANTS, lambda one: _grant(seen, *one), _listed(seen)),
            ask,
        ]
    if not seen.example:
        return [header("What you have"), section("Nothing is open, and there is nothing that you may ask for.")]
    text = f"Nothing is open. Ask: `{seen.slash} {escaped(seen.example, 100)} 1h OPS-123 because …`"
    teach = "It says at once who decides. Once it is yours, the command to use it and the time left stand here."
    return [header("What you have"), section(text), note(teach), ask]


def _grant(seen: Page, request: Request, grant: Grant) -> list[Block]:
    end = Button("End now", END, button_value(request), confirm=f"{request.ref} ends now.")
    if grant.state is GrantState.REVOKING:
        return [section(f"{named(request)}: ending")]
    if grant.state is not GrantState.ACTIVE:
        return [section(f"{named(request)}: opening"), actions(end)]
    usage = f"\n`{command(grant.ref, grant, seen.cli)}`"
    if grant.started_at is None:
        waits = f"yours for {in_words(grant.duration)} from first use, which must come by {at(grant.expires_at)}"
        return [section(f"{_glass(grant.glass)}{named(request)}: {waits}{usage}"), actions(end)]
    left = grant.expires_at - seen.now
    run = grant.expires_at - grant.started_at
    text = f"{named(request)}: {_bar(left, run)} {in_words(left)} left, until {at(grant.expires_at)}"
    more = () if grant.glass else (Button("Extend…", EXTEND, request.ref),)
    return [section(f"{_glass(grant.glass)}{text}{usage}"), actions(*more, end)]


def _bar(left: timedelta, run: timedelta) -> str:
    """`▰▰▰▱▱▱▱▱▱▱`: how much is left."""
    part = max(0.0, min(1.0, left / run)) if run else 0.0
    full = round(part * _BAR)
    return f"{'▰' * full}{'▱' * (_BAR - full)}"


def _glass(is_glass: bool) -> str:  # noqa: FBT001 (one sign)
    return "🔴 *Break-glass* " if is_glass else ""


def _asked(seen: Page) -> list[Block]:
    if not seen.asked:
        return []
    return [header("What you asked for"), *_each(seen.asked, _MOST_MINE, lambda one: [_waits(one)], _listed(seen))]


def _waits(request: Request) -> Block:
    until = f", lapses at {at(request.lapses_at)}"
    return section(f"{_named(request)}: waiting{until}", Button("Cancel", CANCEL, button_value(request)))


def _named(request: Request) -> str:
    return f"{named(request)}{f', more of PA-{request.extends}' if request.extends else ''}"


# For me to do


def _to_decide(seen: Page) -> list[Block]:
    if not seen.to_decide:
        teach = "What you may approve stands here and comes as a direct message."
        return [header("Waiting for you"), section(f"Nothing waits for you. {teach}")]
    return [header("Waiting for you"), *_each(seen.to_decide, _MOST_WAITING, _decide, _LATER)]


def _decide(request: Request) -> list[Block]:
    value = button_value(request)
    who, ticket = escaped(request.requester.name, 80), escaped(request.ticket, 100)
    asked = f"{who} asks for {_named(request)} for {in_words(request.duration)}{f', ticket {ticket}' if ticket else ''}"
    buttons = (Button("Approve", APPROVE, value, "primary"), Button("Deny…", DENY, value, "danger"))
    return [
        section(asked), said(request.reason or "no reason given", request.requester.name),
        actions(*buttons, Button("Who can?", WHO, value)),
    ]  # fmt: skip


def _reviews(seen: Page) -> list[Block]:
    if not seen.reviews and not seen.held:
        return []
    blocks = [block for review in seen.held[:_MOST_MINE] for block in _of_yours(review)]
    blocks += _each(seen.reviews, _MOST_REVIEWS, lambda one: _review(*one), _LATER)
    return [header("To review"), *blocks]


def _review(review: Review, request: Request) -> list[Block]:
    value = button_value(request)
    buttons = [Button("Reviewed…", REVIEWED, value, "primary")]
    buttons += [Button("Flag…", FLAG, value, "danger")] if review.state is ReviewState.OPEN else []
    return [section(_about(review)), actions(*buttons)]


def _about(review: Review) -> str:
    why = "break-glass" if review.why == BREAK_GLASS else "by its rule"
    flagged = (
        f", 🔴 flagged by {escaped(review.by.name, 80)}" if review.state is ReviewState.FLAGGED and review.by else ""
    )
    who = escaped(review.requester.name, 80)
    return f"{review.ref} · *{what(review)}* of {who}, {why}, open since {at(review.opened_at, _DATE)}{flagged}"


def _of_yours(review: Review) -> list[Block]:
    held = " Until then you cannot ask for anything." if review.why == BREAK_GLASS else ""
    return [section(f"Yours: {review.ref} · *{what(review)}* waits for somebody else's review.{held}")]


# Looking back


def _lately(seen: Page) -> list[Block]:
    if not seen.lately:
        return []
    return [header("Lately"), rows_of([_past(*one) for one in seen.lately[:_MOST_LATELY]])]


def _past(request: Request, grant: Grant | None) -> list[Block]:
    ended = (grant.ended_at if grant else request.decided_at) or request.created_at
    state = grant.state if grant else request.state
    return [moment(ended), word(request.ref, "bold"), word(f"{request.target} · {request.role}: {state}", most=220)]


# Everybody's


def _everybody(seen: Page) -> list[Block]:
    if seen.everybody is None:
        return []
    blocks = [header("Everybody's"), _chooser(seen.shown)]
    if seen.shown == "none":
        return blocks
    if seen.shown == "reviews":
        return blocks + _each(seen.all_reviews, _MOST_ALL, lambda one: [section(_about(one))])
    rows = [(request, grant) for request, grant in seen.everybody if _is_shown(seen.shown, request, grant)]
    if not rows:
        return [*blocks, section("Nothing of this kind.")]
    return blocks + _each(rows, _MOST_ALL, lambda one: [_theirs(*one)])


def _chooser(shown: str) -> Block:
    options = [{"text": plain(text, 75), "value": name} for name, text in FILTERS.items()]
    chosen = next((option for option in options if option["value"] == shown), options[0])
    element = {"type": "static_select", "action_id": HOME_FILTER, "options": options, "initial_option": chosen}
    return {"type": "actions", "block_id": HOME_FILTER, "elements": [element]}


def _is_shown(chosen: str, request: Request, grant: Grant | None) -> bool:
    waiting = request.state is RequestState.PENDING
    running = grant is not None and grant.ended_at is None
    return {
        "open": waiting or running,
        "waiting": waiting,
        "active": grant is not None and grant.state is GrantState.ACTIVE,
        "glass": request.glass,
        "lately": True,
    }.get(chosen, False)


def _theirs(request: Request, grant: Grant | None) -> Block:
    who = escaped(request.requester.name, 80)
    if grant is None:
        waits = request.state is RequestState.PENDING
        state = f"waiting, lapses at {at(request.lapses_at)}" if waits else str(request.state)
        button = Button("Cancel", CANCEL, button_value(request)) if waits else None
        return section(f"{who}: {_named(request)}: {state}", button)
    over = grant.ended_at
    state = f"{grant.state}, {at(over, _DATE)}" if over else f"{grant.state}, until {at(grant.expires_at)}"
    end = Button("End now", END, button_value(request), confirm=f"{request.ref} of {request.requester.name} ends now.")
    ending = over or grant.state is GrantState.REVOKING
    return section(f"{_glass(grant.glass)}{who}: {named(request)}: {state}", None if ending else end)


def _listed(seen: Page) -> str:
    return f"`{seen.slash} list` shows all."


def _each(all_of: Sequence[_Kind], most: int, drawn: Callable[[_Kind], list[Block]], rest: str = "") -> list[Block]:
    blocks = [block for one in all_of[:most] for block in drawn(one)]
    more = len(all_of) - most
    return [*blocks, note(f"And {more} more. {rest}".strip())] if more > 0 else blocks
