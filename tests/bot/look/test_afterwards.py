"""What is said of broken glasses and reviews, from whatever people wrote, against Slack's limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from access.events import (
    GlassBroken,
    GrantEnded,
    RequestApproved,
    RequestAsked,
    ReviewClosed,
    ReviewFlagged,
    ReviewOpened,
    ReviewReminded,
)
from access.model import BREAK_GLASS, Person, Review, ReviewState
from access.policy import BreakGlass, Rule
from bot.acts.reviewing import summary
from bot.look.afterwards import broken, flagged, mentioned, review_status, to_review, to_told
from bot.look.card import card
from bot.look.forms import Draft
from bot.look.glass_forms import flag_form, glass_form, review_form
from bot.look.lines import line
from bot.look.story import Story
from slack_simulator.rules import check_view
from tests.bot.look.test_blocks import any_of, fits, people_text, persons, thorough

NOW = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
KINDS = (GlassBroken, RequestApproved, ReviewOpened, ReviewFlagged, ReviewReminded, ReviewClosed, GrantEnded)
asks = any_of(RequestAsked).map(lambda asked: replace(asked, glass=True, extends=""))
stories = st.tuples(asks, st.lists(st.one_of([any_of(kind) for kind in KINDS]), max_size=6)).map(
    lambda told: Story.of((told[0], *told[1]), str.lower)
)


@thorough
@given(stories, any_of(GlassBroken), any_of(ReviewFlagged), st.booleans())
def test_what_is_loud_stays_within_limits_and_harmless(
    story: Story, glass: GlassBroken, flag: ReviewFlagged, late: bool
) -> None:
    for message in (broken(glass, story, "", late=late), to_told(glass, story, "", late=late),
                    flagged(flag, story, "", late=late)):  # fmt: skip
        fits(message)


@thorough
@given(stories, st.one_of([any_of(kind) for kind in KINDS]))
def test_card_and_thread_of_a_broken_glass_stay_within_limits_and_harmless(story: Story, event: object) -> None:
    fits(card(story))
    told = line(event, story)  # type: ignore[arg-type]
    if told is not None:
        fits(to_review(told, event, story))  # type: ignore[arg-type]


@thorough
@given(people_text, people_text, people_text, st.lists(people_text, max_size=200), persons)
def test_the_forms_stay_within_limits(target: str, role: str, typed: str, names: list[str], by: Person) -> None:
    glass = BreakGlass(frozenset(), timedelta(minutes=15))
    rule = Rule(
        target[:100], role[:100], "", "vault", {}, frozenset(), frozenset(), 1, timedelta(hours=1), timedelta(hours=1)
    )
    draft = Draft(ticket=typed, reason=typed)
    check_view(glass_form(rule, glass, draft, names, "https://hooks.slack.com/commands/1"), "modal")
    review = Review(7, by, target, role, BREAK_GLASS, ReviewState.FLAGGED, NOW, NOW, by=by)
    for form in (review_form, flag_form):
        check_view(form(review, "0a1b2c." + "f" * 16, ""), "modal")
    assert len(summary(review)) < 3000


def test_of_many_who_are_told_the_first_are_named_and_the_rest_counted() -> None:
    accounts = tuple(f"U{number:08}" for number in range(1000))
    said = mentioned(accounts)
    assert said.count("<@U") == 20
    assert said.endswith("and 980 more, in the audit log")


def test_without_a_review_nothing_is_said_of_one() -> None:
    asked = RequestAsked(
        at=NOW, ref="PA-7", request_id="0a", target="orders-db", role="read", duration=timedelta(hours=1), reason="",
        ticket="", policy_hash="", rule="", approvals_needed=1, deciders=(), digest="f" * 64, lapses_at=NOW,
    )  # fmt: skip
    story = Story.of((asked,), str)
    assert story is not None
    assert review_status(story) == ""
