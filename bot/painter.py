"""What stands already: brought up to what the log says now, and its receipts added once they can be had."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from slack_sdk.errors import SlackApiError

from access.errors import NotFound
from access.ports import Notebook, PolicySource
from audit.log import Entry, Feed, Receipts
from bot.outbox import Mark, Outbox, Outcome, Place, outcome
from bot.people import code
from bot.plan import CARD, Post, Reach, card_key, standing
from bot.proof import proven
from bot.story import Story

log = logging.getLogger(__name__)

PATIENCE = 5.0  # seconds that a message waits for its receipt


@dataclass
class Painter:
    """Paints one request at a time, so that an older state never paints over a newer one."""

    feed: Feed
    notebook: Notebook
    policies: PolicySource
    receipts: Receipts
    outbox: Outbox
    cli: str
    patience: float = PATIENCE
    _linked: tuple[str, str] = ("", "")
    _painting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def story(self, ref: str) -> Story | None:
        """None where nothing was asked under this ref."""
        return self._fold(await self.feed.entries_of(ref)) if ref else None

    def _fold(self, entries: tuple[Entry, ...]) -> Story | None:
        policy = self.policies.current()
        asked = next((e.event for e in entries if type(e.event).TAG == "request.asked"), None)
        deciders = tuple(policy.person("", account, account).name for account in getattr(asked, "deciders", ()))
        return Story.of((entry.event for entry in entries), deciders)

    async def head(self, ref: str) -> Post:
        """The card, to be posted anew. Raises NotFound."""
        entries = await self.feed.entries_of(ref)
        story = self._fold(entries)
        for _, post in standing(entries, story, self.cli) if story else ():
            if post.kind == CARD:
                return post
        raise NotFound(f"The log has no beginning for {ref}.")

    async def paint(self, ref: str, reach: Reach) -> None:
        await self._paint(ref, lambda key: reach.covers(key, ref))

    async def _paint(self, ref: str, wanted: Callable[[str], bool]) -> None:
        async with self._painting:  # reads and writes together
            entries = await self.feed.entries_of(ref)
            story = self._fold(entries)
            for entry, post in standing(entries, story, self.cli) if story else ():
                if wanted(post.keep):
                    await self._update(post, Mark(entry.seq, post.kind), ref)

    async def _update(self, post: Post, mark: Mark, ref: str) -> None:
        place = Place.of(await self.notebook.note(post.keep))
        if place is None:
            return
        words = post.words(await self.link(ref) if post.linked else "")
        try:
            await self.outbox.update(place, proven(words, place.receipt) if post.proof is not None else words, mark)
        except SlackApiError as error:
            if outcome(error) not in (Outcome.GONE, Outcome.CONTENT) and code(error) != "channel_not_found":
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
        if not place.receipt:
            receipt = await self.receipt(seq)
            if not receipt:
                return False
            await self.notebook.put_notes({key: replace(place, receipt=receipt).noted()})  # from now on this one
        await self._paint(ref, lambda kept: kept == key)
        return True

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
