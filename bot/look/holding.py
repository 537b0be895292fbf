"""A statement or command that waits until somebody lets it run: what it says, whole, and who settled it."""

from __future__ import annotations

from access.events import Erased, StatementAllowed, StatementHeld
from access.sessions.flags import WORDS
from bot.look.blocks import Block, Button, Message, actions, code, lines, link, note, said, section, small
from bot.look.names import LET_RUN, REFUSE_RUN
from bot.look.story import Phase, Story
from bot.look.words import at, escaped, shown

_MOST = 7_500  # characters that are shown; Slack refuses messages of some 10,000
_OVER = (Phase.ENDING, Phase.ENDED, Phase.FAILED)


def held(event: StatementHeld, story: Story, cli: str, card: str = "") -> Message:
    """`card`: a link to the request's, for those who are asked by themselves."""
    sentence, waits = _state(event, story)
    text, values = (shown(whole[: _MOST + 1]) for whole in (event.text, event.values))
    is_whole = len(text) + len(values) <= _MOST
    blocks = [section(sentence), small(*_small_print(event, story)), *_quoted(event, text[:_MOST], values[:_MOST])]
    if card:
        blocks.append(lines([[link(f"{story.ref} · {story.what}", card)]]))
    if waits and not is_whole:
        blocks.append(note(f"It is too long to be shown here. Whole: `{cli} held {escaped(event.held, 40)}`"))
    if waits:
        let = Button("Let it run", LET_RUN, event.held[:40], "primary", _question(event), refrain="Not yet")
        blocks.append(actions(*([let] if is_whole else []), Button("Refuse", REFUSE_RUN, event.held[:40], "danger")))
    return Message(sentence, tuple(blocks))


def _state(event: StatementHeld, story: Story) -> tuple[str, bool]:
    """A sentence, and whether it still waits."""
    settled, what = story.held.get(event.held), ", ".join(WORDS.get(flag, flag)[:60] for flag in event.flags[:10])
    what, name = escaped(what), f"*{escaped(event.held, 40)}*"
    if isinstance(settled, StatementAllowed):
        return f"🟢 {name} was let run by {_who(settled)}: {what}.", False
    if settled is not None:
        return f"🔴 {name} was not run: {escaped(settled.why)}", False
    if isinstance(event.text, Erased) or story.phase in _OVER:
        return f"⚪ {name} waits no more: {what}.", False
    who = escaped(event.by.name, 80) if event.by else "Somebody"
    until = at(event.lapses_at, "{time_secs}")
    return f"⏳ {name} waits for approval until {until}. {who} wants to run what {what}.", True


def _who(event: StatementAllowed) -> str:
    return escaped(event.by.name, 80) if event.by else "somebody"


def _small_print(event: StatementHeld, story: Story) -> list[str]:
    told = [story.what]
    if event.tables:
        told.append(", ".join(table[:200] for table in event.tables[:20]))
    if event.coverage != "full":
        told.append("it may touch more than it names")
    if event.in_transaction:
        told.append("the locks of an open transaction are held meanwhile")
    return told


def _quoted(event: StatementHeld, text: str, values: str) -> list[Block]:
    if isinstance(event.text, Erased):
        return [said(event.text)]
    return [code(text), *([code(f"with {values}")] if values else [])]


def _question(event: StatementHeld) -> str:
    return f"{event.held[:40]} runs as soon as you let it. Have you read all of it?"
