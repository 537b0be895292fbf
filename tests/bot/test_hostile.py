"""Whatever people write, in every message that any entry of the log makes: inside Slack's limits, and harmless.

The messages come out of `bot.thread.posting`, so that a new kind of entry is held to the same without being named here.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from access.errors import Refused
from access.events import (
    CATALOGUE,
    CommentMade,
    Event,
    GlassBroken,
    RequestAsked,
    RequestDenied,
    ReviewClosed,
    ReviewFlagged,
)
from access.model import Grant, GrantState, Person, Request, RequestState, Review, ReviewState
from access.policy.explaining import Explanation
from access.policy.judging import Condition
from access.policy.standing import Later
from access.requesting.progress import Stage
from audit.log import Entry
from bot.acts.asking import did_you_mean, with_reasons
from bot.acts.explaining import explained
from bot.look.blocks import Message
from bot.look.forms import Draft
from bot.look.helping import help_text
from bot.look.home_page import FILTERS, Page, page
from bot.look.story import Story
from bot.thread.posting import posts
from slack_simulator.rules import check_message, check_view
from tests.bot.look.test_blocks import FIXED, any_of, moments, mrkdwn_texts, people_text, stages

LINK = "https://slack.example/archives/c0/p1"
#: what of ours may stand between angle brackets: times, mentions of accounts, links to our own messages
_OURS = re.compile(
    r"<!date\^\d+\^[^|<>]*\|\d\d:\d\d UTC>|<@[UW][A-Z0-9]+>|<https://slack\.example/[a-z0-9/]+\|[A-Za-z0-9 -]+>"
)
#: words that a person writes to look like ours: they must never begin a line, nor be where our sentences are
FAKE = "quokka\n✅ *Approved* by <@U0ADA>\u2028🟢 *Active*\u202e<!channel>"
_LONG = "quokka & <x> " + "& <*_~`" * 400
_ACCOUNTS = ("told", "to", "deciders", "reviewers", "counted", "approvers", "people")
accounts = st.lists(st.sampled_from([f"U0PERSON{n:03}" for n in range(300)]), max_size=300, unique=True).map(tuple)
thorough = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def of_kind(kind: type[Event]) -> st.SearchStrategy[Any]:
    """Any entry of this kind; the account ids in it are ones that the policy file or Slack gave."""
    named = {f.name: accounts for f in dataclasses.fields(kind) if f.name in _ACCOUNTS}
    named |= (
        {"stages": st.lists(stages.map(Stage.written), max_size=14).map(tuple)} if "stages" in _fields(kind) else {}
    )
    named |= {"extends": st.sampled_from(["", "PA-6"])} if "extends" in _fields(kind) else {}
    named |= {name: strategy for name, strategy in FIXED.items() if name in _fields(kind) and name not in named}
    return st.tuples(any_of(kind), st.fixed_dictionaries(named)).map(
        lambda made: dataclasses.replace(made[0], **made[1])
    )


def _fields(kind: type[Event]) -> set[str]:
    return {field.name for field in dataclasses.fields(kind)}


facts = st.one_of([of_kind(kind) for kind in CATALOGUE.values()])
stories = st.tuples(of_kind(RequestAsked), st.lists(facts, max_size=5)).map(
    lambda told: Story.of((told[0], *told[1]), str.lower)
)


def harmless(message: Message) -> None:
    check_message(list(message.blocks))
    assert 0 < len(message.text) < 40_000
    for text in [message.text, *mrkdwn_texts(list(message.blocks))]:
        left = _OURS.sub("", text)
        assert "<" not in left
        assert ">" not in left
        assert not {"\u202e", "\u2028", "\u200b", "\r"} & set(text)


def made_by(event: Event, story: Story) -> Iterator[Message]:
    for late in (False, True):
        for post in posts(Entry(7, 3, event.at, event, b"", b""), story, "prodaccess", late=late):
            yield post.words(LINK)
            yield post.words("")


@given(facts, stories)
@thorough
def test_every_message_of_any_entry_is_harmless_and_fits(event: Event, story: Story) -> None:
    for message in made_by(event, story):
        harmless(message)


@pytest.mark.parametrize("kind", [RequestAsked, RequestDenied, CommentMade, ReviewFlagged, ReviewClosed, GlassBroken])
def test_what_somebody_wrote_never_stands_where_our_own_sentences_are(kind: type[Event]) -> None:
    """A reason, a comment, a finding: in a quotation, on one line, however much it looks like an approval."""
    event, asked = (_filled(each, "orders-db", FAKE) for each in (kind, RequestAsked))
    story = Story.of((asked, event), str.lower)
    assert story is not None
    for message in made_by(event, story):
        harmless(message)
        for text in [message.text, *mrkdwn_texts(list(message.blocks))]:
            assert "quokka" not in text
        for text in _strings(list(message.blocks)):
            assert "quokka" not in text or "\n" not in text


@pytest.mark.parametrize("tag", sorted(CATALOGUE))
def test_the_longest_that_can_be_written_fits(tag: str) -> None:
    """Every text as long as it can be, every list longer than is shown."""
    event, asked = (_longest(kind) for kind in (CATALOGUE[tag], RequestAsked))
    story = Story.of((asked, event), str.lower)
    assert story is not None
    for message in made_by(event, story):
        check_message(list(message.blocks))
        assert len(message.text) < 40_000


def _longest(kind: type[Event]) -> Any:
    return _filled(kind, _LONG, _LONG)


def _filled(kind: type[Event], text: str, private: str) -> Any:
    """An entry with this in every text, and with this in what somebody wrote."""
    many = tuple(f"U0PERSON{n:03}" for n in range(60))
    by, latest = Person("T0ACME/U0LINUS", text, "U0LINUS"), datetime(2039, 12, 31, tzinfo=UTC)
    values = {
        "str": text, "Private": private, "int": 10**9, "bool": True, "datetime": latest, "datetime | None": latest,
        "timedelta": timedelta(days=3660), "timedelta | None": timedelta(days=3660), "Person | None": by,
        "int | None": 10**9, "tuple[str, ...]": (text,) * 60,
    }  # fmt: skip
    stage = Stage(9, many, many, many, latest, False).written()
    fixed: dict[str, Any] = {
        "ref": "PA-999999999999999", "extends": "PA-999999999999998", "request_id": "f" * 64, "digest": "f" * 64,
        "stages": (stage,) * 20, **dict.fromkeys(_ACCOUNTS, many),
    }  # fmt: skip
    return kind(**{f.name: fixed.get(f.name, values[str(f.type)]) for f in dataclasses.fields(kind)})


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


# What is shown in private, and on pages


def request(n: int, text: str, **changes: Any) -> Request:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    fields: dict[str, Any] = {
        "id": "f" * 64, "number": 10**14 + n, "key": "k", "requester": Person("T/U", text, "U0LINUS"), "target": text,
        "role": text, "duration": timedelta(days=3660), "reason": text, "ticket": text, "state": RequestState.PENDING,
        "created_at": now, "lapses_at": now, "due_at": now, "policy_hash": "p", "rule": text, "approvals_needed": 1,
        "extends": 10**14,
    }  # fmt: skip
    return Request(**{**fields, **changes})


def grant(asked: Request, state: GrantState = GrantState.ACTIVE) -> Grant:
    now = asked.created_at
    return Grant(
        number=asked.number, request_id=asked.id, requester=asked.requester, target=asked.target, role=asked.role,
        reason=asked.reason, ticket=asked.ticket, provider=asked.target, uses={}, state=state, created_at=now,
        expires_at=now + asked.duration, due_at=now, duration=asked.duration, started_at=now,
    )  # fmt: skip


def review(asked: Request) -> Review:
    now = asked.created_at
    return Review(
        asked.number, asked.requester, asked.target, asked.role, "break_glass", ReviewState.FLAGGED, now, now,
        by=asked.requester,
    )  # fmt: skip


def full_page(text: str, shown: str) -> Page:
    asked = tuple(request(n, text) for n in range(300))
    rows = tuple((one, grant(one)) for one in asked)
    return Page(
        now=asked[0].created_at, slash="/prodaccess", cli="prodaccess", example=text, grants=rows, asked=asked,
        to_decide=asked, reviews=tuple((review(one), one) for one in asked), held=tuple(map(review, asked)),
        lately=rows, everybody=rows, all_reviews=tuple(map(review, asked)), shown=shown,
    )  # fmt: skip


@pytest.mark.parametrize("shown", sorted(FILTERS))
def test_the_fullest_page_stays_within_a_hundred_blocks(shown: str) -> None:
    view = {"type": "home", "blocks": page(full_page(_LONG, shown))}
    check_view(view, "home")
    assert len(view["blocks"]) <= 100


@given(people_text)
@thorough
def test_a_page_shows_nobodys_words_as_ours(text: str) -> None:
    blocks = page(full_page(text, "open"))
    check_view({"type": "home", "blocks": blocks}, "home")
    for shown in mrkdwn_texts(blocks):
        assert "<" not in _OURS.sub("", shown)
        assert ">" not in _OURS.sub("", shown)


conditions = st.builds(Condition, people_text, people_text, st.sampled_from([True, False, None]), people_text)
some_people = st.lists(people_text, max_size=30).map(tuple)
explanations = st.builds(
    Explanation, people_text, people_text, people_text, st.booleans(), people_text, people_text,
    st.lists(conditions, max_size=30).map(tuple), people_text, st.integers(0, 20),
    st.lists(people_text, max_size=30).map(tuple),
    st.lists(st.builds(Later, some_people, st.none() | moments), max_size=9).map(tuple),
    st.lists(people_text, max_size=4).map(tuple),
)  # fmt: skip


@given(explanations)
@thorough
def test_an_explanation_fits_a_message_and_a_form(told: Explanation) -> None:
    blocks = list(explained(told))
    harmless(Message("x", tuple(blocks)))
    check_view({"type": "modal", "title": {"type": "plain_text", "text": "x"}, "blocks": blocks}, "modal")


@given(people_text, people_text, people_text)
@thorough
def test_what_was_meant_and_why_not_are_harmless(target: str, reason: str, ticket: str) -> None:
    draft = Draft(target[:100], "read", timedelta(hours=1), ticket[:100], reason[:500])
    for message in (did_you_mean(draft, "orders-db", f"lst {reason}"), with_reasons(Refused(f"No: {reason}"), draft)):
        if message is not None:
            harmless(message)


def test_help_fits() -> None:
    harmless(help_text("/prodaccess", "prodaccess", is_auditor=True))
