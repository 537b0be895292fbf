"""The thread: a reader of the audit log. It posts what the log says, in order, once, and keeps its place.

It can be killed anywhere. What it has done is noted after each message together with where that message stands; the
one message that may have been posted but not noted is looked for before it is posted again (see `outbox`).

Of several processes one reads at a time. Whose turn it is stands in the cursor, too, and a note is only taken from the
one that noted last: a process that was frozen, and whose place another has taken, neither notes nor posts what follows.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import Any

from slack_sdk.errors import SlackApiError

from access.errors import AccessError, NotFound, Stale
from access.events import ReviewOpened
from access.turns import Turn
from audit.log import Entry
from bot.look.blocks import Message
from bot.look.sessions import session_key
from bot.look.story import Story
from bot.slack.outbox import Mark, Outcome, Place, is_unreachable, outcome, retry_after
from bot.slack.people import SILENT, Directory, code
from bot.slack.trouble import OUTSIDE, SHARED, is_shared, of_channel, why_not
from bot.thread.orders import IN_CHANNEL, Paint, Post, Reach, card_key
from bot.thread.pages import Pages, concerned
from bot.thread.painter import Painter
from bot.thread.plan import plan
from bot.thread.posting import is_told
from bot.thread.proof import proven
from bot.thread.running import Running

log = logging.getLogger(__name__)

CURSOR = "thread:cursor"
_LATE = timedelta(minutes=1)
_LONGEST_PAUSE = 60.0
SETTLE = 0.15  # seconds: entries come in bursts, and what is being issued right now goes first
_LOOK = 30.0  # seconds between looks when nothing is announced
GRACE = 1.0  # seconds until what a process sent, that has just been killed, stands in Slack where it can be found
_FAILURES = (*SILENT, AccessError)


@dataclass
class Thread:
    """One reader at a time: two would post everything twice."""

    painter: Painter
    directory: Directory
    channel: str
    page: Callable[[str], Awaitable[None]]  # draws an account's home page anew
    pages: Pages
    first_pause: float = 1.0
    settle: float = SETTLE
    look_owing: float = 5.0  # seconds between looks while receipts are to come
    turn: Turn = field(default_factory=Turn)
    trouble: str = ""  # why it does not get on at the moment; empty when it does
    channel_trouble: str = ""  # why it would not, if there were something to post in the channel now
    _seq: int = -1
    _done: tuple[str, ...] = ()  # what of the entry after `_seq` is done
    _owed: dict[str, list[Any]] = field(default_factory=dict)  # key of a place -> ref and seq of its missing receipt
    _doubt: bool = True  # whether the next message may already stand
    _me: str = ""  # whoever has taken the cursor last, by a name of its own
    _noted: Mapping[str, Any] | None = None  # the cursor as we have noted it

    def __post_init__(self) -> None:
        self.running = Running(self.painter)

    async def run(self) -> None:
        """For ever, until cancelled, whenever it is our turn."""
        await self.turn.keep(self._read_and_draw)

    async def _read_and_draw(self) -> None:
        """Home pages beside the thread, which never waits for them."""
        async with asyncio.TaskGroup() as both:
            both.create_task(self._read())
            both.create_task(self.pages.run())

    async def _read(self) -> None:
        if self.turn.inherited:
            await asyncio.sleep(GRACE)
        await self._insist(self._take_cursor)
        while True:
            await self._insist(self.catch_up)
            await self._insist(self._pay)
            await self._insist(self._paint_sessions)
            await self._look_at_channel()
            await self._insist(self._wait)

    async def catch_up(self) -> None:
        """Everything the log has; raises nothing that another try would not mend."""
        while entries := await self.painter.feed.entries(self._seq):
            for entry in entries:
                await self._tell(entry)
                self.running.heard(entry.event)
            await self._note({})
            await self._paint_sessions()

    async def repaint(self, ref: str, session: str = "") -> None:
        """Bring what has buttons up to date now, because somebody clicked an old one. Never raises."""
        try:
            if session:  # which has ended
                await self.painter.paint_session(session_key(ref, session), ref, patient=False)
            else:
                await self.painter.paint(ref, Reach.BUTTONS)
        except _FAILURES as error:
            log.warning("a card was not repainted", extra={"action": "repaint", "ref": ref}, exc_info=error)

    # One entry

    async def _tell(self, entry: Entry) -> None:
        if is_told(entry.event):
            story = await self.painter.story(entry.event.ref)
            late = self.directory.clock.now() - entry.event.at > _LATE
            for step in plan(entry, story, self.painter.cli, late=late):
                if isinstance(step, Paint):
                    await self._insist(
                        partial(self.painter.paint, step.about or entry.event.ref, step.reach, step.held)
                    )
                    drawn = step.reach in (Reach.ALL, Reach.REVIEW) or isinstance(entry.event, ReviewOpened)
                    await self._draw_pages(story if drawn else None)
                elif step.kind not in self._done:
                    await self._insist(partial(self._post, entry, step))
            self.pages.heard(concerned(entry.event, story))
        self._seq, self._done = entry.seq, ()

    async def _draw_pages(self, story: Story | None) -> None:
        """The home pages that may still quote what waited there; Slack keeps a page until it is drawn anew."""
        reviewers = story.to_review.reviewers if story and story.to_review else ()
        for account in (*story.called, *reviewers) if story else ():
            await self._insist(partial(self._draw_page, account))

    async def _draw_page(self, account: str) -> None:
        try:
            await self.page(account)
        except SlackApiError as error:
            if outcome(error) is Outcome.UNKNOWN or code(error) == "ratelimited":
                raise
            log.warning("a home page was not drawn", extra={"action": "home", "code": code(error)})

    async def _post(self, entry: Entry, post: Post) -> None:
        ref = entry.event.ref
        if post.account:
            link = await self.painter.link(ref) if post.linked else ""
            await self._deliver(entry, post, post.account, link=link)
        elif post.kind in IN_CHANNEL:
            link = await self.painter.link(ref) if post.linked else ""
            await self._deliver(entry, post, await self._our_channel(), link=link)
        else:
            under = post.under or ref
            head = await self._head(entry, under)
            try:
                await self._deliver(entry, post, head.channel, thread=head.ts)
            except SlackApiError as error:
                if outcome(error) is Outcome.GONE:  # somebody deleted the card: a new one heads what follows
                    await self.painter.notebook.put_notes({card_key(under): {}})
                raise

    async def _head(self, entry: Entry, ref: str) -> Place:
        """Where the card stands; it is posted anew where it is not known to stand."""
        place = Place.of(await self.painter.notebook.note(card_key(ref)))
        if place is not None:
            return place
        head = await self.painter.head(ref)
        standing = await self._deliver(entry, head, await self._our_channel())
        assert standing is not None  # only a person's direct messages can be refused for good
        return standing

    async def _deliver(
        self, entry: Entry, post: Post, channel: str, *, thread: str | None = None, link: str = ""
    ) -> Place | None:
        """Post it unless it stands, and note that it does. None where its reader cannot be written to."""
        doubted, self._doubt = self._doubt, True
        mark = Mark(entry.seq, post.kind)
        try:
            place = await self.painter.outbox.find(channel, mark, thread) if doubted else None
            place = place or await self._post_once(channel, await self._words(post, link), mark, thread)
        except SlackApiError as error:
            known = outcome(error)
            if post.account and is_unreachable(error):
                log.warning("somebody cannot be written to", extra={"action": mark.kind, "code": code(error)})
                place = None
            else:
                self._doubt = doubted if known is not Outcome.UNKNOWN else True
                raise
        self._done = (*self._done, post.kind)
        if post.proof is not None and place and not place.receipt:
            self._owed[post.keep] = [post.about or entry.event.ref, post.proof]
        names = {post.names_it: {"ref": entry.event.ref}} if post.names_it else {}
        await self._note(names | ({post.keep: place.noted()} if post.keep and place else {}))
        self._doubt = False
        return place

    async def _post_once(self, channel: str, words: Message, mark: Mark, thread: str | None) -> Place:
        """The last moment to see that we were frozen, and that it is no longer ours to post."""
        if not self.turn.ours:
            await asyncio.Event().wait()
        return await self.painter.outbox.post(channel, words, mark, thread)

    # Receipts

    async def _words(self, post: Post, link: str) -> Message:
        """While receipts are owed, the signer is known to be silent: none is waited for again."""
        words = post.words(link)
        if post.proof is None:
            return words
        return proven(words, "" if self._owed else await self.painter.receipt(post.proof))

    async def _pay(self) -> None:
        """Add the receipts that are owed, in order, as far as the signer answers."""
        for key, (ref, seq) in list(self._owed.items()):
            if not await self.painter.pay(key, ref, seq):
                return
            del self._owed[key]
            await self._note({})

    # Sessions

    async def _paint_sessions(self) -> None:
        """One message at a time, while there is nothing more urgent."""
        while self.running.wait() <= 0:
            owed = await self.running.paint(patient=not self._owed)
            self._owed |= {key: [*of] for key, of in owed.items()}
            await self._note({})
            if await self.painter.feed.head() > self._seq:
                return

    # What it reads and keeps

    async def _our_channel(self) -> str:
        """The audit channel, while nobody from outside can read it. Raises NotFound, Unavailable."""
        if is_shared(await self.directory.channel(self.channel)):
            raise NotFound(SHARED)
        return self.channel

    async def _look_at_channel(self) -> None:
        """Also while there is nothing to post: who watches learns of it before somebody asks for something."""
        try:
            self.channel_trouble = of_channel(await self.directory.channel(self.channel))
        except AccessError as error:
            self.channel_trouble = OUTSIDE if isinstance(error, NotFound) else ""  # a silent Slack says nothing

    async def _take_cursor(self) -> None:
        self._noted = await self.painter.notebook.note(CURSOR)
        noted = self._noted or {"seq": -1, "done": [], "owed": {}}
        self._seq, self._done, self._doubt = noted["seq"], tuple(noted["done"]), True
        self._owed, self._me = dict(noted["owed"]), secrets.token_hex(4)
        self.running.take(noted.get("stale", {}))
        await self._note({})

    async def _note(self, places: Mapping[str, Mapping[str, Any]]) -> None:
        cursor = {
            "seq": self._seq, "done": list(self._done), "owed": dict(self._owed), "by": self._me,
            "stale": dict(self.running.stale),
        }  # fmt: skip
        try:
            await self.painter.notebook.put_notes({CURSOR: cursor, **places}, still={CURSOR: self._noted})
        except Stale:
            log.warning("another process writes the thread", extra={"action": "thread", "after": self._seq})
            self.turn.lose()
            await asyncio.Event().wait()  # until the turn takes us out of here
        self._noted = cursor

    async def _wait(self) -> None:
        until = min(self.running.wait(), self.look_owing if self._owed else _LOOK)
        if await self.painter.feed.wait(self._seq, until):
            await asyncio.sleep(self.settle)

    # Not giving up

    async def _insist(self, work: Callable[[], Awaitable[Any]]) -> None:
        """Again and again until it is done: 1, 2, 4 … 60 s, or as long as Slack asks for."""
        tries = 0
        while True:
            try:
                await work()
            except Exception as error:  # a fault of ours too: it must show, and must not end the reading
                self.trouble = why_not(error)
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
