"""`/prodaccess audit`: who may look, what they are told, and that every look is written down."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.errors import BadInput
from access.events import AuditSearched, CommandRun, QueryRun, SessionClosed, SessionOpened
from access.ports import Change
from audit.search.find import Found, Hit, Touched
from audit.search.query import parse_query
from audit.search.tail import Looked
from bot.look.found import found, misread, touched
from bot.look.kinds import kind
from tests.bot.look.test_blocks import fits, moments, people_text, thorough
from tests.bot.office import AUDIT, Office, shown
from tests.people import LINUS, ManualClock


async def asks(office: Office, text: str, part: str, by: str = "margaret") -> str:
    """Somebody types `/prodaccess audit …`; what they see."""
    await office.who(by).command(AUDIT, f"/prodaccess audit {text}")
    return shown(await office.whisper(by, part))


async def a_session(office: Office, *statements: str, coverage: str = "full") -> None:
    """Linus' grant PA-1, and what he ran in it on `public.refunds`."""
    await office.opened()
    at = office.clock.now()
    common = {"at": at, "ref": "PA-1", "by": LINUS, "session": "s-1"}
    events = [
        SessionOpened(gateway="postgres", target="orders-db", host="db-1", address="10.2.0.7", **common),
        *(
            QueryRun(
                target="orders-db", text=text, shape="", touches=("write table:public.refunds",), coverage=coverage,
                **common,
            )
            for text in statements
        ),
        CommandRun(
            target="orders-db", host="db-1", text="vacuum.sh", program="vacuum.sh", touches=(), coverage="opaque",
            **common,
        ),
        SessionClosed(why="the client closed it", actions=len(statements) + 1, recording="ab" * 32, **common),
    ]  # fmt: skip
    await office.store.commit(Change(events=tuple(events)))  # type: ignore[arg-type]
    await office.settled()


async def looks(office: Office) -> list[AuditSearched]:
    entries = await office.store.log.entries(-1, 10_000)
    return [entry.event for entry in entries if isinstance(entry.event, AuditSearched)]


# Who may


@pytest.mark.parametrize("text", ["", "who", "actor:ada", "who table:public.orders"])
async def test_who_is_no_auditor_is_refused_and_nothing_is_looked_up(office: Office, text: str) -> None:
    await asks(office, text, "Auditors search. The policy names them under `auditors`.", by="linus")
    assert await looks(office) == []


async def test_somebody_elses_timeline_is_not_there_for_who_is_no_auditor(office: Office) -> None:
    await office.asked()
    assert "There is no PA-1 that you may see." in await asks(office, "PA-1", "There is no", by="ada")


async def test_help_names_the_verb_to_auditors_alone(office: Office) -> None:
    await office.who("margaret").command(AUDIT, "/prodaccess help")
    assert "/prodaccess audit who" in shown(await office.whisper("margaret", "How to use"))
    await office.who("linus").command(AUDIT, "/prodaccess help")
    assert "/prodaccess audit" not in shown(await office.whisper("linus", "How to use"))


# Searching


async def test_a_search_shows_who_did_what_and_leads_to_the_thread(office: Office) -> None:
    await office.asked_in_slack()
    await office.settled()
    await office.who("margaret").command(AUDIT, "/prodaccess audit actor:@linus type:request.*")
    told = await office.whisper("margaret", "1 entry")
    text = shown(told)
    assert "linus    asked · orders-db    refunds stuck" in text
    assert "not indexed yet; the whole log was read" in text
    (links,) = [b for b in told["blocks"] if b["type"] == "rich_text"]
    link = links["elements"][0]["elements"][-1]
    assert (link["type"], link["text"]) == ("link", "PA-1")
    assert link["url"].startswith("http")


async def test_a_search_is_an_entry_before_it_is_answered(office: Office) -> None:
    await asks(office, "actor:linus", "Nothing in the audit log matches.")
    (look,) = await looks(office)
    assert look.by is not None
    assert (look.by.name, look.query, look.found, look.through) == ("margaret", "actor:linus", 0, "slack")
    await office.settled()
    assert [m for m in office.who("ada").messages(AUDIT) if m.get("bot_id")] == []  # the look itself is not posted


async def test_more_than_ten_are_left_to_the_terminal(office: Office) -> None:
    for number in range(1, 13):
        await office.asked()
        await office.broker.cancel(number, LINUS)
    told = await asks(office, "type:request.asked", "The newest 10 entries")
    assert told.count("asked · orders-db") == 10
    assert "more: in the terminal, `prodaccess audit search type:request.asked`" in told


async def test_an_empty_answer_says_what_else_to_try(office: Office) -> None:
    assert "`actor:ada last:7d`" in await asks(office, "ticket:OPS-999", "Nothing in the audit log matches.")


async def test_a_question_is_needed(office: Office) -> None:
    await asks(office, "", "Say what to look for: `/prodaccess audit actor:ada last:7d`")


async def test_a_question_that_is_not_understood_comes_back_with_its_place(office: Office) -> None:
    await office.who("margaret").command(AUDIT, "/prodaccess audit actor:linus colour:red")
    told = await office.whisper("margaret", "There is no `colour:`.")
    bold = [e["text"] for e in told["blocks"][-1]["elements"][0]["elements"] if e.get("style") == {"bold": True}]
    assert bold == ["colour:red"]
    assert "at character" not in shown(told)
    assert await looks(office) == []


async def test_quotes_of_a_phone_mean_quotes(office: Office) -> None:
    await office.asked()
    await asks(office, "\u201crefunds stuck\u201d type:request.asked", "1 entry")


async def test_an_answer_that_cannot_be_whispered_is_not_written(office: Office) -> None:
    """A direct message would be a copy that no erasure reaches."""
    await office.asked()
    office.slack.world.response_urls.issue = lambda *_, **__: "/nowhere"  # type: ignore[method-assign]
    await office.who("margaret").command(AUDIT, "/prodaccess audit actor:linus")
    letter = await office.letter("margaret", "Slack could not show the answer in private.")
    assert "refunds stuck" not in shown(letter)


# Who touched


async def test_who_touched_is_answered_in_definite_possible_and_none(office: Office) -> None:
    await a_session(office, "update refunds set paid = true")
    told = await asks(office, "who table:public.refunds", "1 definite, 1 possible")
    assert "*Definite* (the log names it): linus" in told
    assert "ran a query · orders-db    update refunds set paid = true    PA-1" in told
    assert "*Possible* (what was run there could not be read in full, or names no schema): linus" in told
    assert "ran a command · orders-db" in told
    assert "*None*" not in told


async def test_who_touched_what_nobody_did(office: Office) -> None:
    await asks(office, "who table:public.orders", "*None*: no recorded action names it")
    assert (await looks(office))[-1].query == "who touched table:public.orders"


async def test_a_credential_whose_use_nobody_recorded_is_no_all_clear(office: Office) -> None:
    grant = await office.opened()
    await office.grants.collect(grant.number, await office.device())
    await office.settled()
    told = await asks(office, "who table:public.refunds", "0 definite, 1 possible")
    assert "No recording names it; 1 credential was issued there whose use nobody recorded: linus" in told
    assert "None" not in told


async def test_who_touched_needs_an_object(office: Office) -> None:
    await asks(office, "who actor:ada", "Name one object")


# Timeline


async def test_a_timeline_tells_a_request_and_counts_what_was_run(office: Office) -> None:
    await a_session(office, "select 1", "select 2")
    told = await asks(office, "pa-1", "PA-1 · *orders-db · read*")
    steps = ["linus    asked", "ada    approved", "access began", "session opened", "3 queries, commands and files",
             "session closed"]  # fmt: skip
    assert [step in told for step in steps] == [True] * len(steps)
    assert "select 1" not in told
    assert "`prodaccess audit show PA-1`" in told
    assert "Its thread>" in told
    assert (await looks(office))[-1].query == "PA-1"


async def test_a_timeline_of_nothing(office: Office) -> None:
    await asks(office, "PA-99", "There is no PA-99.")


# In any words

hits = st.builds(
    Hit, seq=st.integers(0, 10**9), at=moments, type=st.sampled_from(["db.query", "grant.ended", "of.tomorrow"]),
    ref=st.sampled_from(["", "PA-7"]), actor_id=people_text, actor=people_text, target=people_text, role=people_text,
    ticket=people_text, session=people_text, host=people_text, op=people_text, coverage=people_text, text=people_text,
)  # fmt: skip
answers = st.lists(hits, max_size=14).map(tuple)
reached = st.sampled_from([Looked(9, 9), Looked(2, 9), Looked(2, 9, (3, 4)), Looked(-1, -1)])


@given(answers, st.booleans(), people_text, reached)
@thorough
def test_any_answer_is_within_slacks_limits(some: tuple[Hit, ...], more: bool, asked: str, looked: Looked) -> None:
    links = {"PA-7": "https://slack.example/archives/c0/p1"}
    fits(found(Found(some[:10], more, looked), asked, links, "prodaccess"))
    for definite in (some, ()):
        answer = Touched("table:x", definite, more, some[:3], more, (), (), looked, more, len(some), some)
        fits(touched(answer, asked, links, "prodaccess"))


@given(st.text(max_size=60), st.integers(0, 90))
@thorough
def test_any_misread_question_is_quoted_safely(question: str, place: int) -> None:
    fits(misread(BadInput(f"There is no `{question}:`. (at character {place})"), question))


@given(st.text(alphabet='actor:"x* -/.', max_size=40))
def test_what_the_query_language_refuses_is_quoted_from_its_place(question: str) -> None:
    try:
        parse_query(question, ManualClock().now())
    except BadInput as error:
        told = misread(error, question)
        assert "at character" not in told.text
        json.dumps(told.blocks)


def test_an_entry_of_a_later_version_is_named_by_its_tag() -> None:
    assert kind("of.tomorrow") == "of.tomorrow"
    assert kind("db.query") == "ran a query"


def test_the_index_says_how_far_it_reaches() -> None:
    hit = Hit(1, datetime.fromisoformat("2026-11-23T14:00:00+00:00"), "db.query", "", *[""] * 10)
    told = [shown({"blocks": list(found(Found((hit,), False, looked), "x", {}, "p").blocks)}) for looked in (
        Looked(9, 9), Looked(2, 9), Looked(2, 9000, (3, 4000)))]  # fmt: skip
    assert "indexed up to entry 9, the newest" in told[0]
    assert "indexed up to entry 2 of 9; the rest was read as well" in told[1]
    assert "entries 3 to 4000 were not looked at" in told[2]
