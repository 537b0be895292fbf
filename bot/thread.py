"""The thread: a reader of the audit log. It posts what the log says, in order, once, and keeps its place.

It can be killed anywhere. What it has done is noted after each message together with where that message stands; the
one message that may have been posted but not noted is looked for before it is posted again (see `outbox`).
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from slack_sdk.errors import SlackApiError

from access.errors import AccessError, NotFound
from access.ports import Notebook, PolicySource
from audit.log import Entry, Feed
from bot.card import card
from bot.letters import yours
from bot.outbox import Mark, Outbox, Outcome, Place, is_unreachable, outcome, retry_after
from bot.people import SILENT, Directory, code
from bot.plan import CARD, Paint, Post, card_key, letter_key, plan
from bot.story import Story

log = logging.getLogger(__name__)

CURSOR = "thread:cursor"
_LATE = timedelta(minutes=1)
_LONGEST_PAUSE = 60.0
SETTLE = 0.15  # seconds: entries come in bursts, and what is being issued right now goes first
_LOOK = 30.0  # seconds between looks when nothing is announced
_FAILURES = (*SILENT, AccessError)


@dataclass
class Thread:
    """One reader per installation: two would post everything twice."""

    feed: Feed
    notebook: Notebook
    policies: PolicySource
    directory: Directory
    outbox: Outbox
    channel: str
    cli: str
    first_pause: float = 1.0
    settle: float = SETTLE
    trouble: str = ""  # why it does not get on at the moment; empty when it does
    _seq: int = -1
    _done: tuple[str, ...] = ()  # what of the entry after `_seq` is done
    _doubt: bool = True  # whether the next message may already stand
    _linked: tuple[str, str] = ("", "")
    _painting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def run(self) -> None:
        """For ever, until cancelled."""
        await self._insist(self._read_cursor)
        while True:
            await self._insist(self.catch_up)
            await self._insist(self._wait)

    async def catch_up(self) -> None:
        """Everything the log has; raises nothing that another try would not mend."""
        while entries := await self.feed.entries(self._seq):
            for entry in entries:
                await self._tell(entry)
            await self._note({})

    async def repaint(self, ref: str) -> None:
        """Bring one card up to date now, because somebody clicked an old one. Never raises."""
        try:
            await self._paint(ref, letter=True)
        except _FAILURES as error:
            log.warning("a card was not repainted", extra={"action": "repaint", "ref": ref}, exc_info=error)

    # One entry

    async def _tell(self, entry: Entry) -> None:
        story = await self._story(entry.event.ref)
        late = self.directory.clock.now() - entry.event.at > _LATE
        for step in plan(entry, story, self.cli, late=late):
            if isinstance(step, Paint):
                await self._insist(partial(self._paint, entry.event.ref, letter=step.letter))
            elif step.kind not in self._done:
                await self._insist(partial(self._post, entry, step))
        self._seq, self._done = entry.seq, ()

    async def _post(self, entry: Entry, post: Post) -> None:
        ref, mark = entry.event.ref, Mark(entry.seq, post.kind)
        if post.account:
            link = await self._link(ref) if post.linked else ""
            await self._deliver(post, mark, post.account, link=link)
        elif post.kind == CARD:
            await self._deliver(post, mark, await self._our_channel())
        else:
            head = await self._head(entry)
            try:
                await self._deliver(post, mark, head.channel, thread=head.ts)
            except SlackApiError as error:
                if outcome(error) is Outcome.GONE:  # somebody deleted the card: a new one heads what follows
                    await self.notebook.put_notes({card_key(ref): {}})
                raise

    async def _head(self, entry: Entry) -> Place:
        """Where the card stands; it is posted anew where it is not known to stand."""
        ref = entry.event.ref
        place = Place.of(await self.notebook.note(card_key(ref)))
        if place is not None:
            return place
        story = await self._story(ref)
        if story is None:
            raise NotFound(f"The log has no beginning for {ref}.")
        head = Post(CARD, lambda _: card(story), keep=card_key(ref))
        standing = await self._deliver(head, Mark(entry.seq, CARD), await self._our_channel())
        assert standing is not None  # only a person's direct messages can be refused for good
        return standing

    async def _deliver(
        self, post: Post, mark: Mark, channel: str, *, thread: str | None = None, link: str = ""
    ) -> Place | None:
        """Post it unless it stands, and note that it does. None where its reader cannot be written to."""
        doubted, self._doubt = self._doubt, True
        try:
            place = await self.outbox.find(channel, mark, thread) if doubted else None
            place = place or await self.outbox.post(channel, post.words(link), mark, thread)
        except SlackApiError as error:
            known = outcome(error)
            if post.account and is_unreachable(error):
                log.warning("somebody cannot be written to", extra={"action": mark.kind, "code": code(error)})
                place = None
            else:
                self._doubt = doubted if known is not Outcome.UNKNOWN else True
                raise
        self._done = (*self._done, post.kind)
        await self._note({post.keep: place.noted()} if post.keep and place else {})
        self._doubt = False
        return place

    # The card

    async def _paint(self, ref: str, *, letter: bool) -> None:
        async with self._painting:  # reads and writes together, so that an older state never paints over a newer one
            story = await self._story(ref)
            if story is None:
                return
            await self._update(card_key(ref), lambda: card(story))
            if letter:
                await self._update(letter_key(ref), lambda: yours(story, self.cli))

    async def _update(self, key: str, words: Callable[[], Any]) -> None:
        place = Place.of(await self.notebook.note(key))
        if place is None:
            return
        try:
            await self.outbox.update(place, words())
        except SlackApiError as error:
            if outcome(error) not in (Outcome.GONE, Outcome.CONTENT) and code(error) != "channel_not_found":
                raise
            log.warning("a message could not be repainted", extra={"action": key, "code": code(error)})

    # What it reads and keeps

    async def _story(self, ref: str) -> Story | None:
        if not ref:
            return None
        entries = await self.feed.entries_of(ref)
        policy = self.policies.current()
        asked = next((e.event for e in entries if type(e.event).TAG == "request.asked"), None)
        deciders = tuple(policy.person("", account, account).name for account in getattr(asked, "deciders", ()))
        return Story.of((entry.event for entry in entries), deciders)

    async def _our_channel(self) -> str:
        """The audit channel, while nobody from outside can read it. Raises NotFound, Unavailable."""
        facts = await self.directory.channel(self.channel)
        if facts.get("is_ext_shared") or facts.get("is_pending_ext_shared"):
            raise NotFound("The audit channel is shared with another organisation: nothing is posted there.")
        return self.channel

    async def _link(self, ref: str) -> str:
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

    async def _read_cursor(self) -> None:
        noted = await self.notebook.note(CURSOR) or {"seq": -1, "done": []}
        self._seq, self._done, self._doubt = noted["seq"], tuple(noted["done"]), True

    async def _note(self, places: Mapping[str, Mapping[str, Any]]) -> None:
        await self.notebook.put_notes({CURSOR: {"seq": self._seq, "done": list(self._done)}, **places})

    async def _wait(self) -> None:
        if await self.feed.wait(self._seq, _LOOK):
            await asyncio.sleep(self.settle)

    # Not giving up

    async def _insist(self, work: Callable[[], Awaitable[Any]]) -> None:
        """Again and again until it is done: 1, 2, 4 … 60 s, or as long as Slack asks for."""
        tries = 0
        while True:
            try:
                await work()
            except Exception as error:  # a fault of ours too: it must show, and must not end the reading
                self.trouble = f"The thread waits: {code(error) or type(error).__name__}."
                facts = {"action": "thread", "after": self._seq, "why": self.trouble, "tries": tries}
                log.warning("the thread waits", extra=facts, exc_info=None if isinstance(error, _FAILURES) else error)
                await asyncio.sleep(max(retry_after(error), self._pause(tries)))
                tries += 1
            else:
                self.trouble = ""
                return

    def _pause(self, tries: int) -> float:
        ceiling = min(_LONGEST_PAUSE, self.first_pause * 2.0 ** min(tries, 10))
        return random.uniform(ceiling / 2, ceiling)  # noqa: S311 (jitter, not a secret)
