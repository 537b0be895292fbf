"""Everything we render, from whatever people wrote, against Slack's limits."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from access.errors import BadInput
from access.events import (
    CATALOGUE,
    ApprovalGiven,
    CommandRun,
    CommentMade,
    Erased,
    Event,
    FileTouched,
    GrantActive,
    GrantEnded,
    GrantEnding,
    GrantFailed,
    QueryRun,
    RequestApproved,
    RequestAsked,
    RequestCancelled,
    RequestDenied,
    RequestEscalated,
    RequestExpired,
    RequestReminded,
    RevocationFailed,
    SessionClosed,
    SessionCut,
    SessionOpened,
    SignedIn,
    TextErased,
)
from access.model import Person
from access.policy import Rule
from access.requesting.progress import Stage
from access.sessions.model import Session
from audit.log import Entry
from bot.acts.answers import refusal
from bot.acts.asking import asked
from bot.look.blocks import Message
from bot.look.called import commented, to_decider
from bot.look.card import STATUS, card
from bot.look.forms import Draft
from bot.look.letters import signed_in, to_requester, yours
from bot.look.lines import line
from bot.look.live import live
from bot.look.modal import Offers, Problem, ask_form, deny_form, notice
from bot.look.operations import operation
from bot.look.seeing import seeing
from bot.look.sessions import Tally, count
from bot.look.small_forms import comment_form, less_form
from bot.look.story import PHASE_AFTER, Phase, Story
from bot.look.words import storable
from slack_simulator.rules import check_message, check_view
from tests.access.policy.test_judging import request
from tests.bot.look.test_words import VECTORS
from tests.people import LINUS

_TOKENS = re.compile(
    r"<!date\^\d+\^[^|<>]*\|\d\d:\d\d UTC>|<@[UW][A-Z0-9]+>|<https://slack\.example/[a-z0-9/]+\|Its thread>"
)

people_text = st.one_of(st.text(max_size=600), st.sampled_from(VECTORS))
moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
persons = st.builds(Person, st.just("T0ACME/U0LINUS"), people_text, st.just("U0LINUS"))
FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "str": people_text, "int": st.integers(0, 99), "bool": st.booleans(), "datetime": moments,
    "timedelta": st.timedeltas(timedelta(0), timedelta(days=30)), "Person | None": st.one_of(st.none(), persons),
    "Private": st.one_of(people_text, st.just(Erased(12))), "int | None": st.one_of(st.none(), st.integers(0, 9)),
    "tuple[str, ...]": st.lists(people_text, max_size=14).map(tuple), "datetime | None": st.one_of(st.none(), moments),
    "timedelta | None": st.one_of(st.none(), st.timedeltas(timedelta(0), timedelta(days=30))),
}  # fmt: skip
some = st.lists(people_text, max_size=14).map(tuple)
stages = st.builds(Stage, st.integers(0, 20), some, some, some, st.one_of(st.none(), moments), st.booleans())
FIXED = {"ref": st.just("PA-7"), "request_id": st.just("0a1b2c"), "digest": st.just("f" * 64),
         "session": st.sampled_from(["PA-7-1", "PA-7-9", "PA-7-12", "one"]),
         "stages": st.lists(stages.map(Stage.written), max_size=14).map(tuple)}  # fmt: skip


def any_of(kind: type[Event]) -> st.SearchStrategy[Any]:
    fields = {f.name: FIXED.get(f.name, FIELDS[str(f.type)]) for f in dataclasses.fields(kind)}
    return st.builds(kind, **fields)


ending = [RequestApproved, RequestDenied, RequestCancelled, RequestExpired, GrantActive, GrantFailed, GrantEnding,
          GrantEnded, RevocationFailed, ApprovalGiven, RequestEscalated, RequestReminded,
          SessionOpened, QueryRun, FileTouched, TextErased]  # fmt: skip
stories = st.tuples(any_of(RequestAsked), st.lists(st.one_of([any_of(kind) for kind in ending]), max_size=6)).map(
    lambda told: Story.of((told[0], *told[1]), str.lower)
)
thorough = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def fits(message: Message) -> None:
    """Within Slack's limits, and nobody's words are markup."""
    check_message(list(message.blocks))
    assert len(message.text) < 4000
    assert sum(len(text) for text in all_texts(list(message.blocks))) < 10_000
    for text in [message.text, *mrkdwn_texts(list(message.blocks))]:
        left = _TOKENS.sub("", text)
        assert "<" not in left
        assert ">" not in left


def all_texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from [inner] if key == "text" and isinstance(inner, str) else all_texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from all_texts(inner)


def mrkdwn_texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if value.get("type") == "mrkdwn":
            yield value["text"]
        for inner in value.values():
            yield from mrkdwn_texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from mrkdwn_texts(inner)


@given(stories)
@thorough
def test_any_story_is_a_card_within_slacks_limits(story: Story) -> None:
    fits(card(story))
    fits(yours(story, "prodaccess"))
    for again in (False, True):
        fits(to_decider(story, "U0ADA", "https://slack.example/archives/c0/p1", again=again))


@given(st.one_of([any_of(kind) for kind in CATALOGUE.values()]), stories)
@thorough
def test_any_fact_is_a_line_and_a_letter_within_slacks_limits(event: Event, story: Story) -> None:
    for message in (line(event, story), to_requester(event, story), operation(event)):
        if message is not None:
            fits(message)
    if isinstance(event, CommentMade):
        fits(commented(event, story, "https://slack.example/archives/c0/p1"))
    if isinstance(event, SignedIn):
        fits(signed_in(event))


acts = st.lists(
    st.one_of([any_of(k) for k in (SessionOpened, QueryRun, CommandRun, FileTouched, SessionCut, SessionClosed)]),
    max_size=12,
)


@given(any_of(SessionOpened), acts, stories)
@thorough
def test_any_session_is_a_message_within_slacks_limits(opened: SessionOpened, told: list[Any], story: Story) -> None:
    entries = [Entry(seq, seq, opened.at, event, b"", b"") for seq, event in enumerate([opened, *told])]
    found: dict[str, Tally] = {}
    count(found, entries)
    quotes = {e.seq: e.event for e in entries if isinstance(e.event, QueryRun | CommandRun | FileTouched)}
    fits(live(opened, dataclasses.replace(story, sessions=found, quotes=quotes)))
    session = Session(
        grant=7, n=1, gateway="postgres", pass_name="PA-7.k", requester=LINUS, target=opened.target, host=opened.host,
        address=opened.address, client=opened.client, process="p", seed="s", opened_at=opened.at,
    )  # fmt: skip
    for name, several in (("PA-7-1", [session]), ("PA-7-9+", [session] * 30)):
        check_view(seeing(name, several, entries, "prodaccess", "It is being ended."), "modal")


@given(people_text, people_text, people_text)
@thorough
def test_any_draft_is_a_form_within_slacks_limits(ticket: str, reason: str, why: str) -> None:
    hour = timedelta(hours=1)
    rule = Rule("orders-db", "read", why or "x", "memory", {}, frozenset(), frozenset(), 1, 4 * hour, hour)
    offers = Offers((rule,), lambda _: tuple("abcdefgh"))
    for draft in (
        Draft(),
        Draft("orders-db", "read", 9 * hour, storable(ticket), storable(reason)),
        Draft("nowhere", "x"),
    ):
        for problem in (None, Problem("ticket", why), Problem("nothing", why)):
            check_view(ask_form(offers, draft, "https://slack.example/x", problem), "modal")
    check_view(deny_form("a.b", "*orders-db*", ""), "modal")
    check_view(comment_form("a.b", "*orders-db*", ""), "modal")
    check_view(less_form("a.b", "*orders-db*", timedelta(days=30), ""), "modal")
    check_view(notice("Done."), "modal")


@given(people_text)
@thorough
def test_any_refusal_quotes_safely(text: str) -> None:
    fits(refusal(BadInput(f"“{text}” is not a duration.")))


def test_the_private_answer_fits() -> None:
    fits(asked(request(LINUS), ("ada", "grace")))


def test_every_phase_has_its_status_and_is_reached() -> None:
    assert set(STATUS) == set(Phase)
    assert {*PHASE_AFTER.values(), Phase.EXTENDED} == set(Phase)  # an extension opens nothing of its own


def test_buttons_stand_only_while_they_mean_something() -> None:
    with_buttons = {Phase.WAITING, Phase.OPENING, Phase.UNCLEAR, Phase.ACTIVE}
    now = datetime(2026, 11, 23, tzinfo=UTC)
    first = RequestAsked(
        at=now, ref="PA-7", by=LINUS, request_id="0a", target="orders-db", role="read", duration=timedelta(hours=1),
        reason="x", ticket="", policy_hash="p" * 64, rule="orders-db/read", approvals_needed=1, deciders=(),
        digest="f" * 64, lapses_at=now,
    )  # fmt: skip
    for phase in Phase:
        story = dataclasses.replace(Story(first, (), first), phase=phase)
        kinds = [block["type"] for block in card(story).blocks]
        assert ("actions" in kinds) == (phase in with_buttons)
