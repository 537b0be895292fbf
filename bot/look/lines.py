"""The thread: one line per fact. A table from the kind of fact to its words; what has no row has none on purpose."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from access.duration import in_words
from access.events import (
    ApprovalGiven,
    CommentMade,
    CredentialAborted,
    CredentialDied,
    CredentialIssued,
    Event,
    GlassBroken,
    GrantActive,
    GrantEnded,
    GrantEnding,
    GrantExpiring,
    GrantExtended,
    GrantFailed,
    GrantQuarantined,
    GrantStarted,
    RequestApproved,
    RequestCancelled,
    RequestDenied,
    RequestEscalated,
    RequestExpired,
    RequestReminded,
    ReviewClosed,
    ReviewFlagged,
    ReviewOpened,
    ReviewReminded,
    RevocationFailed,
    TextErased,
)
from access.model import BREAK_GLASS
from bot.look.afterwards import mentioned
from bot.look.blocks import Block, Message, said, section, small
from bot.look.card import cause_of
from bot.look.story import Story
from bot.look.words import at, by_rule, escaped, gone, named

_Fact = TypeVar("_Fact", bound=Event)
Told = tuple[str, tuple[Block, ...]]  # a sentence of ours, and what belongs under it


def line(event: Event, story: Story, *, late: bool = False) -> Message | None:
    """The thread's line for this fact, if it has one. `late`: the post's own time no longer says when it was."""
    told = TOLD.get(type(event))
    sentence, under = told(event, story) if told else ("", ())
    if not sentence:
        return None
    text = f"{story.ref}: {sentence}" if story.asked.extends else sentence  # it stands in another one's thread
    text = f"{at(event.at)}  {text}" if late else text
    return Message(text, (section(text), *under))


def _approved(event: ApprovalGiven) -> Told:
    left = event.needed - event.count
    rest = "" if left <= 0 else f", {left} more needed"
    limit = f", for at most {in_words(event.shorter)}" if event.shorter else ""
    return f"{_who(event)} approved ({event.count} of {event.needed}{rest}){limit}.", ()


def _approved_alone(event: RequestApproved, story: Story) -> Told:
    """Of others the approval that was enough says it, and of a broken glass the line before."""
    return ("", ()) if event.approvers or story.asked.glass else (by_rule(story.asked.rule), ())


def _denied(event: RequestDenied) -> Told:
    return f"{_who(event)} denied it.", (said(event.reason, event.by.name if event.by else ""),)


def _glass(event: GlassBroken) -> Told:
    known = " Slack did not answer, so the terminal's sign-in had to do." if event.identity == "device" else ""
    return f"🔴 *Break-glass*: {_who(event)} took this access without approval.{known} Somebody else reviews it.", ()


def _reminded(event: RequestReminded) -> Told:
    if not event.to:
        return "Nobody can decide it right now.", (small(event.why),) if event.why else ()
    return f"Still waiting for a decision: {_listed(event.to)}.", ()


def _escalated(event: RequestEscalated) -> Told:
    return f"Now asked too: {_listed(event.to)}.", (small(event.why),)


def _commented(event: CommentMade) -> Told:
    return f"{_who(event)} commented.", (said(event.text, event.by.name if event.by else ""),)


def _started(event: GrantStarted) -> Told:
    return f"First used: the time runs until {at(event.expires_at)}.", ()


def _expiring(event: GrantExpiring) -> Told:
    return f"Ends soon, at {at(event.expires_at)}.", ()


def _extended(event: GrantExtended) -> Told:
    return f"Extended to {at(event.expires_at)} by {escaped(event.extension, 20)}.", ()


def _review_opened(event: ReviewOpened) -> Told:
    """Of a broken glass there is nothing to be seen yet: the line that closes the thread calls for it."""
    if event.why == BREAK_GLASS:
        return "", ()
    return f"To be reviewed by one of {mentioned(event.reviewers) or 'the admins'}.", ()


def _review_reminded(event: ReviewReminded) -> Told:
    return f"Still to be reviewed by one of {mentioned(event.to) or 'the admins'}.", ()


def _flagged(event: ReviewFlagged) -> Told:
    seen = said(event.text, event.by.name if event.by else "")
    return f"🔴 *Flagged* by {_who(event)}; still to be reviewed.", (seen,)


def _reviewed(event: ReviewClosed) -> Told:
    under = (said(event.text, event.by.name if event.by else ""),) if event.text else ()
    return f"Reviewed by {_who(event)}.", under


def _listed(accounts: tuple[str, ...]) -> str:
    return ", ".join(_at_most(_mentions(accounts), 8)) or "nobody can be asked"


def _mentions(accounts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(named(account) for account in accounts)


def _active(event: GrantActive, story: Story) -> Told:
    if story.approved is not None and story.approved.first_use:
        return f"Ready, from {escaped(event.provider, 60)}: the time runs from the first use.", (small(event.promise),)
    return f"Active until {at(event.expires_at)}, from {escaped(event.provider, 60)}.", (small(event.promise),)


def _issued(event: CredentialIssued) -> Told:
    sentence = (
        f"Credential {event.n} issued to {_who(event)}'s terminal, good until {at(event.not_after)}. "
        "It was not shown in Slack."
    )
    return sentence, (small(event.public_id or "no public name", f"{event.host} · {event.address}"),)


def _trouble(event: RevocationFailed) -> Told:
    tries = f"{event.tries} {'try' if event.tries == 1 else 'tries'}"
    mark = "🔴 *Escalated*" if event.escalated else "⚠️ *Warning*"
    return f"{mark}: not confirmed as ended after {tries}. It goes on until it is.", (small(event.why),)


def _ended(event: GrantEnded) -> Told:
    used = in_words(event.ending_since - event.opened_at)
    count = f"{event.credentials} {'credential' if event.credentials == 1 else 'credentials'}"
    proof = gone(event.effective_by, tried=event.tried)
    sentence = f"Ended {cause_of(event.cause)}. Open for {used}, {count} issued, {proof}."
    if event.happened_at is not None:  # then the thread is late, and the end was not
        sentence += f" Over since {at(event.happened_at)}: the database was away, so it is said only now."
    return sentence, (small(*_at_most(event.proof, 10)),) if event.proof else ()


def _at_most(texts: tuple[str, ...], most: int) -> tuple[str, ...]:
    if len(texts) <= most:
        return texts
    return (*texts[: most - 1], f"and {len(texts) - most + 1} more, in the audit log")


def _who(event: Event) -> str:
    return escaped(event.by.name, 80) if event.by else "prodaccess"


def _cancelled(event: RequestCancelled) -> Told:
    return escaped(event.why) or f"{_who(event)} took it back.", ()


def _lapsed(_: RequestExpired) -> Told:
    return "Lapsed: nobody decided in time.", ()


def _failed(event: GrantFailed) -> Told:
    return "🔴 *Failed*: no access was given.", (small(event.why),)


def _unclear(event: GrantQuarantined) -> Told:
    return "⚠️ *Unclear*: the provider has not answered. It is checked until nothing can be left behind.", (
        small(event.why),
    )


def _aborted(event: CredentialAborted) -> Told:
    return f"Credential {event.n} was not handed over. Whatever exists of it is taken back.", (small(event.why),)


def _died(event: CredentialDied) -> Told:
    return f"⚠️ Credential {event.n} is gone before its time, and not by prodaccess. Access is still open.", (
        small(event.why, event.public_id),
    )


def _ending(event: GrantEnding) -> Told:
    who = f" ({_who(event)})" if event.by else ""
    return f"Ending {cause_of(event.cause)}{who}.", ()


def _erased(event: TextErased, story: Story) -> Told:
    count = sum(len(erased.fields) for erased in story.erasure(event))
    sentence = f"{count} {'text was' if count == 1 else 'texts were'} erased by {_who(event)}."
    return sentence, (said(event.why, event.by.name if event.by else ""),)


def _table() -> dict[type[Event], Callable[[Event, Story], Told]]:
    table: dict[type[Event], Callable[[Event, Story], Told]] = {}

    def row(kind: type[_Fact], told: Callable[[_Fact], Told]) -> None:
        table[kind] = lambda event, _: told(event)  # type: ignore[arg-type]  # a row is only called with its own kind

    def row_of_story(kind: type[_Fact], told: Callable[[_Fact, Story], Told]) -> None:
        table[kind] = told  # type: ignore[assignment]  # the same

    row(ApprovalGiven, _approved)
    row_of_story(RequestApproved, _approved_alone)
    row(RequestDenied, _denied)
    row(RequestCancelled, _cancelled)
    row(RequestExpired, _lapsed)
    row(RequestReminded, _reminded)
    row(RequestEscalated, _escalated)
    row(CommentMade, _commented)
    row(GlassBroken, _glass)
    row_of_story(GrantActive, _active)
    row(GrantStarted, _started)
    row(GrantExpiring, _expiring)
    row(GrantExtended, _extended)
    row(GrantFailed, _failed)
    row(GrantQuarantined, _unclear)
    row(CredentialIssued, _issued)
    row(CredentialAborted, _aborted)
    row(CredentialDied, _died)
    row(GrantEnding, _ending)
    row(RevocationFailed, _trouble)
    row(GrantEnded, _ended)
    row(ReviewOpened, _review_opened)
    row(ReviewReminded, _review_reminded)
    row(ReviewFlagged, _flagged)
    row(ReviewClosed, _reviewed)
    row_of_story(TextErased, _erased)
    return table


TOLD = _table()
