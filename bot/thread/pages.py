"""Home pages of those whom the log's news concerns, drawn anew one after the other: Slack limits how often.

Nothing is kept of it: a page is drawn whenever its person opens it, so only who looks at it right now could miss
something.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field

from access.errors import AccessError
from access.events import (
    ApprovalGiven,
    Event,
    GrantExtended,
    GrantStarted,
    RequestEscalated,
    ReviewClosed,
    ReviewFlagged,
    ReviewOpened,
)
from bot.look.story import PHASE_AFTER, Story
from bot.slack.people import SILENT

log = logging.getLogger(__name__)

GAP = 1.0  # seconds between two pages, of the hundred in a minute that Slack takes
_MOVING = (ApprovalGiven, RequestEscalated, GrantStarted, GrantExtended, ReviewOpened, ReviewFlagged, ReviewClosed)


@dataclass
class Pages:
    """`draw` draws an account's page where it has one."""

    draw: Callable[[str], Awaitable[None]]
    gap: float = GAP
    stale: dict[str, None] = field(default_factory=dict)  # accounts, the longest waiting first
    _some: asyncio.Event = field(default_factory=asyncio.Event)

    def heard(self, accounts: Iterable[str]) -> None:
        """Their pages say something else now; however often that is, each is drawn once when its turn comes."""
        self.stale |= dict.fromkeys(accounts)
        if self.stale:
            self._some.set()

    async def run(self) -> None:
        """For ever, until cancelled."""
        while True:
            await self._some.wait()
            await asyncio.sleep(self.gap)  # news come in bursts
            account = next(iter(self.stale))
            del self.stale[account]
            if not self.stale:
                self._some.clear()
            await self._draw(account)

    async def _draw(self, account: str) -> None:
        try:
            await self.draw(account)
        except (*SILENT, AccessError) as error:
            log.info("a home page was not drawn", extra={"action": "home", "why": type(error).__name__})
        except Exception:
            log.exception("a home page was not drawn", extra={"action": "home"})


def concerned(event: Event, story: Story | None) -> Iterator[str]:
    """Whose pages show it: whoever asked, who is asked, who is to review."""
    if story is None or not (type(event) in PHASE_AFTER or isinstance(event, _MOVING)):
        return
    if story.asked.by is not None:
        yield story.asked.by.slack_id
    yield from story.called
    yield from story.to_review.reviewers if story.to_review else ()
