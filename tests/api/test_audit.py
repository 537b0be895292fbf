"""Looking into the audit log over HTTP, and erasing."""

from __future__ import annotations

import pytest

from access.events import ActRefused, AuditSearched, Event, QueryRun, SessionClosed, SessionOpened, TextErased
from access.model import Person
from access.ports import Change
from tests.api.serving import Api, Terminal
from tests.people import ADA, GRACE, LINUS, MARGARET, STRANGER
from tests.world import World

SELECT = "SELECT * FROM orders WHERE customer = 'Curie'"


def work_at_the_target(world: World, ref: str = "PA-1", by: Person = LINUS) -> list[Event]:
    """A recorded session of a grant: two statements, one of which could have touched anything."""
    common = {"at": world.clock.now(), "ref": ref, "by": by, "session": "s-1", "target": "orders-db"}
    return [
        SessionOpened(**common, gateway="postgres", host="db-1", address="10.2.0.7"),
        QueryRun(
            **common, text=SELECT, shape="SELECT * FROM orders WHERE customer = ?",
            touches=("read table:public.orders",), coverage="full", rows=2,
        ),
        QueryRun(**common, text="SELECT tidy()", shape="SELECT tidy()", touches=(), coverage="opaque", outcome="42501"),
        SessionClosed(
            at=world.clock.now(), ref=ref, by=by, session="s-1", why="disconnected", actions=2, recording="ab" * 32
        ),
    ]  # fmt: skip


async def worked(api: Api) -> None:
    """PA-1 of linus, with a session, ended."""
    grant = await api.world.opened()
    await api.world.store.commit(Change(events=tuple(work_at_the_target(api.world))))
    await api.world.broker.end(grant.number, LINUS)


async def searched(terminal: Terminal, query: str) -> list[dict[str, object]]:
    answer = await terminal.call("GET", f"/v1/audit/search?q={query}")
    assert answer.status == 200, answer.text
    return list(answer.json["hits"])


async def test_search_finds_what_is_indexed_and_what_is_not_yet(api: Api) -> None:
    await worked(api)
    margaret = await api.sign_in(MARGARET)
    (hit,) = await searched(margaret, "table:public.orders")
    assert (hit["type"], hit["actor"], hit["ref"], hit["target"], hit["op"]) == (
        "db.query", "linus", "PA-1", "orders-db", "read",
    )  # fmt: skip
    assert hit["text"] == SELECT
    before = (await margaret.call("GET", "/v1/audit/search?q=table:public.orders")).json
    assert before["indexed_to"] < before["head"]
    await api.index()
    after = (await margaret.call("GET", "/v1/audit/search?q=table:public.orders")).json
    assert after["indexed_to"] > before["indexed_to"]
    assert (after["hits"], after["more"], after["missed"]) == (before["hits"], False, None)


async def test_a_limit_says_that_there_is_more(api: Api) -> None:
    await worked(api)
    margaret = await api.sign_in(MARGARET)
    answer = await margaret.call("GET", "/v1/audit/search?q=ref:PA-1&limit=2")
    assert (len(answer.json["hits"]), answer.json["more"]) == (2, True)
    for limit in ("0", "201", "many"):
        assert (await margaret.call("GET", f"/v1/audit/search?q=x&limit={limit}")).kind == "bad-input"


async def test_who_touched_a_table(api: Api) -> None:
    await worked(api)
    await api.index()
    margaret = await api.sign_in(MARGARET)
    told = (await margaret.call("GET", "/v1/audit/touched?q=table:public.orders")).json
    assert [(p["actor"], p["op"], p["count"]) for p in told["people"]] == [("linus", "read", 1)]
    assert [hit["text"] for hit in told["definite"]] == [SELECT]
    assert [hit["text"] for hit in told["possible"]] == ["SELECT tidy()"]
    assert (told["object"], told["places"]) == ("table:public.orders", ["orders-db"])
    refused = await margaret.call("GET", "/v1/audit/touched?q=actor:linus")
    assert (refused.status, refused.kind, refused.json["field"]) == (400, "bad-input", "query")


@pytest.mark.parametrize("query", ["tabel:public.orders", "%22open", "type:nonsense", "x%00y", ""])
async def test_a_query_that_is_not_understood(api: Api, query: str) -> None:
    margaret = await api.sign_in(MARGARET)
    answer = await margaret.call("GET", f"/v1/audit/search?q={query}")
    assert (answer.status, answer.kind) == (400, "bad-input")


async def test_only_auditors_search(api: Api) -> None:
    for person in (LINUS, ADA, STRANGER):
        terminal = await api.sign_in(person)
        for path in ("search?q=orders", "touched?q=table:public.orders"):
            answer = await terminal.call("GET", f"/v1/audit/{path}")
            assert (answer.status, answer.kind) == (403, "refused")


async def test_every_look_is_an_entry_of_the_log(api: Api) -> None:
    await worked(api)
    margaret = await api.sign_in(MARGARET)
    await margaret.call("GET", "/v1/audit/search?q=actor:linus")
    looked = await api.world.last(AuditSearched)
    assert isinstance(looked, AuditSearched)
    assert (looked.by, looked.query, looked.through) == (MARGARET, "actor:linus", "terminal")
    await margaret.call("GET", "/v1/audit/requests/PA-1")
    looked = await api.world.last(AuditSearched)
    assert isinstance(looked, AuditSearched)
    assert looked.query == "PA-1"


async def test_a_look_is_written_down_as_it_was_meant_and_in_full(api: Api) -> None:
    margaret = await api.sign_in(MARGARET)
    blanks = "%20" * 200
    answer = await margaret.call("GET", f"/v1/audit/touched?q={blanks}table:public.orders%20%20-salaries")
    assert answer.status == 200, answer.text
    looked = await api.world.last(AuditSearched)
    assert isinstance(looked, AuditSearched)
    assert looked.query == "who touched table:public.orders -salaries"
    longest = "table:public.orders".ljust(500, "x")
    await margaret.call("GET", f"/v1/audit/touched?q={longest}")
    looked = await api.world.last(AuditSearched)
    assert isinstance(looked, AuditSearched)
    assert looked.query == f"who touched {longest}"
    head = await api.world.store.log.head()
    assert (await margaret.call("GET", f"/v1/audit/touched?q={longest}x")).kind == "bad-input"
    assert await api.world.store.log.head() == head, "and was not answered"


async def test_a_refused_look_is_an_entry_once_a_minute(api: Api) -> None:
    await worked(api)
    grace = await api.sign_in(GRACE)

    async def refusals() -> list[str]:
        for path in ("search?q=orders", "touched?q=table:public.orders", "requests/PA-1", "requests/PA-2"):
            assert (await grace.call("GET", f"/v1/audit/{path}")).status in (403, 404)
        events = [entry.event for entry in await api.world.store.log.entries(-1, 1000)]
        found = [event for event in events if isinstance(event, ActRefused)]
        assert {(event.by, event.ref) for event in found} == {(GRACE, "")}
        return [event.act for event in found]

    once = ["search the audit log", "see PA-1 in the audit log"]
    assert await refusals() == once
    assert await refusals() == once
    api.world.clock.pass_by(minutes=1)
    assert await refusals() == once * 2


async def test_the_timeline_tells_everything_in_order(api: Api) -> None:
    await worked(api)
    linus = await api.sign_in()
    told = (await linus.call("GET", "/v1/audit/requests/1")).json
    assert told["ref"] == "PA-1"
    assert [entry["kind"] for entry in told["entries"]] == await api.world.tags("PA-1")
    by_kind = {entry["kind"]: entry for entry in told["entries"]}
    query = next(e for e in told["entries"] if e["kind"] == "db.query")
    assert (query["by"], query["did"]) == ("linus", f"read table:public.orders, 2 rows: {SELECT}")
    assert query["text"] == f"linus {query['did']}"
    assert by_kind["db.query"]["did"] == "touched what cannot be told, 42501: SELECT tidy()"
    assert by_kind["grant.ended"]["facts"]["proof"]


async def test_a_long_timeline_comes_in_pages_and_each_look_is_an_entry(api: Api) -> None:
    await worked(api)
    margaret = await api.sign_in(MARGARET)
    path, after, seen = "/v1/audit/requests/PA-1", -1, []
    while True:
        page = (await margaret.call("GET", f"{path}?after={after}&limit=4")).json
        assert len(page["entries"]) <= 4
        seen += [entry["kind"] for entry in page["entries"]]
        if not page["more"]:
            break
        after = page["entries"][-1]["seq"]
        looked = await api.world.last(AuditSearched)
        assert isinstance(looked, AuditSearched)
        assert looked.query.startswith("PA-1")
        assert looked.found == 4
    assert seen == await api.world.tags("PA-1")
    looked = await api.world.last(AuditSearched)
    assert isinstance(looked, AuditSearched)
    assert looked.query == f"PA-1 after entry {after}"
    for wrong in ("limit=0", "limit=501", "after=-2", "after=x"):
        assert (await margaret.call("GET", f"{path}?{wrong}")).kind == "bad-input"


async def test_a_history_comes_in_pages_too(api: Api) -> None:
    await worked(api)
    linus = await api.sign_in()
    first = (await linus.call("GET", "/v1/requests/PA-1/history?limit=3")).json
    rest = (await linus.call("GET", f"/v1/requests/PA-1/history?after={first[-1]['seq']}")).json
    assert len(first) == 3
    assert [entry["kind"] for entry in first + rest] == await api.world.tags("PA-1")


async def test_who_may_see_a_timeline(api: Api) -> None:
    await worked(api)
    for person, status in ((LINUS, 200), (MARGARET, 200), (ADA, 404), (STRANGER, 404)):
        terminal = await api.sign_in(person)
        assert (await terminal.call("GET", "/v1/audit/requests/PA-1")).status == status
    assert (await terminal.call("GET", "/v1/audit/requests/PA-9")).kind == "not-found"
    assert (await terminal.call("GET", "/v1/audit/requests/orders")).kind == "bad-input"


async def test_erasing_takes_the_words_and_leaves_the_rest(api: Api) -> None:
    await worked(api)
    await api.index()
    margaret = await api.sign_in(MARGARET)
    assert len(await searched(margaret, "curie%20type:db.query")) == 1
    answer = await margaret.call("POST", "/v1/audit/requests/PA-1/erasure", {"why": "a customer's name"})
    assert (answer.status, answer.json["ref"]) == (200, "PA-1")
    assert ["reason"] in [text["fields"] for text in answer.json["erased"]]
    entry = await api.world.last(TextErased)
    assert isinstance(entry, TextErased)
    assert (entry.by, entry.why) == (MARGARET, "a customer's name")
    assert await searched(margaret, "curie%20type:db.query") == []
    (hit,) = await searched(margaret, "table:public.orders")
    assert hit["text"] == "(erased)"
    told = (await margaret.call("GET", "/v1/audit/requests/PA-1")).text
    assert "Curie" not in told
    assert "refunds stuck" not in told
    again = await margaret.call("POST", "/v1/audit/requests/PA-1/erasure", {"why": "again"})
    assert again.json["erased"] == []


async def test_who_may_erase_and_when(api: Api) -> None:
    await api.world.opened()
    path, body = "/v1/audit/requests/PA-1/erasure", {"why": "DPO-31"}
    for person in (LINUS, ADA, GRACE):
        assert (await (await api.sign_in(person)).call("POST", path, body)).kind == "refused"
    margaret = await api.sign_in(MARGARET)
    assert (await margaret.call("POST", path, body)).kind == "too-late"
    await api.world.broker.end(1, LINUS)
    for wrong in ({}, {"why": ""}, {"why": "  "}, {"why": "x" * 501}, {"why": "x", "more": 1}):
        assert (await margaret.call("POST", path, wrong)).kind == "bad-input"
    assert (await margaret.call("POST", "/v1/audit/requests/PA-9/erasure", body)).kind == "not-found"
    assert (await margaret.call("POST", path, body)).status == 200


def test_what_is_published_names_every_field(api: Api) -> None:
    published = api.app.openapi()
    for path in ("/v1/audit/search", "/v1/audit/touched"):
        (query, *_) = published["paths"][path]["get"]["parameters"]
        assert (query["name"], query["required"]) == ("q", True)
    for name in ("HitOut", "FoundOut", "TouchedOut", "TimelineOut", "ErasedOut", "EraseIn"):
        assert name in published["components"]["schemas"]
