"""Refused looks and erasures are told in the log too, but nobody can fill it with them."""

from __future__ import annotations

from datetime import datetime, timedelta

from access.errors import AccessError
from access.events import ActRefused
from access.model import Person
from access.ports import Change, Store

EVERY = timedelta(minutes=1)


class Refusals:
    """One entry a minute for each person and kind of act."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], datetime] = {}

    async def tell(self, store: Store, event: ActRefused) -> None:
        """Write it down, unless the like of it was written within the minute."""
        kind = (event.by.id if event.by else "", event.act.partition(" ")[0])
        self._told = {key: at for key, at in self._told.items() if event.at - at < EVERY}
        if kind not in self._told:
            self._told[kind] = event.at
            await store.commit(Change(events=(event,)))


def refused(by: Person, act: str, error: AccessError, at: datetime) -> ActRefused:
    """It belongs to no request's story, whose people would read there who looks at them."""
    return ActRefused(at=at, by=by, act=act, why=str(error))
