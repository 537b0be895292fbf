"""What stands already: brought up to what the log says now, and its receipts added once they can be had.

A receipt that Slack shows is a witness against whoever owns the database, so it is never painted from there: what
stands is read first, its receipt stays, and only a message that has none gets one.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

from slack_sdk.errors import SlackApiError

from access.errors import NotFound
from access.evidence.ticketing import Ticketing
from access.ports import Notebook, PolicySource
from audit.log import Entry, Feed, Receipts
from bot.look.sessions import SESSION_TAGS, Action, Tally, count, session_key, together
from bot.look.story import Phase, Story
from bot.slack.outbox import Mark, Outbox, Outcome, Place, is_unreachable, outcome
from bot.slack.people import code
from bot.thread.orders import CARD, SESSION, Post, Reach, card_key, extension_key, held_key
from bot.thread.posting import TOLD_TAGS, standing
from bot.thread.proof import proven, receipt_on

log = logging.getLogger(__name__)

PATIENCE = 1.0  # seconds that a message waits for its receipt: whoever decides should not
_PAGE = 500  # entries read at once
_AT_ONCE = 10  # pages that are counted before it is seen whether something more urgent waits
_COUNTED = 64  # requests whose sessions are counted on; of others they are counted anew


@dataclass(frozen=True, slots=True)
class _Brush:
    """How a painting is sent, and where a message that has no receipt may get one: empty, where it does not."""

    outbox: Outbox
    receipt: Callable[[int], Awaitable[str]]


async def _none(_: int) -> str:
    return ""


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
    _counted: OrderedDict[str, tuple[int, dict[str, Tally]]] = field(default_factory=OrderedDict)  # up to which entry
    _painting: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def story(self, ref: str) -> Story | None:
        """None where nothing was asked under this ref. Without what was done in its sessions."""
        return await self._whole(await self._told(ref)) if ref else None

    async def counts(self, ref: str) -> bool:
        """Count on what was done in its sessions, for a moment; whether that was all of it."""
        return await self._count(ref, _AT_ONCE)

    async def _with_sessions(self, story: Story) -> Story:
        await self._count(story.ref)
        _, sessions = self._counted[story.ref]
        messages: dict[str, list[Tally]] = {}
        for name, tally in sessions.items():
            messages.setdefault(session_key(story.ref, name), []).append(tally)
        quoted = [seq for tallies in messages.values() for seq in together(tallies).quoted]
        return replace(story, sessions=sessions, quotes=await self._quotes(quoted))

    async def _count(self, ref: str, pages: int | None = None) -> bool:
        """Each entry is counted once. What people typed is not kept, as it may be erased."""
        after, found = self._counted.pop(ref, (-1, {}))
        is_all = True
        async for page in self._pages(ref, SESSION_TAGS, after):
            count(found, page)
            after = page[-1].seq
            pages = None if pages is None else pages - 1
            if pages == 0:
                is_all = len(page) < _PAGE
                break
        self._counted[ref] = after, found
        while len(self._counted) > _COUNTED:
            self._counted.popitem(last=False)
        return is_all

    async def _quotes(self, seqs: list[int]) -> Mapping[int, Action]:
        """As they read now."""
        found = await asyncio.gather(*(self.feed.entries(seq - 1, 1) for seq in seqs))
        return {entry.seq: entry.event for (entry,) in found if isinstance(entry.event, Action)}

    async def _told(self, ref: str) -> tuple[Entry, ...]:
        return tuple([entry async for page in self._pages(ref, TOLD_TAGS) for entry in page])

    async def _pages(self, ref: str, kinds: frozenset[str], after: int = -1) -> AsyncIterator[tuple[Entry, ...]]:
        """A session can be tens of thousands of entries, and nobody else is to wait for them."""
        page = await self.feed.entries_of(ref, kinds, after, _PAGE)
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

    async def paint(self, ref: str, reach: Reach, held: str = "") -> None:
        """By its reach; or only what tells of this one statement that waited."""
        if held:
            key = held_key(held)
            await self._paint(ref, lambda kept: f"{kept}:".startswith(f"{key}:"), _Brush(self.outbox, _none))
            return
        brush = _Brush(self.outbox, _none)
        await self._paint(ref, lambda key: reach.covers(key, ref), brush, counted=reach is Reach.ALL)

    async def paint_session(self, key: str, ref: str, *, patient: bool) -> int | None:
        """The message of a session, or nothing where Slack is not to be asked now: nobody waits for its limits.

        The entry whose receipt it still lacks, if it is to have one; `patient`: the signer is waited for.
        """
        brush = _Brush(self.outbox.hasty(), self.receipt if patient else _none)
        return (await self._paint(ref, lambda kept: kept == key, brush, counted=True)).get(key)

    async def _paint(
        self, ref: str, wanted: Callable[[str], bool], brush: _Brush, *, counted: bool = False
    ) -> dict[str, int]:
        """Which of them still lack which entry's receipt."""
        lacking: dict[str, int] = {}
        async with self._painting:  # reads and writes together
            entries = await self._told(ref)
            story = await self._whole(entries)
            if counted and story is not None:
                story = await self._with_sessions(story)
            for entry, post in standing(entries, story, self.cli) if story else ():
                if wanted(post.keep) and not await self._update(post, Mark(entry.seq, post.kind), ref, brush):
                    assert post.proof is not None
                    lacking[post.keep] = post.proof
        return lacking

    async def _update(self, post: Post, mark: Mark, ref: str, brush: _Brush) -> bool:
        """False where it stands without the receipt that it is to have."""
        place = Place.of(await self.notebook.note(post.keep))
        if place is None:
            return True
        words = post.words(await self.link(ref) if post.linked else "")
        try:
            stands = await brush.outbox.read(place, mark)
            if stands is None:
                log.warning("a message is not where it was noted", extra={"action": post.keep})
                return True
            if post.proof is not None:
                words = proven(words, receipt_on(stands) or await brush.receipt(post.proof))
            await brush.outbox.update(place, words, mark)
        except SlackApiError as error:
            if outcome(error) not in (Outcome.GONE, Outcome.CONTENT) and not is_unreachable(error):
                raise
            log.warning("a message could not be repainted", extra={"action": post.keep, "code": code(error)})
            return True
        return post.proof is None or bool(words.receipt)

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

        async def paid(_: int) -> str:
            return receipt

        if receipt:
            counted = key.startswith(f"{SESSION}:")
            await self._paint(ref, lambda kept: kept == key, _Brush(self.outbox, paid), counted=counted)
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
