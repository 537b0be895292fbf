"""Who is on call, as PagerDuty's published answers say it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from access.errors import NotFound, Unavailable
from access.ports import NotLooked
from directory.memberships import Directories
from directory.pagerduty import HEADERS, MOST_PAGES, PagerDuty, key_header
from tests.people import ManualClock
from tests.tickets.far import Far, rest

SCHEDULE = "PI7DH85"
KEY = "canary-key-77aa"
SAMPLE = Path(__file__).parent / "samples" / "pagerduty_oncalls.json"


def sample() -> dict[str, Any]:
    made: dict[str, Any] = json.loads(SAMPLE.read_text("utf-8"))
    return made


def on_call(user: str, schedule: str | None = SCHEDULE, **more: Any) -> dict[str, Any]:
    (one,) = sample()["oncalls"]
    who = {"id": user, "type": "user", "summary": user.title(), "email": f"{user.lower()}@acme.example", **more}
    return {**one, "user": who, "schedule": schedule and {**one["schedule"], "id": schedule}}


def whose(user_id: str, email: str) -> str | None:
    return {"PT23IWX": "U0TIM", "PADA": "U0ADA"}.get(user_id) or {"grace@acme.example": "U0GRACE"}.get(email)


@pytest.fixture
async def rota(far: Far) -> AsyncIterator[PagerDuty]:
    api = rest(far, "PagerDuty", headers=HEADERS, sign_in=lambda: key_header(KEY), sign_in_with="PAGERDUTY_TOKEN")
    yield PagerDuty(api, whose)
    await api.close()


async def test_who_is_on_call(far: Far, rota: PagerDuty) -> None:
    far.says(sample())
    found = await rota.find(SCHEDULE)
    assert (found.people, found.strangers) == (frozenset({"U0TIM"}), ())
    [asked] = far.asked
    assert (asked.method, asked.path) == ("GET", "/oncalls")
    assert list(asked.query.items()) == [
        ("schedule_ids[]", SCHEDULE), ("include[]", "users"), ("limit", "100"), ("offset", "0")
    ]  # fmt: skip
    assert asked.headers["Authorization"] == f"Token token={KEY}"
    assert asked.headers["Accept"] == "application/vnd.pagerduty+json;version=2"


async def test_a_person_is_known_by_id_or_address_in_whatever_case(far: Far, rota: PagerDuty) -> None:
    far.says({**sample(), "oncalls": [on_call("PADA"), on_call("PX", email="Grace@Acme.example"), on_call("PADA")]})
    assert (await rota.find(SCHEDULE)).people == {"U0ADA", "U0GRACE"}


async def test_strangers_are_named_and_are_nobody(far: Far, rota: PagerDuty) -> None:
    far.says({**sample(), "oncalls": [on_call("PADA"), on_call("PBOB", email=None), on_call("PEVE", summary=None)]})
    found = await rota.find(SCHEDULE)
    assert found.people == {"U0ADA"}
    assert found.strangers == ("Pbob (PBOB)", "somebody (PEVE)")


async def test_other_schedules_and_permanent_duty_do_not_count(far: Far, rota: PagerDuty) -> None:
    far.says({**sample(), "oncalls": [on_call("PADA", "POTHER"), on_call("PT23IWX", None)]})
    found = await rota.find(SCHEDULE)
    assert (found.people, found.strangers) == (frozenset(), ())


async def test_nobody_on_call_is_an_answer(far: Far, rota: PagerDuty) -> None:
    far.says({**sample(), "oncalls": []})
    assert (await rota.find(SCHEDULE)).people == frozenset()


async def test_every_page_is_read(far: Far, rota: PagerDuty) -> None:
    far.says({**sample(), "more": True})
    far.then({**sample(), "oncalls": [on_call("PADA")], "offset": 100})
    assert (await rota.find(SCHEDULE)).people == {"U0TIM", "U0ADA"}
    assert [asked.query["offset"] for asked in far.asked] == ["0", "100"]


async def test_a_rota_without_end_is_not_cut_short_in_silence(far: Far, rota: PagerDuty) -> None:
    far.says({**sample(), "more": True})
    with pytest.raises(Unavailable, match="more people on call"):
        await rota.find(SCHEDULE)
    assert len(far.asked) == MOST_PAGES


async def test_a_failing_second_page_fails_the_whole(far: Far, rota: PagerDuty) -> None:
    far.says({**sample(), "more": True})
    far.then({"error": {"message": "x", "code": 1}}, 400)
    with pytest.raises(Unavailable):
        await rota.find(SCHEDULE)


ERROR = {"error": {"message": "Unauthorized", "code": 2006}}


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (400, "PagerDuty answers 400: ask an admin whether"),
        (401, "Ask an admin to renew it: PAGERDUTY_TOKEN."),
        (403, "the right to read"),
        (404, "PagerDuty has nothing there"),
        (429, "too many requests"),
        (500, "is out of order (500)"),
        (302, "another host"),
    ],
)
async def test_a_failure_is_a_value_with_what_to_do(
    far: Far, rota: PagerDuty, clock: ManualClock, status: int, why: str
) -> None:
    far.says(ERROR, status, Location="https://identity.pagerduty.example/sign_in", Retry_After="0")
    if status == 403:
        far.says(ERROR, status)
    group = f"pagerduty:{SCHEDULE}"
    found = (await Directories({"pagerduty": rota}, clock).members([group]))[group]
    assert isinstance(found, NotLooked)
    assert why in found.why
    assert KEY not in repr(found)


ODD = [b"", b"[]", b"{}", b'{"oncalls": null}', b'{"oncalls": [{}]}', b'{"oncalls": [{"user": {"id": 7}}]}']


@pytest.mark.parametrize("body", ODD)
async def test_an_unexpected_answer_is_not_an_empty_rota(far: Far, rota: PagerDuty, body: bytes) -> None:
    far.answers = [lambda: web.Response(body=body)]
    with pytest.raises(Unavailable, match="something else than expected"):
        await rota.find(SCHEDULE)


async def test_silence_is_not_an_empty_rota(far: Far) -> None:
    far.silent = True
    api = rest(far, "PagerDuty", timeout=0.2)
    with pytest.raises(Unavailable, match="PagerDuty did not answer in time"):
        await PagerDuty(api, whose).find(SCHEDULE)
    await api.close()


@pytest.mark.parametrize("schedule", ["", "P1&user_ids[]=X", "../users", "P 1", "P" * 33, "Pé"])
async def test_nothing_is_asked_about_what_is_no_schedule(far: Far, rota: PagerDuty, schedule: str) -> None:
    with pytest.raises(NotFound):
        await rota.find(schedule)
    assert far.asked == []
