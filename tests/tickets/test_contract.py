"""What every ticket system does alike, each against its own vendor's answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import web

from access.ports import NoSuchTicket, TicketSystemSilent
from tests.people import ManualClock
from tests.tickets.far import TOKEN, Far, rest, sample
from tickets.github import HEADERS, GitHub, Repositories
from tickets.http import LARGEST, Rest
from tickets.jira import Jira
from tickets.system import System


@dataclass
class Bench:
    """One system before its vendor: a key that it understands, and the vendor's own way to say yes and no."""

    system: System
    rest: Rest
    far: Far
    key: str
    yes: Any
    no: Any


@pytest.fixture(params=["jira", "github"])
async def bench(request: pytest.FixtureRequest, far: Far, clock: ManualClock) -> AsyncIterator[Bench]:
    if request.param == "jira":
        api = rest(far)
        made = Bench(Jira(api, far.url, clock), api, far, "ED-1", sample("jira_cloud_issue"), sample("jira_error"))
    else:
        api = rest(far, "GitHub", sign_in_with="GITHUB_TOKEN", headers=HEADERS)
        system = GitHub(api, Repositories(frozenset({"octocat"})), clock)
        made = Bench(system, api, far, "octocat/Hello-World#1347", sample("github_issue"), sample("github_error"))
    yield made
    await api.close()


async def fails(bench: Bench) -> str:
    """The sentence, which never holds the token."""
    with pytest.raises(TicketSystemSilent) as raised:
        await bench.system.fetch(bench.key)
    assert TOKEN not in repr(raised.value)
    return str(raised.value)


async def test_a_ticket_is_told_in_one_shape(bench: Bench, clock: ManualClock) -> None:
    bench.far.says(bench.yes)
    ticket = await bench.system.fetch(bench.key)
    assert (ticket.system, ticket.key, ticket.state) == (bench.system.name, bench.key, "open")
    assert ticket.fetched_at == clock.now()
    [asked] = bench.far.asked
    assert (asked.method, asked.headers["Authorization"]) == ("GET", f"Bearer {TOKEN}")


async def test_the_snapshot_follows_the_facts_and_not_the_time(bench: Bench, clock: ManualClock) -> None:
    bench.far.says(bench.yes)
    first = await bench.system.fetch(bench.key)
    clock.pass_by(hours=1)
    assert (await bench.system.fetch(bench.key)).snapshot == first.snapshot
    fields = bench.yes.get("fields", bench.yes)
    fields["title"] = fields["summary"] = "Another title"
    assert (await bench.system.fetch(bench.key)).snapshot != first.snapshot


@pytest.mark.parametrize("status", [404, 410])
async def test_a_ticket_that_is_not_there(bench: Bench, status: int) -> None:
    bench.far.says(bench.no, status)
    with pytest.raises(NoSuchTicket, match="no such ticket, or does not show it") as raised:
        await bench.system.fetch(bench.key)
    assert raised.value.field == "ticket"
    assert len(bench.far.asked) == 1


async def test_a_bad_token_says_which_setting_to_renew(bench: Bench) -> None:
    bench.far.says(bench.no, 401)
    assert (await fails(bench)).endswith(f"Ask an admin to renew it: {bench.system.name.upper()}_TOKEN.")


async def test_a_missing_right_says_what_to_give(bench: Bench) -> None:
    bench.far.says(bench.no, 403)
    assert "the right to read" in await fails(bench)
    assert len(bench.far.asked) == 1


async def test_too_many_requests_are_asked_once_more_after_a_short_pause(bench: Bench) -> None:
    bench.far.says(bench.no, 429, Retry_After="0")
    bench.far.then(bench.yes)
    assert (await bench.system.fetch(bench.key)).state == "open"
    assert len(bench.far.asked) == 2


@pytest.mark.parametrize("pause", ["3", "3600", "Wed, 21 Oct 2099 07:28:00 GMT", "-1", "²", "9" * 400])
async def test_a_long_or_odd_pause_is_not_waited_for(bench: Bench, pause: str) -> None:
    def answer() -> web.Response:
        return web.json_response(bench.no, status=429, headers={"Retry-After": pause})

    bench.far.answers = [answer]
    assert "too many requests" in await fails(bench)
    assert len(bench.far.asked) == 1


@pytest.mark.parametrize("status", [500, 502, 503, 504])
async def test_out_of_order_is_asked_once_more_and_no_oftener(bench: Bench, status: int) -> None:
    bench.far.says("<html>", status)
    assert f"is out of order ({status})" in await fails(bench)
    assert len(bench.far.asked) == 2


async def test_slow_is_silent(bench: Bench) -> None:
    bench.far.silent, bench.rest.timeout = True, 0.2
    async with asyncio.timeout(5):
        assert "did not answer in time" in await fails(bench)


async def test_a_dripping_answer_is_slow_too(bench: Bench) -> None:
    bench.far.answers = [lambda: web.Response(body=drip())]
    bench.rest.timeout = 0.2
    assert "did not answer in time" in await fails(bench)


async def drip() -> AsyncIterator[bytes]:
    while True:
        yield b" "
        await asyncio.sleep(0.05)


async def test_nobody_there_is_silent(bench: Bench) -> None:
    async with Far().serving() as gone:
        address = gone.url
    bench.rest.base = address
    assert "cannot be reached" in await fails(bench)


async def test_a_redirect_within_is_followed(bench: Bench) -> None:
    bench.far.says(None, 301, Location="/moved/7?x=1")
    bench.far.at["/moved/7"] = lambda: web.json_response(bench.yes)
    assert (await bench.system.fetch(bench.key)).state == "open"
    assert bench.far.paths[1] == "/moved/7?x=1"


@pytest.mark.parametrize("where", ["http://{other}/x", "//{other}/x", "http://user:pw@{other}/", "https://{same}/x"])
async def test_a_redirect_to_anywhere_else_is_not(bench: Bench, where: str) -> None:
    async with Far().serving() as other:
        other.says(bench.yes)
        named = where.format(other=other.url.removeprefix("http://"), same=bench.far.url.removeprefix("http://"))
        bench.far.says(None, 302, Location=named)
        assert "sends us to another host" in await fails(bench)
        assert other.asked == []


async def test_a_path_with_two_slashes_is_no_way_out(bench: Bench) -> None:
    async with Far().serving() as other:
        other.says(bench.yes)
        host = other.url.removeprefix("http://")
        bench.far.says(None, 302, Location=f"{bench.far.url}//{host}/x")
        bench.far.at[f"//{host}/x"] = lambda: web.json_response(bench.yes)
        await bench.system.fetch(bench.key)
        assert other.asked == []


@pytest.mark.parametrize("where", ["", "/again", "mailto:a@b", "http://[", "http://"])
async def test_a_redirect_to_nowhere_ends(bench: Bench, where: str) -> None:
    bench.far.says(None, 302, Location=where)
    assert await fails(bench)
    assert len(bench.far.asked) <= 3


async def test_a_huge_answer_is_not_read_to_its_end(bench: Bench) -> None:
    bench.far.answers = [lambda: web.Response(body=b'"' + b"x" * (LARGEST + 1) + b'"')]
    assert "far more than expected" in await fails(bench)


ODD = [b"", b"null", b"[]", b"{}", b"<html>Sign in</html>", b'{"key": 7, "number": "x"}', b"\xff\xfe", b"[" * 100_000]


@pytest.mark.parametrize("body", ODD)
async def test_an_unexpected_answer_is_none(bench: Bench, body: bytes) -> None:
    bench.far.answers = [lambda: web.Response(body=body)]
    assert "something else than expected" in await fails(bench)


async def test_a_compressed_answer_is_not_unpacked(bench: Bench) -> None:
    def packed() -> web.Response:
        answer = web.json_response(bench.yes)
        answer.enable_compression(web.ContentCoding.gzip)
        return answer

    bench.far.answers = [packed]
    assert "something else than expected" in await fails(bench)


async def test_nothing_is_asked_about_what_is_no_ticket(bench: Bench) -> None:
    odd = [
        "", "  ", "OPS", "OPS-0", "#", "OPS-12/../../myself", "OPS-12?x=1", "octocat/..#1", "octocat/.#1", "../x#1",
        "octocat/Hello-World#1347/comments", "http://127.0.0.1:1/browse/ED-1", "https://evil.example/browse/ED-1",
        "https://evil.example/octocat/Hello-World/issues/1", "http://[", "x" * 101, "ED-1\nED-2", "ſD-1", "ED-１",
    ]  # fmt: skip
    for text in odd:
        with pytest.raises(NoSuchTicket):
            await bench.system.fetch(text)
    assert bench.far.asked == []


async def test_hostile_titles_become_one_plain_line(bench: Bench) -> None:
    fields = bench.yes.get("fields", bench.yes)
    title = "  *Approved*\n<!channel>\u202e\u0000 \u200bby\tgrace " + "x" * 999
    fields["title"] = fields["summary"] = title
    bench.far.says(bench.yes)
    ticket = await bench.system.fetch(bench.key)
    assert ticket.title.startswith("*Approved* <!channel> by grace xxx")
    assert len(ticket.title) == 250
    assert ticket.title.isprintable()
