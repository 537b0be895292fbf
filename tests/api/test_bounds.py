"""What is remembered about callers is bounded, and forgotten in time."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any, get_type_hints

import pytest

from access.errors import Unavailable
from access.events import CATALOGUE, Event
from access.model import Person
from api.problems import ClockApart, NotSignedIn, TooManyTries
from api.proof import LEEWAY, Proof, Replays
from api.story import facts, tell
from api.tries import PERIOD, TRIES, Tries
from tests.people import LINUS

NOT_ABOUT_A_REQUEST = (
    "login.", "server.", "policy.", "members.", "ask.", "log.", "copy.", "audit.searched", "audit.exported",
    "stray",
)  # fmt: skip


def test_a_used_proof_is_remembered_for_as_long_as_it_could_be_accepted() -> None:
    replays, proof = Replays(started=0.0), Proof("key", "jti", 1000)
    replays.use(proof, 1000 - LEEWAY)
    with pytest.raises(NotSignedIn):
        replays.use(proof, 1000 + LEEWAY)
    replays.use(Proof("other key", "jti", 1000), 1000)
    replays.use(proof, 1000 + LEEWAY + 1)  # its time alone refuses it by then


def test_too_many_calls_at_once_are_refused_and_forgotten_again() -> None:
    replays = Replays(started=0.0, most=3)
    for n in range(3):
        replays.use(Proof("key", str(n), 0), 0)
    with pytest.raises(Unavailable):
        replays.use(Proof("key", "3", 0), 0)
    replays.use(Proof("key", "3", 200), 200)


def test_what_was_signed_before_the_start_is_refused() -> None:
    with pytest.raises(ClockApart):
        Replays(started=1000.9).use(Proof("key", "jti", 999), 1001)
    Replays(started=1000.9).use(Proof("key", "jti", 1000), 1001)


def test_tries_of_one_address_do_not_count_for_another() -> None:
    tries = Tries()
    for _ in range(TRIES):
        tries.take("10.0.0.1", 0)
    with pytest.raises(TooManyTries):
        tries.take("10.0.0.1", PERIOD - 1)
    tries.take("10.0.0.2", PERIOD - 1)
    tries.take("10.0.0.1", PERIOD)


def test_a_good_code_gives_its_try_back() -> None:
    tries = Tries()
    for _ in range(3 * TRIES):
        tries.take("10.0.0.1", 0)
        tries.give_back("10.0.0.1")
    tries.give_back("10.0.0.3")


def _made(kind: type[Event]) -> Event:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    samples: dict[Any, Any] = {
        str: "deadline", int: 1, bool: True, datetime: now, timedelta: timedelta(hours=1), tuple[str, ...]: ("ada",),
        datetime | None: now, Person | None: LINUS, int | None: 1,
        timedelta | None: timedelta(hours=1),
    }  # fmt: skip
    hints = get_type_hints(kind)
    return kind(**{field.name: samples[hints[field.name]] for field in dataclasses.fields(kind)})


@pytest.mark.parametrize("tag", CATALOGUE)
def test_every_event_about_a_request_has_a_sentence_and_plain_facts(tag: str) -> None:
    event = _made(CATALOGUE[tag])
    assert json.loads(json.dumps(facts(event))) == facts(event)
    assert (tell(event) == tag) == tag.startswith(NOT_ABOUT_A_REQUEST)
