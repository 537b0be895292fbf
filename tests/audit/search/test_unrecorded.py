"""Credentials that nobody recorded: what the index counts is what looking at every entry counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

import pytest

from access.events import CredentialIssued, Event
from access.model import Person
from audit.search.find import MOST_UNRECORDED
from audit.search.unrecorded import NEAR
from tests.audit.search.book import NOW, Book, active, asked, ended, issued, opened, query
from tests.people import ADA, GRACE, LINUS

MINUTE = timedelta(minutes=1)
TABLES = {"table:public.orders": ("db-1", "db-2"), "table:public.logs": ("web-1",), "table:nobody.knows": ()}
TARGETS = ("db-1", "db-2", "db-30", "web-1")
PEOPLE = (ADA, LINUS, GRACE)


@dataclass
class Grant:
    """One made-up request, with the times of its credentials."""

    ref: str
    by: Person
    target: str
    ticket: str
    opened_at: datetime
    ended_at: datetime | None
    issued: tuple[datetime, ...]
    has_session: bool

    def events(self) -> Iterator[Event]:
        yield asked(self.ref, at=self.opened_at, by=self.by, target=self.target, ticket=self.ticket)
        yield active(self.ref, self.opened_at)
        for at in self.issued:
            yield issued(self.ref, at, by=self.by)
        if self.has_session:
            yield opened(f"s-{self.ref}", ref=self.ref, target=self.target)
        if self.ended_at is not None:
            yield ended(self.ref, self.ended_at)


def made(random: Random, count: int) -> list[Grant]:
    return [grant(random, number) for number in range(count)]


def grant(random: Random, number: int) -> Grant:
    start = NOW + MINUTE * (number * 3 + random.randrange(60))
    lasted = random.choice((None, 20, 60, 400))
    return Grant(
        f"PA-{number}", random.choice(PEOPLE), random.choice(TARGETS), f"OPS-{number % 7}", start,
        None if lasted is None else start + MINUTE * lasted,
        tuple(start + MINUTE * n for n in range(random.randrange(7))), random.random() < 0.6,
    )  # fmt: skip


@dataclass(frozen=True)
class Question:
    """What is asked, and of which grants it is true; each part may be left out."""

    thing: str
    parts: tuple[str, ...]
    after: datetime | None
    before: datetime | None

    def __str__(self) -> str:
        after = f"after:{self.after.isoformat()}" if self.after else ""
        before = f"before:{self.before.isoformat()}" if self.before else ""
        return " ".join((self.thing, *self.parts, after, before)).strip()

    def is_about(self, one: Grant) -> bool:
        places = TABLES[self.thing]
        return (not places or one.target in places) and all(_holds(part, one) for part in self.parts)

    def could_use(self, one: Grant) -> bool:
        return not one.has_session and (self.after is None or one.ended_at is None or one.ended_at > self.after)


def _holds(part: str, one: Grant) -> bool:
    if part.startswith("-"):
        return not _holds(part[1:], one)
    key, _, value = part.partition(":")
    said = {"actor": one.by.name, "target": one.target, "ticket": one.ticket, "ref": one.ref}[key]
    return said.startswith(value[:-1]) if value.endswith("*") else said == value


def question(random: Random) -> Question:
    parts = random.sample(
        ("actor:ada", "-actor:linus", "target:db-1", "target:db-3", "target:db-*", "-target:web-*", "ticket:OPS-1",
         "ticket:OPS-*", "ref:PA-7", "ref:PA-11"), random.choice((0, 0, 1, 2)),
    )  # fmt: skip
    after, before = (random.choice((None, NOW + MINUTE * random.randrange(2_400))) for _ in range(2))
    if after and before and after >= before:
        after, before = before, after + MINUTE
    return Question(random.choice(tuple(TABLES)), tuple(parts), after, before)


def expected(asked_for: Question, credentials: list[tuple[datetime, Grant]]) -> list[str]:
    """By looking at all of them, the newest first."""
    meant = [
        (at, one)
        for at, one in reversed(credentials)
        if asked_for.is_about(one) and (asked_for.before is None or at < asked_for.before)
    ]
    return [one.ref for _, one in meant[:MOST_UNRECORDED] if asked_for.could_use(one)]


@pytest.mark.parametrize("indexed", [1.0, 0.9])
def test_the_count_is_that_of_looking_at_every_credential(book: Book, indexed: float) -> None:
    random = Random(11)
    grants = made(random, 800)
    events = sorted((event for one in grants for event in one.events()), key=lambda event: event.at)
    touches = [
        query("select 1", f"read {thing}", target=place, session="s-x", ref="")
        for thing, places in TABLES.items()
        for place in places
    ]
    book.say(*touches, *events[: round(indexed * len(events))])
    book.index()
    if indexed < 1:
        book.say(*events[round(indexed * len(events)) :])
    by_ref = {one.ref: one for one in grants}
    credentials = [(event.at, by_ref[event.ref]) for event in events if isinstance(event, CredentialIssued)]
    assert len(credentials) > NEAR + MOST_UNRECORDED, "else nothing is cut off"
    found = 0
    for asked_for in (Question("table:nobody.knows", (), None, None), *(question(random) for _ in range(40))):
        touched = book.touched(str(asked_for), limit=1_000)
        refs = [hit.ref for hit in touched.credentials]
        assert (str(asked_for), refs) == (str(asked_for), expected(asked_for, credentials))
        assert touched.unrecorded == len(refs)
        found += bool(refs)
    assert found > 15
    if indexed == 1:
        assert book.recheck() is None
