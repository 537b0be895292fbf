from __future__ import annotations

import dataclasses
import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.events import CATALOGUE, Erased, Event, RequestAsked
from access.model import Person
from audit.canonical import Writer, commitments, event_of, fields_of, micros, moment
from audit.merkle import leaf_hash
from tests.people import LINUS

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
    int | None: st.none() | st.integers(0, 2**53),
    datetime | None: st.none() | _MOMENTS,
    timedelta | None: st.none() | st.integers(0, 10**7).map(lambda s: timedelta(seconds=s)),
    Person | None: st.none() | _PEOPLE,
}


@st.composite
def events(draw: st.DrawFn) -> Event:
    cls = draw(st.sampled_from(sorted(CATALOGUE.values(), key=lambda c: c.TAG)))
    hints = get_type_hints(cls)
    return cls(**{f.name: draw(_BY_TYPE[hints[f.name]]) for f in dataclasses.fields(cls)})


class Texts(dict[str, str]):
    """What is kept beside the log."""

    def seal(self, seq: int, field: str, text: str) -> str:
        commitment = hashlib.sha256(f"{field}{text}".encode()).hexdigest()
        self[commitment] = text
        return commitment


def _body(event: Event, texts: Texts) -> bytes:
    return Writer("l", 1, texts.seal).body(event, 3)


@given(events())
def test_every_event_comes_back_as_it_was(event: Event) -> None:
    texts = Texts()
    fields = fields_of(_body(event, texts))
    assert event_of(fields, texts) == event
    assert fields["seq"] == 3
    assert set(commitments(fields)) == set(texts)


@given(events())
def test_the_body_is_canonical(event: Event) -> None:
    body = _body(event, Texts())
    plain = json.loads(body)
    assert body == json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def test_a_private_text_is_not_in_the_body_and_reads_as_erased_without_it() -> None:
    event = RequestAsked(
        at=moment(1), ref="PA-1", by=LINUS, request_id="r", target="orders-db", role="read",
        duration=timedelta(hours=1), reason="customer Müller", ticket="OPS-1", policy_hash="p", rule="x",
        approvals_needed=1, deciders=(), digest="d", lapses_at=moment(1),
    )  # fmt: skip
    body = _body(event, Texts())
    assert "Müller" not in body.decode()
    again = event_of(fields_of(body), {})
    assert isinstance(again, RequestAsked)
    assert isinstance(again.reason, Erased)
    assert (again.reason, again.reason.size) == ("(erased)", len("customer Müller"))


def test_the_leaf_is_rfc_6962() -> None:
    assert leaf_hash(b"") == bytes.fromhex("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d")
    assert leaf_hash(b"x") == hashlib.sha256(b"\0x").digest()


@given(_MOMENTS)
def test_times_are_exact(when: datetime) -> None:
    assert moment(micros(when)) == when


def test_an_unknown_kind_is_said_so() -> None:
    with pytest.raises(ValueError, match="unknown kind"):
        fields_of(b'{"type":"made.up","data":{},"occurred_at":1}')
