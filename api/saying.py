"""A comment that is sent again is not said again: its key stands in the log beside it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from fastapi import Request as Call

from access.errors import Unavailable
from access.events import CommentMade
from access.model import Person, Request, ref
from api.parts import ApiParts
from api.proof import digest

_AT_IT = timedelta(seconds=30)  # that another server may take to write it


async def one_by_one(call: Call) -> asyncio.Lock:
    """Held from the look to the entry; other servers are kept out by what they have spent."""
    lock: asyncio.Lock = call.app.state.saying
    return lock


async def said_before(parts: ApiParts, number: int, by: Person, key: str) -> Request | None:
    """The request, where this person has said something about it under this key. Raises NotFound, Unavailable."""
    if not key:
        return None
    request, _ = await parts.broker.see(number, by)
    comments = [entry.event for entry in await parts.feed.entries_of(ref(number), {CommentMade.TAG})]
    if any(isinstance(said, CommentMade) and said.key == key and said.by and said.by.id == by.id for said in comments):
        return request
    if not await parts.spend(digest(f"comment {by.id} {number} {key}".encode()), parts.clock.now() + _AT_IT):
        raise Unavailable("Another server is writing this very comment. Send it again in a minute.")
    return None
