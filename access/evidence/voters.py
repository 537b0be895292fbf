"""Whose approvals still count: those whose voter may act at all today."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from access.errors import Refused, Unavailable
from access.model import Vote
from access.ports import People


async def still_here(people: People, votes: tuple[Vote, ...], *, for_calling: bool = False) -> tuple[Vote, ...]:
    """Each with its voter as they are now.

    Raises Unavailable where that is not said, unless it is only to know whom to call: then such a vote stays.
    """

    async def today(vote: Vote) -> Vote | None:
        try:
            return replace(vote, by=await people.check(vote.by))
        except Refused:
            return None
        except Unavailable:
            if for_calling:
                return vote
            raise

    return tuple(vote for vote in await asyncio.gather(*map(today, votes)) if vote is not None)
