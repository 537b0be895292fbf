"""How far an approval is, a line for each stage: settled by whom, waiting for whom and since when, and who is next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from access.requesting.progress import Stage
from bot.look.blocks import Block, note
from bot.look.story import Story
from bot.look.words import at, escaped, named

_MOST_LINES = 10
_MOST_NAMES = 8
_MOST_GROUPS = 4


def progress(story: Story) -> list[Block]:
    """Nothing where there is one stage alone: the card's own sentence says that."""
    if len(story.stages) < 2:
        return []
    lines = list(_lines(story))
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], f"and {len(lines) - _MOST_LINES + 1} more"]
    return [note(line) for line in lines]


def _lines(story: Story) -> Iterator[str]:
    waiting = "waiting"  # the first stage that is not settled; those after it are next
    for stage in story.stages:
        if stage.met:
            yield f"✓ {_whom(stage)}: {_people(stage.by, story)}"
        elif stage.opens_at is not None:
            yield f"then: {_whom(stage)}, from {at(stage.opens_at)}"
        elif stage.instead:
            yield f"or: {_whom(stage)}{_asked(stage, story)}"
        else:
            yield f"{waiting}: {_whom(stage)}{_asked(stage, story)}"
            waiting = "then"


def _whom(stage: Stage) -> str:
    return f"{stage.needed} of {_short((escaped(name, 60) for name in stage.of), _MOST_GROUPS)}"


def _asked(stage: Stage, story: Story) -> str:
    so_far = f"; so far {_people(stage.by, story)}" if stage.by else ""
    since = min((story.called[account] for account in stage.asked if account in story.called), default=None)
    if since is None:
        return so_far
    return f" ({_people(stage.asked, story)}), asked since {at(since)}{so_far}"


def _people(accounts: Iterable[str], story: Story) -> str:
    return _short((named(story.name_of(account)) for account in accounts), _MOST_NAMES)


def _short(names: Iterable[str], most: int) -> str:
    found = list(names)
    return ", ".join(found if len(found) <= most else [*found[:most], f"{len(found) - most} more"])
