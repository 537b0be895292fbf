"""The card: head of a request's thread. A story in, a message out."""

from __future__ import annotations

from collections.abc import Callable

from access.duration import in_words
from access.events import GrantEnded, GrantEnding, GrantFailed, RequestCancelled, RequestDenied
from access.model import Cause, Person
from bot.look.afterwards import review_status
from bot.look.blocks import Block, Button, Message, actions, facts, header, note, person, said, section, small
from bot.look.forms import written
from bot.look.lasting import active, asked_beyond, extended, how_long, to_extend
from bot.look.names import APPROVE, COMMENT, DENY, END, LESS, WHO
from bot.look.progress import progress
from bot.look.small_forms import less_than
from bot.look.story import Phase, Story
from bot.look.tickets import ticket_row
from bot.look.words import CAUSES, at, by_rule, escaped, listed, named


def card(story: Story) -> Message:
    """Who asks for what, why, how it stands, and the buttons that still mean something."""
    asked = story.asked
    title = f"{'🔴 Break-glass · ' * asked.glass}{story.ref} · {story.what} · {how_long(story)}"
    status = f"{STATUS[story.phase](story)}{review_status(story)}"
    rows = [("Requester", person(asked.by.slack_id) if asked.by else "–"), ticket_row(story)]
    blocks = [header(title), section(status), facts(rows), said(asked.reason or "no reason given", _name(asked.by))]
    blocks += progress(story) if story.phase is Phase.WAITING else []
    blocks += _aside(story)
    blocks.append(note(_policy(story)))
    blocks += _buttons(story)
    return Message(f"{escaped(title)}: {status}", tuple(blocks))


def _policy(story: Story) -> str:
    asked = story.asked
    policy = escaped(asked.policy_hash[:8])
    needed = f"{asked.approvals_needed} to approve" if asked.approvals_needed else "nobody has to approve"
    needed = "break-glass" if asked.glass else needed
    return f"Rule {escaped(asked.rule, 150)}, {needed} · policy {policy}"


def _buttons(story: Story) -> list[Block]:
    value = written(story.asked.request_id, story.asked.digest)
    match story.phase:
        case Phase.WAITING:
            return [actions(*to_decide(story), Button("Who can?", WHO, value))]
        case Phase.OPENING | Phase.UNCLEAR | Phase.ACTIVE:
            question = f"{story.what} ends now, for everybody who works with it under {story.ref}."
            return [actions(*to_extend(story), Button("End now", END, value, "danger", confirm=question))]
    return []


def to_decide(story: Story) -> tuple[Button, ...]:
    """What somebody who is asked can do."""
    value = written(story.asked.request_id, story.asked.digest)
    less = (Button("Approve for less…", LESS, value),) if less_than(story.asked.duration) else ()
    return (
        Button("Approve", APPROVE, value, "primary"), *less, Button("Deny…", DENY, value, "danger"),
        Button("Comment…", COMMENT, value),
    )  # fmt: skip


def _aside(story: Story) -> list[Block]:
    if story.phase is Phase.WAITING and story.stuck:
        return [small(f"Nobody can decide it right now. {story.stuck}")]
    match story.turn:
        case RequestDenied(reason=reason, by=by):
            return [said(reason, _name(by))]
        case GrantFailed(why=why):
            return [small(why)]
    return []


def waiting(story: Story) -> str:
    """`0 of 1, ada or grace can approve`, until it lapses."""
    if not story.needed:
        return f"⏳ *Opening*. The rule {escaped(story.asked.rule, 150)} asks nobody."
    so_far = f" Approved by {_approvers(story)}{limit(story)}." if story.approvals else ""
    if len(story.stages) > 1:
        count = f"{story.counted} of {story.needed} approvals"
        return f"⏳ *Waiting*: {count}.{so_far} Lapses at {at(story.asked.lapses_at)}."
    names = [named(name) for name in story.deciders if name not in story.approvers]
    more = story.needed - story.counted
    if story.counted < len(story.approvals):
        so_far += f" Of these, {story.counted} {'counts' if story.counted == 1 else 'count'} now."
    whom = f"{more} of {listed(names, 'or' if more == 1 else 'and')}" if names else "nobody who could approve it"
    return f"⏳ *Waiting* for {whom}.{so_far} Lapses at {at(story.asked.lapses_at)}."


def _ending(story: Story) -> str:
    if story.trouble is not None and story.trouble.escalated:
        return f"🔴 *Ending, not yet confirmed*: {story.trouble.tries} tries so far, and it goes on."
    cause = cause_of(story.turn.cause) if isinstance(story.turn, GrantEnding) else ""
    return f"🟠 *Ending* {cause}."


def _cancelled(story: Story) -> str:
    why = story.turn.why if isinstance(story.turn, RequestCancelled) else ""
    if why:
        return f"⚪ *Over* {at(story.turn.at)}: {escaped(why)}"
    return f"⚪ *Taken back* by {escaped(_name(story.turn.by), 80)}, {at(story.turn.at)}."


def _ended(story: Story) -> str:
    ended = story.turn
    cause = cause_of(ended.cause) if isinstance(ended, GrantEnded) else ""
    return f"⚪ *Ended* {cause}, {at(ended.at)}."


STATUS: dict[Phase, Callable[[Story], str]] = {
    Phase.WAITING: waiting,
    Phase.OPENING: lambda s: f"⏳ *Opening*. {approved(s)}",
    Phase.UNCLEAR: lambda s: f"⚠️ *Unclear*: the provider has not answered. {approved(s)}",
    Phase.ACTIVE: lambda s: f"{active(s)} {approved(s)}{asked_beyond(s)}",
    Phase.ENDING: _ending,
    Phase.ENDED: _ended,
    Phase.FAILED: lambda s: f"🔴 *Failed* {at(s.turn.at)}: no access was given.",
    Phase.DENIED: lambda s: f"🔴 *Denied* by {escaped(_name(s.turn.by), 80)}, {at(s.turn.at)}.",
    Phase.CANCELLED: _cancelled,
    Phase.EXTENDED: lambda s: f"{extended(s)} {approved(s)}",
    Phase.LAPSED: lambda s: f"⚪ *Lapsed* {at(s.turn.at)}: nobody decided in time.",
}


def cause_of(cause: str) -> str:
    """`at the deadline`; a cause that this version does not know is shown as it is."""
    return CAUSES[Cause(cause)] if cause in set(Cause) else escaped(cause, 80)


def approved(story: Story) -> str:
    """By whom; or that nobody had to."""
    if story.asked.glass:
        return "Nobody approved it."
    return f"Approved by {_approvers(story)}{limit(story)}." if story.needed else by_rule(story.asked.rule)


def limit(story: Story) -> str:
    """`, for at most 30 minutes`, where an approver allows less than was asked for."""
    least = story.shortest
    return f", for at most {in_words(least.shorter)}" if least and least.shorter else ""


def _approvers(story: Story) -> str:
    return listed([escaped(name, 40) for name in story.approvers], "and") or "nobody"


def _name(by: Person | None) -> str:
    return by.name if by else "prodaccess"
