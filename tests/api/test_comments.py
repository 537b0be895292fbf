"""A comment over HTTP: said once for each key, however often it is sent."""

from __future__ import annotations

import asyncio

from access.events import CommentMade
from tests.api.serving import Api
from tests.people import ADA, GRACE


async def said(api: Api) -> list[str]:
    found = [e.event for e in await api.world.store.log.entries_of("PA-1", {CommentMade.TAG})]
    return [event.text for event in found if isinstance(event, CommentMade)]


async def test_the_same_key_is_said_once_by_each_person(api: Api) -> None:
    await api.world.asked()
    own, other = await api.sign_in(ADA), await api.sign_in(GRACE)
    body = {"text": "which rows?", "key": "0123456789abcdef"}
    sent = [own.call("POST", "/v1/requests/PA-1/comments", body) for _ in range(4)]
    assert {answer.status for answer in await asyncio.gather(*sent)} == {201}
    assert await said(api) == ["which rows?"]
    assert (await other.call("POST", "/v1/requests/PA-1/comments", body)).status == 201
    assert (await own.call("POST", "/v1/requests/PA-1/comments", {**body, "key": "f" * 16})).status == 201
    for _ in range(2):
        assert (await own.call("POST", "/v1/requests/PA-1/comments", {"text": "again"})).status == 201
    assert await said(api) == ["which rows?"] * 3 + ["again"] * 2
    assert (await own.call("POST", "/v1/requests/PA-1/comments", {**body, "key": "short"})).status in (400, 422)
