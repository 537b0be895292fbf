from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.events import CATALOGUE, Event
from access.model import Person
from audit.canonical import decode, encode, leaf_hash, micros, moment

_MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
_TEXT = st.text(st.characters(codec="utf-8"), max_size=40).map(lambda t: __import__("unicodedata").normalize("NFC", t))
_PEOPLE = st.builds(Person, id=_TEXT, name=_TEXT, slack_id=_TEXT)
_BY_TYPE = {
    str: _TEXT,
    int: st.integers(-(2**53), 2**53),
    bool: st.booleans(),
    datetime: _MOMENTS,
    timedelta: st.integers(0, 10**7).map(lambda s: timedelta(seconds=s)),
    tuple[str, ...]: st.lists(_TEXT, max_size=4).map(tuple),
    datetime | None: st.none() | _MOMENTS,
    Person | None: st.none() | _PEOPLE,
}


@st.composite
def events(draw: st.DrawFn) -> Event:
    cls = draw(st.sampled_from(sorted(CATALOGUE.values(), key=lambda c: c.TAG)))
    hints = get_type_hints(cls)
    return cls(**{f.name: draw(_BY_TYPE[hints[f.name]]) for f in dataclasses.fields(cls)})


@given(events())
def test_every_event_comes_back_as_it_was(event: Event) -> None:
    body = encode(event, {"v": 1, "log": "l", "seq": 3, "recorded_at": 1})
    fields, again = decode(body)
    assert again == event
    assert fields["seq"] == 3


@given(events())
def test_the_body_is_canonical(event: Event) -> None:
    body = encode(event, {"v": 1, "log": "l", "seq": 3, "recorded_at": 1})
    plain = json.loads(body)
    assert body == json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_the_leaf_is_rfc_6962() -> None:
    assert leaf_hash(b"") == bytes.fromhex("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d")
    assert leaf_hash(b"x") == hashlib.sha256(b"\0x").digest()


@given(_MOMENTS)
def test_times_are_exact(when: datetime) -> None:
    assert moment(micros(when)) == when


def test_an_unknown_kind_is_said_so() -> None:
    with pytest.raises(ValueError, match="unknown kind"):
        decode(b'{"type":"made.up","data":{},"occurred_at":1}')


def test_tags_are_for_ever() -> None:
    assert sorted(CATALOGUE) == [
        "act.refused", "approval.given", "ask.refused", "credential.aborted", "credential.intended",
        "credential.issued", "grant.active", "grant.ended", "grant.ending", "grant.failed", "grant.quarantined",
        "handle.prepared", "login.code_shown", "login.signed_in", "login.signed_out", "policy.loaded",
        "request.approved", "request.asked", "request.cancelled", "request.denied", "request.expired",
        "revocation.failed", "server.started", "server.stopped",
    ]  # fmt: skip
