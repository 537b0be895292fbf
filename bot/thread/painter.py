"""What stands already: brought up to what the log says now, and its receipts added once they can be had.

A receipt that Slack shows is a witness against whoever owns the database, so it is never painted from there: what
stands is read first, its receipt stays, and only a message that has none gets one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

from slack_sdk.errors import SlackApiError

from access.errors import NotFound
from access.ports import Notebook, PolicySource
from access.ticketing import Ticketing
from audit.log import Entry, Feed, Receipts
from bot.look.sessions import SESSION_TAGS, Tally, count
from bot.look.story import Phase, Story
from bot.slack.outbox import Mark, Outbox, Outcome, Place, is_unreachable, outcome
from bot.slack.people import code
from bot.thread.plan import CARD, TOLD_TAGS, Post, Reach, card_key, extension_key, standing
from bot.thread.proof import proven, receipt_on

log = logging.getLogger(__name__)

PATIENCE = 1.0  # seconds that a message waits for its receipt: whoever decides should not
_PAGE = 500  # entries read at once


@dataclass
class Painter:
    """Paints one request at a time, so that an older state never paints over a newer one."""

    feed: Feed
    notebook: Notebook
    policies: PolicySource
    receipts: Receipts
    outbox: Outbox
    cli: str
    tickets: Ticketing = field(default_factory=Ticketing)
    patience: float = PATIENCE
    _linked: tuple[str, str] = ("", "")
    _painting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def story(self, ref: str, *, counted: bool = False) -> Story | None:
        """None where nothing was asked under this ref. `counted`: with all that was done in its sessions."""
        story = await self._whole(await self._told(ref)) if ref else None
        if not counted or story is None:
            return story
        sessions: dict[str, Tally] = {}
        async for page in self._pages(ref, SESSION_TAGS):
            count(sessions, (entry.event for entry in page))
        return replace(story, sessions=sessions)

    async def _told(self, ref: str) -> tuple[Entry, ...]:
        return tuple([entry async for page in self._pages(ref, TOLD_TAGS) for entry in page])

    async def _pages(self, ref: str, kinds: frozenset[str]) -> AsyncIterator[tuple[Entry, ...]]:
        """A session can be tens of thousands of entries, and nobody else is to wait for them."""
        page = await self.feed.entries_of(ref, kinds, -1, _PAGE)
        while page:
            yield page
            page = await self.feed.entries_of(ref, kinds, page[-1].seq, _PAGE) if len(page) == _PAGE else ()

    async def _whole(self, entries: tuple[Entry, ...]) -> Story | None:
        """The story, with what was last asked to prolong its grant."""
        story = self._fold(entries)
        named = await self.notebook.note(extension_key(story.ref)) if story and story.phase is Phase.ACTIVE else None
        if story is None or not named:
            return story
        return replace(story, extension=self._fold(await self._told(named["ref"])))

    def _fold(self, entries: tuple[Entry, ...]) -> Story | None:
        policy = self.policies.current()
        events = (entry.event for entry in entries)
        story = Story.of(events, lambda account: policy.person("", account, account).name)
        if story is None:
            return None
        return replace(story, ticket=self.tickets.known(policy.rule_named(story.asked.rule), story.asked.ticket))

    async def head(self, ref: str) -> Post:
        """The card, to be posted anew. Raises NotFound."""
        entries = await self._told(ref)
        story = await self._whole(entries)
        for _, post in standing(entries, story, self.cli) if story else ():
            if post.kind == CARD:
                return replace(post, about=ref)
        raise NotFound(f"The log has no beginning for {ref}.")

    async def paint(self, ref: str, reach: Reach) -> None:
        await self._paint(ref, lambda key: reach.covers(key, ref))

    async def _paint(self, ref: str, wanted: Callable[[str], bool], owed: str = "") -> None:
        async with self._painting:  # reads and writes together
            entries = await self._told(ref)
            story = await self._whole(entries)
            for entry, post in standing(entries, story, self.cli) if story else ():
                if wanted(post.keep):
                    await self._update(post, Mark(entry.seq, post.kind), ref, owed)

    async def _update(self, post: Post, mark: Mark, ref: str, owed: str) -> None:
        """`owed` is the receipt for a message that has none."""
        place = Place.of(await self.notebook.note(post.keep))
        if place is None:
            return
        words = post.words(await self.link(ref) if post.linked else "")
        try:
            stands = await self.outbox.read(place, mark)
            if stands is None:
                log.warning("a message is not where it was noted", extra={"action": post.keep})
                return
            if post.proof is not None:
                words = proven(words, receipt_on(stands) or owed)
            await self.outbox.update(place, words, mark)
        except SlackApiError as error:
            if outcome(error) not in (Outcome.GONE, Outcome.CONTENT) and not is_unreachable(error):
                raise
            log.warning("a message could not be repainted", extra={"action": post.keep, "code": code(error)})

    # Receipts

    async def receipt(self, seq: int) -> str:
        """Empty where the signer does not answer in time."""
        try:
            async with asyncio.timeout(self.patience):
                return await self.receipts.receipt(seq)
        except Exception as error:  # whatever is wrong with the proof, the story is told
            log.warning("a receipt is still to come", extra={"action": "receipt", "seq": seq}, exc_info=error)
            return ""

    async def pay(self, key: str, ref: str, seq: int) -> bool:
        """Add the receipt that a message had to be posted without. False while it still cannot be had."""
        place = Place.of(await self.notebook.note(key))
        if place is None:
            return True  # the message is gone, and with it what it was owed
        receipt = await self.receipt(seq)
        if receipt:
            await self._paint(ref, lambda kept: kept == key, receipt)
        return bool(receipt)

    # Links

    async def link(self, ref: str) -> str:
        """The way to the card; asked of Slack once for all who are written to about it."""
        if self._linked[0] != ref:
            place = Place.of(await self.notebook.note(card_key(ref)))
            self._linked = (ref, await self._link_to(place) if place else "")
        return self._linked[1]

    async def _link_to(self, place: Place) -> str:
        try:
            return await self.outbox.link(place)
        except SlackApiError as error:
            if outcome(error) is not Outcome.GONE:
                raise
            return ""  # somebody deleted the card: its readers get the letter all the same
