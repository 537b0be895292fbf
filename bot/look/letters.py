"""Direct messages: what one person must know without looking into the channel."""

from __future__ import annotations

from access.duration import in_words
from access.events import (
    Event,
    GrantActive,
    GrantEnded,
    GrantEnding,
    GrantExpiring,
    GrantExtended,
    GrantFailed,
    RequestCancelled,
    RequestDenied,
    RequestExpired,
    RequestReminded,
    SignedIn,
)
from access.model import Cause, Grant
from bot.look.blocks import Block, Button, Message, actions, facts, note, said, section, small
from bot.look.card import approved, cause_of
from bot.look.forms import written
from bot.look.lasting import first_use, to_extend
from bot.look.names import END, NOT_ME
from bot.look.story import Phase, Story
from bot.look.words import at, escaped, gone

_PSQL = "run {ref} -- psql"
#: by provider, where psql is not what uses it
_USAGE = {
    "aws": "run {ref} -- aws sts get-caller-identity",
    "aws_identity_center": "creds {ref}",
    "vault_mysql": "run {ref} -- COMMAND",
    "vault_ssh": "run {ref} -- COMMAND",
}


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
        case RequestReminded(why=why) if why:
            told = ("cannot be decided by anybody right now. Take it back, or ask your admins.", small(why))
        case RequestExpired():
            told = ("lapsed: nobody decided in time. Ask again when somebody is there.",)
        case GrantFailed(why=why):
            told = ("could not be opened; no access was given.", small(why))
        case RequestCancelled(why=why) if why:
            told = (f"is over: {escaped(why)}",)
        case GrantEnding(cause=cause, by=by) if cause not in (Cause.DEADLINE, Cause.NOT_USED, Cause.REQUESTER):
            who = f" ({escaped(by.name, 80)})" if by else ""
            told = (f"is ending {cause_of(cause)}{who}.",)
        case GrantEnded(cause=cause):
            told = (f"has ended {cause_of(cause)}: {gone(event.effective_by, tried=event.tried)}.",)
    return told


def yours(story: Story, cli: str) -> Message:
    """How to use it, until when; once it is over, only that."""
    if story.phase is not Phase.ACTIVE or story.active is None:
        return _letter(f"{_what(story)} was yours until {at(story.turn.at)}.")
    usage = command(story.ref, story.active, cli)
    until = at(story.ends_at or story.active.expires_at)
    lasts = f"for {first_use(story)}" if story.waits_for_use else f"until {until}"
    sentence = f"{_what(story)} is yours {lasts}. In your own terminal:\n`{usage}`"
    less = (note(approved(story)),) if story.shortest else ()
    return _letter(sentence, *less, _to_go_on(story))


def ends_soon(event: GrantExpiring, story: Story, _: str = "", *, late: bool = False) -> Message:
    """The warning; once it has another end or is over, only that."""
    if story.phase is not Phase.ACTIVE:
        return _letter(f"{_what(story)} was yours until {at(story.turn.at)}.")
    if story.ends_at is not None and story.ends_at != event.expires_at:
        return _letter(f"{_what(story)} has a later end: {at(story.ends_at)}.")
    left = "" if late else f", in {in_words(event.expires_at - event.at)}"
    return _letter(f"{_what(story)} ends at {at(event.expires_at)}{left}.", _to_go_on(story))


def prolonged(event: GrantExtended, story: Story, cli: str) -> Message:
    """That it has a new end, and what that means for what is in use already."""
    usage = command(story.ref, story.active, cli)
    text = f"{_what(story)} has a new end: {at(event.expires_at)}, by {escaped(event.extension, 20)}."
    before = f"What you hold already ends at {at(event.was)} all the same. Collect again, and it lasts to the new end:"
    return _letter(f"{text} {before}\n`{usage}`")


def _to_go_on(story: Story) -> Block:
    end = Button("End now", END, written(story.asked.request_id, story.asked.digest), confirm=f"{story.what} ends now.")
    return actions(*to_extend(story), end)


def command(ref: str, grant: Grant | GrantActive | None, cli: str) -> str:
    """What to type to use it: by its provider, or through its gateway."""
    if grant is not None and grant.gateway:
        return f"{cli} ssh {ref}" if grant.gateway == "ssh" else f"{cli} connect {ref} -- psql"
    usage = _USAGE.get(grant.provider, _PSQL) if grant is not None else _PSQL
    return f"{cli} {usage.format(ref=ref)}"


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
