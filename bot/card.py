"""The card: head of a request's thread. A story in, a message out."""

from __future__ import annotations

from collections.abc import Callable

from access.duration import in_words
from access.events import GrantEnded, GrantEnding, GrantFailed, RequestDenied
from access.model import Cause, Person
from bot.blocks import Block, Button, Message, actions, facts, header, note, person, said, section, small
from bot.forms import written
from bot.names import APPROVE, DENY, END, WHO
from bot.story import Phase, Story
from bot.words import CAUSES, at, escaped, listed


def card(story: Story) -> Message:
    """Who asks for what, why, how it stands, and the buttons that still mean something."""
    asked = story.asked
    title = f"{story.ref} · {story.what} · {in_words(asked.duration)}"
    status = STATUS[story.phase](story)
    rows = [("Requester", person(asked.by.slack_id) if asked.by else "–"), ("Ticket", asked.ticket or "none")]
    blocks = [header(title), section(status), facts(rows), said(asked.reason or "no reason given", _name(asked.by))]
    blocks += _aside(story)
    blocks.append(note(_policy(story)))
    blocks += _buttons(story)
    return Message(f"{escaped(title)}: {status}", tuple(blocks))


def _policy(story: Story) -> str:
    asked = story.asked
    policy = escaped(asked.policy_hash[:8])
    return f"Rule {escaped(asked.rule, 150)}, {asked.approvals_needed} to approve · policy {policy}"


def _buttons(story: Story) -> list[Block]:
    value = written(story.asked.request_id, story.asked.digest)
    who = Button("Who can?", WHO, value)
    match story.phase:
        case Phase.WAITING:
            return [actions(Button("Approve", APPROVE, value, "primary"), Button("Deny…", DENY, value, "danger"), who)]
        case Phase.OPENING | Phase.UNCLEAR | Phase.ACTIVE:
            question = f"{story.what} ends now, for everybody who works with it under {story.ref}."
            return [actions(Button("End now", END, value, "danger", confirm=question))]
    return []


def _aside(story: Story) -> list[Block]:
    match story.turn:
        case RequestDenied(reason=reason, by=by):
            return [said(reason, _name(by))]
        case GrantFailed(why=why):
            return [small(why)]
    return []


def waiting(story: Story) -> str:
    """`0 of 1, ada or grace can approve`, until it lapses."""
    names = [escaped(name, 40) for name in story.deciders if name not in story.approvers]
    more = story.needed - story.counted
    so_far = f" Approved by {_approvers(story)}." if story.approvals else ""
    if story.counted < len(story.approvals):
        so_far += f" Of these, {story.counted} {'counts' if story.counted == 1 else 'count'} now."
    whom = f"{more} of {listed(names, 'or' if more == 1 else 'and')}" if names else "nobody who could approve it"
    return f"⏳ *Waiting* for {whom}.{so_far} Lapses at {at(story.asked.lapses_at)}."


def _active(story: Story) -> str:
    until = at(story.active.expires_at) if story.active else "its deadline"
    return f"🟢 *Active* until {until}. Approved by {_approvers(story)}."


def _ending(story: Story) -> str:
    if story.trouble is not None and story.trouble.escalated:
        return f"🔴 *Ending, not yet confirmed*: {story.trouble.tries} tries so far, and it goes on."
    cause = cause_of(story.turn.cause) if isinstance(story.turn, GrantEnding) else ""
    return f"🟠 *Ending* {cause}."


def _ended(story: Story) -> str:
    ended = story.turn
    cause = cause_of(ended.cause) if isinstance(ended, GrantEnded) else ""
    return f"⚪ *Ended* {cause}, {at(ended.at)}."


STATUS: dict[Phase, Callable[[Story], str]] = {
    Phase.WAITING: waiting,
    Phase.OPENING: lambda s: f"⏳ *Opening*. Approved by {_approvers(s)}.",
    Phase.UNCLEAR: lambda s: f"⚠️ *Unclear*: the provider has not answered. Approved by {_approvers(s)}.",
    Phase.ACTIVE: _active,
    Phase.ENDING: _ending,
    Phase.ENDED: _ended,
    Phase.FAILED: lambda s: f"🔴 *Failed* {at(s.turn.at)}: no access was given.",
    Phase.DENIED: lambda s: f"🔴 *Denied* by {escaped(_name(s.turn.by), 80)}, {at(s.turn.at)}.",
    Phase.CANCELLED: lambda s: f"⚪ *Taken back* by {escaped(_name(s.turn.by), 80)}, {at(s.turn.at)}.",
    Phase.LAPSED: lambda s: f"⚪ *Lapsed* {at(s.turn.at)}: nobody decided in time.",
}


def cause_of(cause: str) -> str:
    """`at the deadline`; a cause that this version does not know is shown as it is."""
    return CAUSES[Cause(cause)] if cause in set(Cause) else escaped(cause, 80)


def _approvers(story: Story) -> str:
    return listed([escaped(name, 40) for name in story.approvers], "and") or "nobody"


def _name(by: Person | None) -> str:
    return by.name if by else "prodaccess"
