"""The store: `access.ports.Store` and `Notebook` over one database, beside its audit log (`store.log`)."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from access.events import RecordingErased, TextErased
from access.model import Device, Grant, GrantState, LoginCode, Receipt, Request, Review
from access.ports import Change, Clock, Due, PrivateTexts, Quota, Share
from audit.canonical import micros
from audit.log import Ledger
from audit.statement import selecting
from store import claims, moves, rows, spent
from store.database import PATIENCE, Database
from store.log import SqlLog
from store.migrate import migrate
from store.reading import due, grants, requests, reviews, texts
from store.sessions import SqlSessions
from store.tables import Note, SignedInDevice, SignInCode

_CODE = selecting(SignInCode, "code_hash")
_DEVICE = {by: selecting(SignedInDevice, by) for by in ("token_hash", "id", "person_id")}
_NOTE = selecting(Note, "key")
_LONG = 10.0  # seconds for what ends many grants at once; shorter than their claim


def open_store(url: str, clock: Clock, ledger: Ledger, *, patience: float = PATIENCE) -> SqlStore:
    """Open (and where needed create or migrate) the database behind a SQLAlchemy URL.

    `sqlite:///var/prodaccess.db` or `postgresql://user@host/name`. `patience`: see `Database`.
    Raises DatabaseLocked, Unavailable.
    """
    database = Database(url, patience=patience)
    try:
        database.be_one_of_many()
        migrate(database)
    except BaseException:
        database.close()
        raise
    return SqlStore(database, clock, SqlLog(database, ledger))


def _nobody(_: Change) -> None:
    """Where no shadow is kept."""


class SqlStore:
    """Every method is one transaction."""

    def __init__(self, database: Database, clock: Clock, log: SqlLog) -> None:
        self._database = database
        self._clock = clock
        self.log = log
        self.wrote: Callable[[Change], None] = _nobody  # is told of every change that stood
        self.sessions = SqlSessions(database)

    def close(self) -> None:
        self._database.close()

    # Writing

    async def create(self, build: Callable[[int], Change], quota: Quota | None = None) -> Receipt:
        return await self._write(lambda desk: desk.create(build, quota))

    async def commit(self, change: Change) -> Receipt:
        receipt = await self._write(lambda desk: desk.write(change))
        self.wrote(change)
        if any(isinstance(event, TextErased | RecordingErased) for event in change.events):
            await self.log.scrub()
        return receipt

    async def commit_each(self, changes: Sequence[Change], *, wait: bool = True) -> tuple[bool, ...]:
        """See `access.ports.Store`."""
        written = await self._database.write(
            lambda tx: moves.Desk(tx, self.log.ledger, self._clock).write_each(changes, wait=wait), patience=_LONG
        )
        self.log.announce(written.receipt)
        for change, stood in zip(changes, written.stood, strict=True):
            if stood:
                self.wrote(change)
        return written.stood

    async def _write(self, work: Callable[[moves.Desk], Receipt]) -> Receipt:
        receipt = await self._database.write(lambda tx: work(moves.Desk(tx, self.log.ledger, self._clock)))
        return self.log.announce(receipt)

    # Requests and grants

    async def request(self, number: int) -> Request | None:
        return await self._database.read(lambda tx: requests.one(tx, "number", number))

    async def request_by_id(self, request_id: str) -> Request | None:
        return await self._database.read(lambda tx: requests.one(tx, "id", request_id))

    async def request_by_key(self, key: str) -> Request | None:
        return await self._database.read(lambda tx: requests.one(tx, "key", key))

    async def requests_of(self, person_id: str | None, *, limit: int = 50) -> tuple[Request, ...]:
        return await self._database.read(lambda tx: requests.of_person(tx, person_id, limit))

    async def open_requests(self, person_id: str | None = None) -> tuple[Request, ...]:
        return await self._database.read(lambda tx: requests.open_ones(tx, person_id))

    async def pending_extensions(self, numbers: Sequence[int]) -> tuple[Request, ...]:
        return await self._database.read(lambda tx: requests.pending_extensions(tx, frozenset(numbers)))

    async def grant(self, number: int) -> Grant | None:
        return await self._database.read(lambda tx: grants.one(tx, number))

    async def open_grants(self) -> tuple[int, ...]:
        return await self._database.read(grants.open_numbers, patience=_LONG)

    async def owners(self, locators: Sequence[str]) -> Mapping[str, int]:
        """The grants, ended ones too, that have these locators of handles and leases on record. Reads much."""
        return await self._database.read(lambda tx: grants.owners(tx, locators), patience=_LONG)

    async def requests_by_number(self, numbers: Sequence[int]) -> Mapping[int, Request]:
        return await self._database.read(lambda tx: requests.by_number(tx, numbers), patience=_LONG)

    async def grants_by_number(self, numbers: Sequence[int]) -> Mapping[int, Grant]:
        return await self._database.read(lambda tx: grants.by_number(tx, numbers))

    async def review(self, number: int) -> Review | None:
        return await self._database.read(lambda tx: reviews.one(tx, number))

    async def open_reviews(self, person_id: str | None = None) -> tuple[Review, ...]:
        return await self._database.read(lambda tx: reviews.open_ones(tx, person_id))

    async def grants_by_state(self) -> Mapping[str, int]:
        """How many grants are in each state; every state is present."""
        counts = await self._database.read(grants.count_states)
        return {state.value: counts.get(state.value, 0) for state in GrantState}

    async def due(self, before: datetime, limit: int, share: Share | None = None) -> Due:
        return await self._database.read(lambda tx: due.until(tx, micros(before), limit, share))

    async def abandoned(self, living: Collection[int]) -> tuple[int, ...]:
        return await self._database.read(lambda tx: claims.abandoned(tx, living, micros(self._clock.now())))

    async def next_due(self) -> datetime | None:
        return await self._database.read(due.next_moment)

    async def loose_intents(self, before: datetime) -> tuple[tuple[int, int], ...]:
        return await self._database.read(lambda tx: due.loose_intents(tx, micros(before)))

    async def private_texts(self, ref: str) -> tuple[PrivateTexts, ...]:
        return await self._database.read(lambda tx: texts.under(tx, ref))

    async def private_texts_at(self, seq: int) -> tuple[PrivateTexts, ...]:
        return await self._database.read(lambda tx: texts.at(tx, seq))

    # Signing in

    async def login_code(self, code_hash: str) -> LoginCode | None:
        row = await self._database.read(lambda tx: _CODE.run(tx, {"code_hash": code_hash}).one_or_none())
        return None if row is None else rows.code_of(row)

    async def device_by_token(self, token_hash: str) -> Device | None:
        return next(iter(await self._devices("token_hash", token_hash)), None)

    async def device(self, device_id: str) -> Device | None:
        return next(iter(await self._devices("id", device_id)), None)

    async def devices_of(self, person_id: str) -> tuple[Device, ...]:
        return await self._devices("person_id", person_id)

    async def _devices(self, by: str, value: str) -> tuple[Device, ...]:
        found = await self._database.read(lambda tx: _DEVICE[by].run(tx, {by: value}).all())
        return tuple(rows.device_of(row) for row in found)

    async def spend(self, key: str, until: datetime) -> bool:
        """False when another process has taken this signed call; the only process remembers by itself."""
        if self._database.is_sqlite:
            return True
        return await self._database.write(lambda tx: spent.spend(tx, key, micros(until)))

    async def forget_spent(self) -> None:
        """Those that are refused by their time."""
        if not self._database.is_sqlite:
            await self._database.write(lambda tx: spent.forget(tx, micros(self._clock.now())))

    # Notebook

    async def note(self, key: str) -> dict[str, Any] | None:
        row = await self._database.read(lambda tx: _NOTE.run(tx, {"key": key}).one_or_none())
        return None if row is None else json.loads(row.value)

    async def put_notes(
        self, notes: Mapping[str, Mapping[str, Any]], *, still: Mapping[str, Mapping[str, Any] | None] | None = None
    ) -> None:
        await self._database.write(lambda tx: moves.put_notes(tx, notes, still or {}))
